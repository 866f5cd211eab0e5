using System.Numerics;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Runs;

/// <summary>What ASNI-II's initialization takes to store, beside the dense weights it replaces. Bytes, rounded up.</summary>
/// <param name="MaskBytes">One bit a weight.</param>
/// <param name="SignBytes">One bit a kept weight; of k > 2 levels the bits that tell them apart.</param>
/// <param name="CentroidBytes">Two floats a weight tensor, or the levels of each scope.</param>
/// <param name="DenseBytes">One float a weight.</param>
internal sealed record InitializationSize(long MaskBytes, long SignBytes, long CentroidBytes, long DenseBytes)
{
    public long TotalBytes => MaskBytes + SignBytes + CentroidBytes;

    /// <summary>How many times smaller than the dense weights.</summary>
    public double Ratio => (double)DenseBytes / TotalBytes;

    public static InitializationSize Measure(TrainedNetwork model, LevelOptions levels)
    {
        Network network = model.Network;
        int bits = BitOperations.Log2((uint)Math.Max(levels.Levels, 2) - 1) + 1;
        return new InitializationSize(BitsToBytes(network.WeightCount), BitsToBytes(bits * model.Kept), sizeof(float) * levels.Numbers(network),
            sizeof(float) * network.WeightCount);
    }

    private static long BitsToBytes(long bits) => (bits + 7) / 8;
}
