using Asni.Formats.Amenable;
using Asni.Formats.PyTorch;
using Asni.Networks;

namespace Asni.Formats;

/// <summary>A kind of file that holds weights: how it is told from others, and read.</summary>
internal interface IWeightFormat
{
    NetworkFormat Kind { get; }

    /// <param name="start">The first <see cref="ForeignFile.StartBytes"/> bytes, fewer of a shorter file.</param>
    bool MayBe(ReadOnlySpan<byte> start);

    /// <summary>What the file says about its network; null for a sound file that names none.</summary>
    /// <exception cref="AsniException">Missing or damaged.</exception>
    NetworkFileHeader? TryReadHeader(string path);

    /// <summary>What the file says about its network.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file that names none.</exception>
    /// <exception cref="AsniException">Missing or damaged.</exception>
    NetworkFileHeader ReadHeader(string path);

    /// <summary>Values and masks for a network that the file must fit.</summary>
    /// <exception cref="AsniException">Missing, damaged, or of another network.</exception>
    TrainedNetwork Read(string path, Network network);

    /// <summary>The network that the file describes, in one pass over the file.</summary>
    /// <exception cref="UnnamedNetworkException">It is a sound file that names none.</exception>
    /// <exception cref="AsniException">Missing or damaged.</exception>
    StoredNetwork Read(string path);

    /// <summary>The tensors by name.</summary>
    /// <exception cref="AsniException">Missing or damaged.</exception>
    NamedTensors Open(string path);
}

/// <summary>All of them; the first that a file may be reads it.</summary>
internal static class WeightFormats
{
    public static IReadOnlyList<IWeightFormat> All { get; } = [new Asni(), new PyTorch(), new Safetensors()];

    /// <exception cref="AsniException">The file cannot be read, or is something else than a network.</exception>
    public static IWeightFormat Detect(string path)
    {
        byte[] start = WholeFile.Start(path, ForeignFile.StartBytes);
        return All.FirstOrDefault(f => f.MayBe(start))
            ?? throw new AsniException($"{path} is {ForeignFile.Describe(start)}; a network was expected as .safetensors, .pt or .asni.");
    }

    private sealed class Asni : IWeightFormat
    {
        public NetworkFormat Kind => NetworkFormat.Asni;
        public bool MayBe(ReadOnlySpan<byte> start) => AsniFile.HasSignature(start);
        public NetworkFileHeader? TryReadHeader(string path) => AsniFile.Describe(path).Header;

        public NetworkFileHeader ReadHeader(string path) =>
            TryReadHeader(path) ?? throw AsniFile.Unnamed(path);

        public TrainedNetwork Read(string path, Network network) => AsniFile.Read(path, network);
        public StoredNetwork Read(string path) => AsniFile.Read(path);
        public NamedTensors Open(string path) => new AsniTensors(path);
    }

    private sealed class PyTorch : IWeightFormat
    {
        public NetworkFormat Kind => NetworkFormat.PyTorch;
        public bool MayBe(ReadOnlySpan<byte> start) => StateDictFile.HasSignature(start) || LegacyStateDictFile.HasSignature(start);
        public NetworkFileHeader? TryReadHeader(string path) => null;

        public NetworkFileHeader ReadHeader(string path) => throw Unnamed(path);
        public StoredNetwork Read(string path) => throw Unnamed(path);
        public TrainedNetwork Read(string path, Network network) => throw new AsniException($"{path} is a PyTorch state dict; a network that asni wrote was expected.");
        public NamedTensors Open(string path) => PickledTensors.OpenFile(path);

        private static UnnamedNetworkException Unnamed(string path) => new(path, $"{path} is a PyTorch state dict, which does not say what network it holds.");
    }

    /// <summary>It has no mark of its own: whatever is of no other known kind is held to be one, and its reader says what is wrong.</summary>
    private sealed class Safetensors : IWeightFormat
    {
        public NetworkFormat Kind => NetworkFormat.Safetensors;
        public bool MayBe(ReadOnlySpan<byte> start) => SafetensorsReader.MayBeOne(start) || ForeignFile.Describe(start) is null;
        public NetworkFileHeader? TryReadHeader(string path) => NetworkFile.TryReadHeader(path);
        public NetworkFileHeader ReadHeader(string path) => NetworkFile.ReadHeader(path);
        public TrainedNetwork Read(string path, Network network) => NetworkFile.Read(path, network);
        public StoredNetwork Read(string path) => NetworkFile.Read(path);
        public NamedTensors Open(string path) => new SafetensorsTensors(path);
    }
}
