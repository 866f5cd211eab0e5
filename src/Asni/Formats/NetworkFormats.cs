using Asni.Formats.Amenable;
using Asni.Formats.PyTorch;
using Asni.Networks;

namespace Asni.Formats;

/// <summary>The kinds of file a network can be read from.</summary>
public enum NetworkFormat { Safetensors, Asni, PyTorch }

/// <summary>Network files of any format, told apart by their first bytes rather than by their names.</summary>
public static class NetworkFormats
{
    private const int StartBytes = 8;

    /// <exception cref="AsniException">The file cannot be read.</exception>
    public static NetworkFormat Of(string path)
    {
        byte[] start = WholeFile.Start(path, StartBytes);
        return AsniFile.IsOne(start) ? NetworkFormat.Asni : StateDictFile.IsOne(start) ? NetworkFormat.PyTorch : NetworkFormat.Safetensors;
    }

    /// <summary>What the file says about its network.</summary>
    /// <exception cref="AsniException">Not a network file.</exception>
    public static NetworkFileHeader ReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header,
        NetworkFormat.PyTorch => throw new AsniException($"{path} is a PyTorch state dict, which does not say what network it belongs to; start a run from it with --init and --net."),
        _ => NetworkFile.ReadHeader(path),
    };

    /// <summary>As <see cref="ReadHeader"/>, or null for a sound file that names no network.</summary>
    public static NetworkFileHeader? TryReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header,
        NetworkFormat.PyTorch => null,
        _ => NetworkFile.HasHeader(path) ? NetworkFile.ReadHeader(path) : null,
    };

    /// <summary>Values and masks of one of our own files, for a network that it must fit.</summary>
    /// <exception cref="AsniException">Missing, damaged, or of another network.</exception>
    public static StoredWeights Read(string path, Network network) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Read(path, network),
        _ => NetworkFile.Read(path, network),
    };
}
