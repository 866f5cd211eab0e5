using Asni.Formats.Amenable;
using Asni.Formats.PyTorch;
using Asni.Networks;

namespace Asni.Formats;

/// <summary>The kinds of file a network can be read from.</summary>
public enum NetworkFormat { Safetensors, Asni, PyTorch }

/// <summary>Network files of any format, told apart by their first bytes rather than by their names.</summary>
public static class NetworkFormats
{
    /// <exception cref="AsniException">The file cannot be read, or is something else than a network.</exception>
    public static NetworkFormat Of(string path)
    {
        byte[] start = WholeFile.Start(path, ForeignFile.StartBytes);
        if (AsniFile.IsOne(start)) return NetworkFormat.Asni;
        if (StateDictFile.IsOne(start) || LegacyStateDictFile.IsOne(start)) return NetworkFormat.PyTorch;
        if (!SafetensorsReader.MayBeOne(start) && ForeignFile.Describe(start) is { } what)
            throw new AsniException($"{path} is {what}; a network was expected as .safetensors, .pt or .asni.");
        return NetworkFormat.Safetensors;
    }

    /// <summary>What the file says about its network.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file of weights that does not say it.</exception>
    /// <exception cref="AsniException">Not a network file.</exception>
    public static NetworkFileHeader ReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header
            ?? throw new UnnamedNetworkException(path, $"{path} does not describe its network but by a name that is not known."),
        NetworkFormat.PyTorch => throw new UnnamedNetworkException(path,
            $"{path} is a PyTorch state dict, which does not say what network it holds."),
        _ => NetworkFile.ReadHeader(path),
    };

    /// <summary>As <see cref="ReadHeader"/>, or null for a sound file that names no network.</summary>
    public static NetworkFileHeader? TryReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header,
        NetworkFormat.PyTorch => null,
        _ => NetworkFile.HasHeader(path) ? NetworkFile.ReadHeader(path) : null,
    };

    /// <summary>The network of one of our own files.</summary>
    /// <exception cref="AsniException">Missing, damaged, without a description, or of other tensors than it describes.</exception>
    public static StoredNetwork Read(string path)
    {
        NetworkFileHeader header = ReadHeader(path);
        return new StoredNetwork(path, Read(path, header.Network), header.Phase);
    }

    /// <summary>Values and masks of one of our own files, for a network that it must fit.</summary>
    /// <exception cref="AsniException">Missing, damaged, or of another network.</exception>
    public static TrainedNetwork Read(string path, Network network) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Read(path, network),
        _ => NetworkFile.Read(path, network),
    };
}
