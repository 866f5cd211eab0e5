namespace Asni.Cuda.Launchers;

/// <summary>A tile shape that the kernels of a precision come in, as listed at the end of native/kernels/convolution_*.cu.</summary>
/// <param name="Precision">Of the operands.</param>
/// <param name="Rows">Of the result that a block computes.</param>
/// <param name="Columns">Of the result that a block computes.</param>
/// <param name="Inner">Inner indices a stage of the pipeline holds.</param>
/// <param name="Stages">Of the pipeline.</param>
/// <param name="Threads">A block.</param>
/// <param name="Any">Takes channel counts that do not fill 16 bytes.</param>
/// <param name="Wgmma">By Hopper's products of warpgroups; only in PTX for sm_90a.</param>
internal sealed record ConvolutionTile(CudaPrecision Precision, int Rows, int Columns, int Inner, int Stages, int Threads, bool Any, bool Wgmma = false)
{
    public static IReadOnlyList<ConvolutionTile> All { get; } =
    [
        new(CudaPrecision.Fp32, 128, 64, 16, 4, 128, false),
        new(CudaPrecision.Fp32, 64, 64, 16, 4, 128, false),
        new(CudaPrecision.Fp32, 32, 32, 16, 4, 64, false),
        new(CudaPrecision.Fp32, 64, 64, 16, 4, 128, true),
        new(CudaPrecision.Fp32, 32, 32, 16, 4, 64, true),
        new(CudaPrecision.Tf32, 256, 128, 16, 4, 256, false),
        new(CudaPrecision.Tf32, 256, 64, 16, 4, 128, false),
        new(CudaPrecision.Tf32, 128, 128, 16, 4, 128, false),
        new(CudaPrecision.Tf32, 128, 128, 32, 3, 128, false),
        new(CudaPrecision.Tf32, 128, 64, 16, 4, 128, false),
        new(CudaPrecision.Tf32, 64, 64, 16, 4, 128, false),
        new(CudaPrecision.Tf32, 64, 64, 16, 4, 128, true),
        new(CudaPrecision.Bf16, 256, 128, 32, 4, 256, false),
        new(CudaPrecision.Bf16, 256, 64, 32, 4, 128, false),
        new(CudaPrecision.Bf16, 128, 128, 32, 4, 128, false),
        new(CudaPrecision.Bf16, 128, 128, 64, 3, 128, false),
        new(CudaPrecision.Bf16, 128, 64, 32, 4, 128, false),
        new(CudaPrecision.Bf16, 64, 64, 32, 4, 128, false),
        new(CudaPrecision.Bf16, 64, 64, 32, 2, 128, true),
        new(CudaPrecision.Bf16, 128, 256, 64, 4, 256, false, true),
        new(CudaPrecision.Bf16, 256, 128, 64, 4, 256, false, true),
        new(CudaPrecision.Bf16, 128, 128, 64, 3, 256, false, true),
        new(CudaPrecision.Bf16, 256, 64, 64, 4, 512, false, true),
        new(CudaPrecision.Bf16, 128, 64, 64, 4, 256, false, true),
        new(CudaPrecision.Bf16, 64, 128, 64, 3, 128, false, true),
        new(CudaPrecision.Bf16, 64, 64, 64, 4, 128, false, true),
    ];

    public string Name => $"{Rows}x{Columns}{(IsDeep ? "_deep" : "")}{(Any ? "_any" : "")}{(Wgmma ? "_wgmma" : "")}";

    /// <summary>Stages of 128 bytes of inner indices instead of 64: half as many barriers, more shared memory.</summary>
    private bool IsDeep => !Wgmma && Inner * ElementBytes == 128;

    private int ElementBytes => Precision == CudaPrecision.Bf16 ? 2 : 4;

    /// <summary>Dynamic shared memory of a block: the pipeline's stages, then the result on its way out (fp32, or bf16 and its statistics, which are less), whichever is larger.</summary>
    public int SharedBytes => Shared(Stages);

    /// <summary>The same where a block has so few inner indices that it never fills all stages: more blocks then fit in a multiprocessor.</summary>
    public int SharedBytesFor(in MatrixProduct product, int splits) =>
        Shared((int)Math.Min(Stages, ConvolutionShape.CeilDivide(ConvolutionShape.CeilDivide(product.Inner, Inner), splits)));

    private int Shared(int stages)
    {
        int padding = Precision == CudaPrecision.Fp32 ? 4 : 8;
        return Math.Max(stages * (Rows + Columns) * Inner * ElementBytes, Rows * (Columns + padding) * sizeof(float));
    }

    /// <summary>
    /// Static shared memory of the pass's kernels, which the GPU counts together with the dynamic: a forward pass to fp32 sums its statistics there. The
    /// dynamic memory behind it begins at a multiple of 1,024 bytes.
    /// </summary>
    public int StaticSharedBytes(ConvolutionPass pass) =>
        pass == ConvolutionPass.Forward && Precision != CudaPrecision.Bf16 ? Math.Max(2 * Threads * sizeof(float), 1024) : 0;

    public string KernelName(ConvolutionPass pass)
    {
        string name = pass switch
        {
            ConvolutionPass.Forward => "forward",
            ConvolutionPass.DataGradient => "data_gradient",
            _ => "weight_gradient",
        };
        return $"convolution_{name}_{PrecisionName(Precision)}_{Name}";
    }

    public static string PrecisionName(CudaPrecision precision) => precision switch
    {
        CudaPrecision.Fp32 => "fp32",
        CudaPrecision.Tf32 => "tf32",
        _ => "bf16",
    };

    /// <summary>Elements in the 16 bytes that the fast kernels read at once.</summary>
    public static int ChunkElements(CudaPrecision precision) => precision == CudaPrecision.Bf16 ? 8 : 4;

    /// <summary>Tiles that one product has.</summary>
    public long Tiles(in MatrixProduct product) => ConvolutionShape.CeilDivide(product.Rows, Rows) * ConvolutionShape.CeilDivide(product.Columns, Columns);

    /// <summary>The tiles that take this pass of the shape on a GPU.</summary>
    /// <param name="precision">Of the operands.</param>
    /// <param name="pass">Of the layer.</param>
    /// <param name="shape">The layer.</param>
    /// <param name="maxSharedBytes">Shared memory that a block may have.</param>
    /// <param name="wgmma">Whether the kernels in use have those of Hopper.</param>
    public static IEnumerable<ConvolutionTile> For(CudaPrecision precision, ConvolutionPass pass, ConvolutionShape shape,
        int maxSharedBytes = int.MaxValue, bool wgmma = true)
    {
        int chunk = ChunkElements(precision);
        bool inputs = shape.GroupChannels % chunk == 0, outputs = shape.GroupOutChannels % chunk == 0;
        bool aligned = inputs && (outputs || pass == ConvolutionPass.Forward);
        // In Hopper's data gradient a tile's inner indices are outputs of one tap.
        bool warpgroups = wgmma && (pass != ConvolutionPass.DataGradient || shape.GroupOutChannels % 64 == 0);
        return All.Where(t => t.Precision == precision && t.Any == !aligned && (warpgroups || !t.Wgmma)
            && t.SharedBytes + t.StaticSharedBytes(pass) <= maxSharedBytes);
    }
}
