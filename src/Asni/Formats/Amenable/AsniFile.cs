using System.Collections.Immutable;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats.Amenable;

/// <summary>One tensor of an .asni file and what it takes there.</summary>
internal sealed record AsniTensor(string Name, Shape Shape, long Live, MaskCoding MaskCoding, int MaskBytes, ValueCoding ValueCoding, int ValueBytes)
{
    /// <summary>
    /// Entropy of a mask with this many live elements at independent places, in bytes: no code of such masks is shorter on average.
    /// </summary>
    public double MaskEntropyBytes
    {
        get
        {
            double p = (double)Live / Shape.Elements;
            return p is 0 or 1 ? 0 : -(p * Math.Log2(p) + (1 - p) * Math.Log2(1 - p)) * Shape.Elements / 8;
        }
    }
}

/// <summary>An .asni file's description and tensors, in the order of the network's state dict.</summary>
/// <param name="Header">Null when a file of version 1 names a network that is not known by name.</param>
internal sealed record AsniContents(NetworkFileHeader? Header, ImmutableArray<AsniTensor> Tensors, long FileBytes);

/// <summary>
/// The .asni file: a sparse network in little more room than its information. Masks are entropy-coded positions; the live values of a tensor
/// are one number (fresh biases and batch-norm), two numbers and a bit each (what ASNI-II starts from), more numbers and a place among them each, or floats. docs/formats.md has the bytes.
/// </summary>
public static class AsniFile
{
    public const string Extension = ".asni";

    /// <summary>Of the files that are written, those with lists of levels have version 3, so that what reads version 2 only refuses them. Version 1, which has a name in place of the graph, is read too.</summary>
    internal const ushort Version = 3, VersionWithoutLevels = 2;

    internal const int ChecksumBytes = 32, HeadBytes = 16, MaxDimensions = 8;
    private const int MaxTensors = 1 << 16, MaxGraphBytes = 4 * GraphJson.MaxCharacters;

    internal static ReadOnlySpan<byte> Magic => "ASNI"u8;

    /// <param name="phase">What the network is: asni2-init, asni1, ...</param>
    /// <param name="half">Live weights as 16-bit floats where they are not one or two numbers; vectors stay exact.</param>
    /// <exception cref="AsniException">The file cannot be written; nothing is left behind.</exception>
    public static void Write(string path, TrainedNetwork trained, string phase, bool half = false)
    {
        byte[] file = AsniWriter.Bytes(trained, phase, half);
        AtomicFile.Write(path, stream => stream.Write(file));
    }

    /// <summary>True when the file starts as an .asni file does.</summary>
    internal static bool HasSignature(ReadOnlySpan<byte> start) => start.StartsWith(Magic);

    /// <summary>The description and the tensors' sizes, without their values.</summary>
    /// <exception cref="AsniException">Missing, cut short, damaged, or of a later version.</exception>
    internal static AsniContents Describe(string path)
    {
        var tensors = ImmutableArray.CreateBuilder<AsniTensor>();
        NetworkFileHeader? header = Walk(path, (_, tensor, budget, _) =>
        {
            // Whoever builds the network that the file describes takes memory for it.
            tensor.TakeFrom(budget);
            tensors.Add(tensor.Describe());
        }, out long fileBytes);
        if (header is not null)
        {
            // Whoever takes a network by its graph takes memory for what the graph says.
            for (int i = 0; i < tensors.Count; i++) RequireFit(path, header.Network, i, tensors[i].Name, tensors[i].Shape);
            RequireAll(path, header.Network, tensors.Count);
        }
        return new AsniContents(header, tensors.ToImmutable(), fileBytes);
    }

    /// <summary>Values and masks for a network, which must have these tensors in this order.</summary>
    /// <exception cref="AsniException">Missing, cut short, damaged, of a later version, or not of this network.</exception>
    public static TrainedNetwork Read(string path, Network network)
    {
        var tensors = new DecodedTensors(path);
        Walk(path, (_, tensor, _, bad) => tensors.Add(network, tensor, bad), out _);
        return tensors.ToNetwork(network);
    }

    /// <summary>The network that the file describes, with its values and masks.</summary>
    /// <exception cref="UnnamedNetworkException">A sound file of version 1 names a network that is not known by name.</exception>
    /// <exception cref="AsniException">Missing, cut short, damaged, of a later version, or of other tensors than it describes.</exception>
    internal static StoredNetwork Read(string path)
    {
        var tensors = new DecodedTensors(path);
        NetworkFileHeader? header = Walk(path, (network, tensor, budget, bad) =>
        {
            // The network's sizes are only what the file says.
            tensor.TakeFrom(budget);
            if (network is not null) tensors.Add(network, tensor, bad);
        }, out _);
        return header is null ? throw Unnamed(path) : new StoredNetwork(path, tensors.ToNetwork(header.Network), header.Phase);
    }

    /// <summary>All tensors, still coded, by name.</summary>
    internal static Dictionary<string, StoredTensor> ReadTensors(string path)
    {
        var tensors = new Dictionary<string, StoredTensor>();
        Walk(path, (_, tensor, budget, _) =>
        {
            tensor.TakeFrom(budget);
            if (!tensors.TryAdd(tensor.Name, tensor)) throw Bad(path, $"it has two tensors {tensor.Name}");
        }, out long _);
        return tensors;
    }

    internal static AsniException Bad(string path, string what) => new($"{path} is not a usable .asni file: {what}.");

    internal static UnnamedNetworkException Unnamed(string path) => new(path, $"{path} describes its network by a name only, which is not known.");

    /// <exception cref="AsniException">The tensor is not the network's at this place.</exception>
    private static void RequireFit(string path, Network network, int index, string name, Shape shape)
    {
        Parameter? expected = index < network.Parameters.Length ? network.Parameters[index] : null;
        if (expected?.Name != name || expected.Shape != shape)
            throw new AsniException($"{path} does not fit network {network.Name}: it has {name} {shape} where "
                + (expected is null ? "nothing is" : $"{expected.Name} {expected.Shape} is") + " expected.");
    }

    /// <exception cref="AsniException">There are fewer tensors than the network has.</exception>
    private static void RequireAll(string path, Network network, int count)
    {
        if (count < network.Parameters.Length)
            throw new AsniException($"{path} does not fit network {network.Name}: it has {count} tensors of {network.Parameters.Length}.");
    }

    /// <param name="visit">Called with the network that the file describes, null where its name is not known, and each tensor.</param>
    /// <returns>Null when the network is not known.</returns>
    private static NetworkFileHeader? Walk(string path, Action<Network?, StoredTensor, ReadBudget, Func<string, AsniException>> visit, out long fileBytes)
    {
        AsniException Fault(string what) => Bad(path, what);
        byte[] file = WholeFile.Read(path);
        fileBytes = file.Length;
        ushort version = CheckEnvelope(file, Fault);
        var reader = new ByteReader(file.AsMemory(HeadBytes, file.Length - HeadBytes - ChecksumBytes), Fault);
        string name = reader.Text(), phase = reader.Text();
        Network? network = version == 1 ? Named(path, name, reader) : GraphJson.Read(name, Graph(reader, Fault), Fault);
        int count = reader.Count("tensors", MaxTensors);
        var budget = new ReadBudget(file.Length, Fault);
        for (int i = 0; i < count; i++)
        {
            StoredTensor tensor = StoredTensor.Read(reader, Fault);
            visit(network, tensor, budget, what => Fault($"tensor {tensor.Name} has {what}"));
        }
        if (reader.Left > 0) throw Fault($"{reader.Left} bytes after its last tensor belong to nothing");
        return network is null ? null : new NetworkFileHeader(network, phase);
    }

    private static Network? Named(string path, string name, ByteReader reader)
    {
        var input = new Chw(reader.Count("channels"), reader.Count("rows"), reader.Count("columns"));
        int classes = reader.Count("classes");
        return NetworkZoo.Has(name) ? NetworkFile.Named(path, name, input, classes) : null;
    }

    /// <summary>The graph's JSON, which Brotli has made smaller.</summary>
    private static string Graph(ByteReader reader, Func<string, AsniException> bad)
    {
        int bytes = reader.Count("bytes of its graph", MaxGraphBytes);
        var text = new byte[bytes];
        if (!BrotliDecoder.TryDecompress(reader.Take(reader.Count("packed bytes of its graph")), text, out int written) || written != bytes)
            throw bad("its graph is damaged");
        return Encoding.UTF8.GetString(text);
    }

    /// <returns>The file's version.</returns>
    private static ushort CheckEnvelope(byte[] file, Func<string, AsniException> bad)
    {
        if (!HasSignature(file)) throw bad("it does not start with ASNI");
        if (file.Length < HeadBytes + ChecksumBytes) throw bad($"it is cut short to {file.Length} bytes");
        var head = new ByteReader(file.AsMemory(Magic.Length, HeadBytes - Magic.Length), bad);
        ushort version = head.U16();
        if (version is < 1 or > Version) throw bad($"it is of version {version}, this program reads versions 1 to {Version}");
        head.Skip(sizeof(ushort));
        ulong length = head.U64();
        if (length != (ulong)file.Length) throw bad($"it is cut short or damaged: it announces {length} bytes and has {file.Length}");
        Span<byte> sum = stackalloc byte[ChecksumBytes];
        SHA256.HashData(file.AsSpan(..^ChecksumBytes), sum);
        if (!sum.SequenceEqual(file.AsSpan(^ChecksumBytes..))) throw bad("it is damaged: its checksum does not agree");
        return version;
    }

    /// <summary>Tensors as they come, each held to the network's at its place.</summary>
    private sealed class DecodedTensors(string path)
    {
        private readonly ImmutableArray<float[]>.Builder _values = ImmutableArray.CreateBuilder<float[]>();
        private readonly ImmutableArray<Mask?>.Builder _masks = ImmutableArray.CreateBuilder<Mask?>();

        public void Add(Network network, StoredTensor tensor, Func<string, AsniException> bad)
        {
            RequireFit(path, network, _values.Count, tensor.Name, tensor.Shape);
            (float[] values, Mask? mask) = tensor.Decode(bad);
            _values.Add(values);
            _masks.Add(mask);
        }

        public TrainedNetwork ToNetwork(Network network)
        {
            RequireAll(path, network, _values.Count);
            return new TrainedNetwork(network, _values.ToImmutable(), _masks.ToImmutable());
        }
    }
}
