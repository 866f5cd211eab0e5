namespace Asni.Data;

/// <summary>Random streams of single samples, as states of the project's generator, without making an object a sample.</summary>
internal static class SampleStream
{
    /// <summary>Odd and no small multiple of SplitMix64's own step, so that the streams of different samples do not overlap.</summary>
    private const ulong Stride = 0xD1342543DE82EF95;

    /// <summary>The state at which sample <paramref name="index"/> of a stream begins.</summary>
    public static ulong At(ulong stream, int index) => stream + (ulong)index * Stride;
}
