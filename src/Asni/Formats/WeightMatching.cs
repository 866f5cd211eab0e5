namespace Asni.Formats;

/// <summary>What zeros in a file without masks are.</summary>
public enum ZeroWeights
{
    /// <summary>Weights as any other: they train.</summary>
    Live,
    /// <summary>Pruned weights: they stay 0.</summary>
    Pruned,
}

/// <summary>How the tensors of a file are taken for a network.</summary>
public sealed record WeightMatching
{
    /// <summary>
    /// Tensors whose names fit nothing are taken in the file's order, where they are as many as the network's tensors that are missing and of the same
    /// shapes one by one. What was taken is in <see cref="WeightsByName.InOrder"/>.
    /// </summary>
    public bool InOrder { get; init; }

    /// <summary>Of convolution and linear weights in a file that has no mask at all.</summary>
    public ZeroWeights Zeros { get; init; }

    /// <summary>A tensor that is missing, of another shape or left over is an error.</summary>
    public bool Strict { get; init; }
}
