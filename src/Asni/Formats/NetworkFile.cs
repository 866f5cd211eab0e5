using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>What a network file says about itself: the graph that its tensors belong to, and the phase that delivered them.</summary>
internal sealed record NetworkFileHeader(Network Network, string Phase);

/// <summary>
/// A network's tensors in a safetensors file: F32 under PyTorch's names, and for each pruned one a BOOL tensor NAME.mask of the same shape,
/// so that a live weight which happens to be 0 stays live. Metadata has the network's graph, its name, input and classes, and the phase.
/// </summary>
public static class NetworkFile
{
    internal const string MaskSuffix = ".mask";
    internal const string GraphKey = "graph";
    private const int NamesInMessage = 4;

    /// <exception cref="AsniException">The file cannot be written; nothing is left behind.</exception>
    public static void Write(string path, TrainedNetwork trained, string phase)
    {
        Network network = trained.Network;
        var tensors = new List<SafetensorsTensor>();
        foreach (Parameter p in network.Parameters) tensors.Add(SafetensorsTensor.Single(p.Name, p.Shape, trained.Values[p.Index]));
        // Masks last, so that every F32 tensor stays aligned.
        foreach (Parameter p in network.Parameters)
            if (trained.Masks[p.Index] is { } mask) tensors.Add(SafetensorsTensor.Bool(p.Name + MaskSuffix, p.Shape, mask));
        Chw input = network.Input;
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string>
        {
            ["format"] = "pt",
            ["network"] = network.Name,
            [GraphKey] = GraphJson.Write(network),
            ["input"] = string.Create(CultureInfo.InvariantCulture, $"{input.Channels}x{input.Height}x{input.Width}"),
            ["classes"] = network.Classes.ToString(CultureInfo.InvariantCulture),
            ["phase"] = phase,
        });
    }

    /// <summary>As <see cref="ReadHeader(string)"/>; null for a file that does not say what network it holds, as other programs' do not.</summary>
    /// <exception cref="AsniException">Not a safetensors file, or a damaged description.</exception>
    internal static NetworkFileHeader? TryReadHeader(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        return reader.Metadata.TryGetValue("network", out string? name) && IsKnown(reader, name) ? ReadHeader(path, reader) : null;
    }

    /// <summary>Only the description, without the tensors.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file of weights that has none.</exception>
    /// <exception cref="AsniException">Not a network file.</exception>
    internal static NetworkFileHeader ReadHeader(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        return ReadHeader(path, reader);
    }

    private static NetworkFileHeader ReadHeader(string path, SafetensorsReader reader)
    {
        string Value(string key) => reader.Metadata.TryGetValue(key, out string? value) ? value
            : throw new AsniException($"{path} does not say its {key} in its metadata; it was not written by asni.");
        if (!reader.Metadata.TryGetValue("network", out string? name)) throw new UnnamedNetworkException(path, $"{path} does not say what network it holds.");
        // Another program's "network" is no reason to ask for the rest of ours.
        if (!IsKnown(reader, name)) ByName(path, () => NetworkZoo.Find(name));
        string phase = Value("phase");
        if (reader.Metadata.TryGetValue(GraphKey, out string? graph))
        {
            Network described = GraphJson.Read(name, graph, what => new AsniException($"{path} does not describe its network: {what}."));
            // Whoever takes a network by its graph takes memory for what the graph says.
            CheckFit(path, described, reader);
            return new NetworkFileHeader(described, phase);
        }
        // Written before graphs were: the name stands for one.
        string[] input = Value("input").Split('x');
        var dims = new int[3];
        bool good = input.Length == 3;
        for (int i = 0; good && i < 3; i++)
            good = int.TryParse(input[i], NumberStyles.None, CultureInfo.InvariantCulture, out dims[i]) && dims[i] > 0;
        if (!good) throw new AsniException($"{path} has the input '{Value("input")}' in its metadata, CxHxW was expected.");
        if (!int.TryParse(Value("classes"), NumberStyles.None, CultureInfo.InvariantCulture, out int classes) || classes < 1)
            throw new AsniException($"{path} has the classes '{Value("classes")}' in its metadata, a number was expected.");
        return new NetworkFileHeader(Named(path, name, new Chw(dims[0], dims[1], dims[2]), classes), phase);
    }

    /// <summary>The network of a file that only names it.</summary>
    /// <exception cref="UnnamedNetworkException">There is no such network.</exception>
    internal static Network Named(string path, string name, Chw input, int classes) => ByName(path, () => NetworkZoo.Create(name, input, classes));

    /// <summary>The file has a graph, or the name stands for one.</summary>
    private static bool IsKnown(SafetensorsReader reader, string name) => reader.Metadata.ContainsKey(GraphKey) || NetworkZoo.Has(name);

    private static T ByName<T>(string path, Func<T> find)
    {
        try
        {
            return find();
        }
        catch (UsageException e)
        {
            throw new UnnamedNetworkException(path, $"{path} describes its network by a name only: {e.Message}", e);
        }
    }

    /// <summary>Reads the tensors of a network by name. Tensors that the network does not have are an error too.</summary>
    /// <exception cref="AsniException">Names each tensor that is missing, misshapen or unknown.</exception>
    public static TrainedNetwork Read(string path, Network network)
    {
        using var reader = SafetensorsReader.Open(path);
        return Read(path, network, reader);
    }

    /// <summary>The network that the file describes.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file of weights that describes none.</exception>
    /// <exception cref="AsniException">Not a network file, or of other tensors than it describes.</exception>
    internal static StoredNetwork Read(string path)
    {
        using var reader = SafetensorsReader.Open(path);
        NetworkFileHeader header = ReadHeader(path, reader);
        return new StoredNetwork(path, Read(path, header.Network, reader), header.Phase);
    }

    private static TrainedNetwork Read(string path, Network network, SafetensorsReader reader)
    {
        CheckFit(path, network, reader);
        var values = ImmutableArray.CreateBuilder<float[]>(network.Parameters.Length);
        var masks = ImmutableArray.CreateBuilder<Mask?>(network.Parameters.Length);
        foreach (Parameter p in network.Parameters)
        {
            values.Add(reader.ReadSingles(reader.Entries[p.Name]));
            masks.Add(reader.Entries.TryGetValue(p.Name + MaskSuffix, out SafetensorsEntry? entry) ? ToMask(reader.ReadBytes(entry)) : null);
        }
        return new TrainedNetwork(network, values.MoveToImmutable(), masks.MoveToImmutable());
    }

    private static void CheckFit(string path, Network network, SafetensorsReader reader)
    {
        var faults = new List<string>();
        var known = new HashSet<string>();
        void Check(string name, Shape shape, string dtype, bool required)
        {
            known.Add(name);
            if (!reader.Entries.TryGetValue(name, out SafetensorsEntry? entry))
            {
                if (required) faults.Add($"{name} is missing");
            }
            else if (!entry.HasShape(shape)) faults.Add($"{name} is {entry.ShapeText} instead of [{string.Join(", ", shape.Dims)}]");
            else if (entry.DType != dtype) faults.Add($"{name} is {entry.DType} instead of {dtype}");
        }
        foreach (Parameter p in network.Parameters)
        {
            Check(p.Name, p.Shape, "F32", required: true);
            Check(p.Name + MaskSuffix, p.Shape, "BOOL", required: false);
        }
        faults.AddRange(reader.Entries.Keys.Where(name => !known.Contains(name)).Select(name => $"{name} is unknown"));
        if (faults.Count == 0) return;
        string more = faults.Count > NamesInMessage ? $" and {faults.Count - NamesInMessage} more" : "";
        throw new AsniException($"{path} does not fit network {network.Name}: {string.Join(", ", faults.Take(NamesInMessage))}{more}.");
    }

    internal static Mask ToMask(byte[] bytes)
    {
        var mask = new Mask(bytes.Length, live: false);
        for (int i = 0; i < bytes.Length; i++)
            if (bytes[i] != 0) mask[i] = true;
        return mask;
    }
}
