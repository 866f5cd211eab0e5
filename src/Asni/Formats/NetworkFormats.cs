using Asni.Networks;

namespace Asni.Formats;

/// <summary>The kinds of file a network can be read from.</summary>
internal enum NetworkFormat { Safetensors, Asni, PyTorch }

/// <summary>Network files of any format, told apart by their first bytes rather than by their names.</summary>
public static class NetworkFormats
{
    /// <exception cref="AsniException">The file cannot be read, or is something else than a network.</exception>
    internal static NetworkFormat Detect(string path) => WeightFormats.Detect(path).Kind;

    /// <summary>What the file says about its network.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file of weights that does not say it.</exception>
    /// <exception cref="AsniException">Not a network file.</exception>
    internal static NetworkFileHeader ReadHeader(string path) => WeightFormats.Detect(path).ReadHeader(path);

    /// <summary>As <see cref="ReadHeader"/>, or null for a sound file that names no network.</summary>
    internal static NetworkFileHeader? TryReadHeader(string path) => WeightFormats.Detect(path).TryReadHeader(path);

    /// <summary>The network of one of our own files.</summary>
    /// <exception cref="AsniException">Missing, damaged, without a description, or of other tensors than it describes.</exception>
    public static StoredNetwork Read(string path) => WeightFormats.Detect(path).Read(path);

    /// <summary>Values and masks of one of our own files, for a network that it must fit.</summary>
    /// <exception cref="AsniException">Missing, damaged, or of another network.</exception>
    public static TrainedNetwork Read(string path, Network network) => WeightFormats.Detect(path).Read(path, network);
}
