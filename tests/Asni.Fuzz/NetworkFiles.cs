using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Fuzz;

/// <summary>Files of networks: by the library, and by the commands that take them.</summary>
internal static class NetworkFiles
{
    private static readonly Network s_small = NetworkZoo.Create("lenet300[1=3,3=2]", new Chw(1, 2, 2), 2);

    public static IEnumerable<FuzzedFormat> All()
    {
        (byte[][] safetensors, byte[][] asni) = Written(s_small, NetworkZoo.Create("mlp300[1=5]", new Chw(1, 3, 3), 3));
        string[] torch = ["tiny.pt", "checkpoint.pt", "module.pt", "legacy.pt"];
        byte[][] archives = [.. torch.Select(Seed.Read)];
        (byte[] Pickle, (string, byte[])[] Others)[] parts = [.. torch[..3].Select(f => Unpacked(Seed.Read(f)))];
        yield return new("pytorch", archives, FuzzedFormat.AsIs, ReadAll, "input.pt");
        yield return new("pickle", [.. parts.Select(p => p.Pickle)], (pickle, random) => Packed(pickle, parts[random.Next(parts.Length)].Others), ReadAll, "input.pt");
        yield return new("safetensors", safetensors, HeaderLength, ReadAll, "input.safetensors");
        yield return new("asni", asni, Envelope, ReadAll, "input.asni");
        yield return new("checkpoint", Checkpoints(), CheckpointDigest, ReadCheckpoint, "input.safetensors");
        byte[] Either(byte[] file, Random random) => file.AsSpan().StartsWith("ASNI"u8) ? Envelope(file, random) : HeaderLength(file, random);
        byte[][] networks = [.. safetensors, .. asni];
        yield return new("verify", networks, Either, path => CommandLine.Run("verify", path), "input.bin");
        yield return new("info", [.. networks, .. archives], Either, path => CommandLine.Run("info", path), "input.bin");
        yield return new("export", networks, Either, path => CommandLine.Run("export", path, "--to", "onnx", "--out", path + ".onnx"), "input.bin");
        yield return new("compact", networks, Either, path => CommandLine.Run("compact", path, "--out", path + ".safetensors"), "input.bin");
    }

    private static void ReadCheckpoint(string path)
    {
        try
        {
            Checkpoint.Read(path);
        }
        catch (AsniException)
        {
            // For a network that the caller names it may be good, or bad for another reason.
        }
        Checkpoint.Read(path, s_small);
    }

    private static void ReadAll(string path)
    {
        _ = NetworkFormats.Detect(path) == NetworkFormat.PyTorch ? null : NetworkFormats.TryReadHeader(path);
        using NamedTensors file = NamedTensors.Open(path);
        foreach (string name in file.Shapes.Keys)
        {
            file.Read(name);
            file.ReadMask(name);
        }
    }

    private static (byte[][] Safetensors, byte[][] Asni) Written(params Network[] networks)
    {
        var safetensors = new List<byte[]>();
        var asni = new List<byte[]>();
        foreach (Network network in networks)
        {
            TrainedNetwork weights = Pruned(network);
            safetensors.Add(Seed.Written(path => NetworkFile.Write(path, weights, "asni1")));
            asni.Add(Seed.Written(path => AsniFile.Write(path, weights, "asni1")));
            asni.Add(Seed.Written(path => AsniFile.Write(path, weights, "asni1", half: true)));
            ImmutableArray<float[]> signs = [.. weights.Values.Select((v, i) => network.Parameters[i].IsWeight ? [.. v.Select(x => x > 0 ? 0.5f : x < 0 ? -0.25f : 0)] : v)];
            asni.Add(Seed.Written(path => AsniFile.Write(path, weights with { Values = signs }, "asni2-init")));
        }
        // By version 1, which names its network.
        asni.Add(Seed.Read("asni2-init.asni"));
        return ([.. safetensors], [.. asni]);
    }

    /// <summary>A third of the weights lives.</summary>
    private static TrainedNetwork Pruned(Network network)
    {
        TrainedNetwork start = MethodRunner.CreateInitialWeights(network, 1);
        var masks = new Mask?[network.Parameters.Length];
        foreach (Parameter p in network.Weights)
        {
            masks[p.Index] = new Mask(p.Elements, live: false);
            for (int i = 0; i < p.Elements; i++)
                if (i % 3 == 1) masks[p.Index]![i] = true;
                else start.Values[p.Index][i] = 0;
        }
        return new TrainedNetwork(network, start.Values, [.. masks]);
    }

    private static byte[][] Checkpoints()
    {
        TrainedNetwork weights = Pruned(s_small);
        ImmutableArray<float[]?> none = [.. weights.Values.Select(_ => (float[]?)null)], state = [.. weights.Values];
        var position = new CheckpointPosition { Run = "run", Device = "CPU", Phase = "asni1", Epoch = 2, Done = [new PhaseNumbers("dense", 0.5, 1, 1, 0, 3, 4)] };
        var model = new TrainedNetwork(s_small, weights.Values, weights.Masks);
        return [Seed.Written(new Checkpoint(position, model, none, none).Write), Seed.Written(new Checkpoint(position with { Threshold = 0.1 }, model, state, state).Write)];
    }

    private static byte[] Envelope(byte[] file, Random random)
    {
        if (file.Length < 48 || random.Next(8) == 0) return file;
        "ASNI"u8.CopyTo(file);
        // Either version; the other one than it was written in is read as nonsense.
        (file[4], file[5]) = (file[4] is 1 or 2 ? file[4] : (byte)2, 0);
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(8), file.Length);
        SHA256.HashData(file.AsSpan(..^32), file.AsSpan(^32..));
        return file;
    }

    /// <summary>The length before a header whose length has changed.</summary>
    private static byte[] HeaderLength(byte[] file, Random random)
    {
        if (file.Length < 16 || random.Next(3) == 0) return file;
        int end = random.Next(2) == 0 ? file.AsSpan(8).IndexOf("}}"u8) : file.AsSpan(8).LastIndexOf("}}"u8);
        if (end >= 0) BinaryPrimitives.WriteInt64LittleEndian(file, end + 2);
        return file;
    }

    /// <summary>The digest of what is there now, where the file is still one.</summary>
    private static byte[] CheckpointDigest(byte[] file, Random random)
    {
        file = HeaderLength(file, random);
        if (random.Next(8) == 0) return file;
        byte[] digest = [];
        try
        {
            digest = Seed.Written(path =>
            {
                File.WriteAllBytes(path, file);
                string text;
                using (SafetensorsReader reader = SafetensorsReader.Open(path)) text = Digest(reader);
                File.WriteAllText(path, text);
            });
        }
        catch (AsniException)
        {
            return file;
        }
        int at = file.AsSpan().IndexOf("\"sha256\":\""u8);
        if (at >= 0 && at + 10 + digest.Length < file.Length) digest.CopyTo(file, at + 10);
        return file;
    }

    private static string Digest(SafetensorsReader reader)
    {
        using var all = new MemoryStream();
        string position = reader.Metadata.GetValueOrDefault("checkpoint", "");
        all.Write(Encoding.UTF8.GetBytes(reader.Metadata.TryGetValue("graph", out string? graph) ? position + reader.Metadata.GetValueOrDefault("network", "") + graph : position));
        foreach (SafetensorsEntry entry in reader.Entries.Values.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            all.Write(Encoding.UTF8.GetBytes($"{entry.Name} {entry.DType} {string.Join(',', entry.Dims)}\n"));
            reader.CopyTo(entry, all);
        }
        return Convert.ToHexStringLower(SHA256.HashData(all.ToArray()));
    }

    /// <summary>An archive as torch.save writes it.</summary>
    private static byte[] Packed(byte[] pickle, (string Name, byte[] Bytes)[] others)
    {
        using var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
            foreach ((string name, byte[] bytes) in others.Prepend(("data.pkl", pickle)))
            {
                using Stream stream = zip.CreateEntry("archive/" + name, CompressionLevel.NoCompression).Open();
                stream.Write(bytes);
            }
        return memory.ToArray();
    }

    private static (byte[] Pickle, (string, byte[])[] Others) Unpacked(byte[] archive)
    {
        using var zip = new ZipArchive(new MemoryStream(archive));
        var entries = zip.Entries.Select(e =>
        {
            using Stream stream = e.Open();
            using var copy = new MemoryStream();
            stream.CopyTo(copy);
            return (Name: e.FullName[(e.FullName.IndexOf('/') + 1)..], Bytes: copy.ToArray());
        }).ToList();
        return (entries.Find(e => e.Name == "data.pkl").Bytes, [.. entries.Where(e => e.Name != "data.pkl")]);
    }
}
