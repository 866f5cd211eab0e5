using Asni.Engine;
using Asni.Networks;

namespace Asni.Runs;

/// <summary>What ASNI-II's initialization takes to store, beside the dense weights it replaces. Bytes, rounded up.</summary>
/// <param name="MaskBytes">One bit a weight.</param>
/// <param name="SignBytes">One bit a kept weight.</param>
/// <param name="CentroidBytes">Two floats a weight tensor.</param>
/// <param name="DenseBytes">One float a weight.</param>
internal sealed record InitializationSize(long MaskBytes, long SignBytes, long CentroidBytes, long DenseBytes)
{
    public long TotalBytes => MaskBytes + SignBytes + CentroidBytes;

    /// <summary>How many times smaller than the dense weights.</summary>
    public double Ratio => (double)DenseBytes / TotalBytes;

    public static InitializationSize Measure(TrainedNetwork model)
    {
        Network network = model.Network;
        return new InitializationSize(BitsToBytes(network.WeightCount), BitsToBytes(model.Kept), 2L * sizeof(float) * network.Weights.Count(),
            sizeof(float) * network.WeightCount);
    }

    private static long BitsToBytes(long bits) => (bits + 7) / 8;
}
