using Asni.Formats.Amenable;
using Asni.Networks;

namespace Asni.Formats;

/// <summary>The kinds of file a network can be read from.</summary>
public enum NetworkFormat { Safetensors, Asni }

/// <summary>Network files of any format, told apart by their first bytes rather than by their names.</summary>
public static class NetworkFormats
{
    private const int StartBytes = 8;

    /// <exception cref="AsniException">The file cannot be read.</exception>
    public static NetworkFormat Of(string path) => AsniFile.IsOne(WholeFile.Start(path, StartBytes)) ? NetworkFormat.Asni : NetworkFormat.Safetensors;

    /// <summary>What the file says about its network.</summary>
    /// <exception cref="AsniException">Not a network file.</exception>
    public static NetworkFileHeader ReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header,
        _ => NetworkFile.ReadHeader(path),
    };

    /// <summary>As <see cref="ReadHeader"/>, or null for a sound file that names no network.</summary>
    public static NetworkFileHeader? TryReadHeader(string path) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Describe(path).Header,
        _ => NetworkFile.HasHeader(path) ? NetworkFile.ReadHeader(path) : null,
    };

    /// <summary>Values and masks for a network that the file must fit.</summary>
    /// <exception cref="AsniException">Missing, damaged, or of another network.</exception>
    public static StoredWeights Read(string path, Network network) => Of(path) switch
    {
        NetworkFormat.Asni => AsniFile.Read(path, network),
        _ => NetworkFile.Read(path, network),
    };
}
