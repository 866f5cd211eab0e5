namespace Asni.Cuda;

/// <summary>What the GPU stores activations in and multiplies with; sums are always fp32, and so are the master values of parameters.</summary>
public enum CudaPrecision
{
    /// <summary>fp32 throughout, on the ordinary cores.</summary>
    Fp32,

    /// <summary>fp32 in memory; matrix products on tensor cores with factors of 10 mantissa bits.</summary>
    Tf32,

    /// <summary>bf16 activations and a bf16 copy of the weights; matrix products on tensor cores.</summary>
    Bf16,
}
