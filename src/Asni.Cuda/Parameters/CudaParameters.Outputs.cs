using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>A number of each output: a double or a float.</summary>
    private CudaBuffer? _outputNumbers;

    protected override void SumOutputSquaresCore(ReadOnlySpan<int> parameters, Span<double> sums)
    {
        ChunkList outputs = List(parameters, byOutput: true);
        var args = new OutputArgs { Arena = _arena, Outputs = outputs.Pointer, Sums = Grown(ref _outputNumbers, outputs.Count * (long)sizeof(double)), Count = outputs.Count };
        Launch("output_squares", Blocks(outputs), in args);
        Fetch<double>(args.Sums, outputs.Count).CopyTo(sums);
    }

    protected override void CombineOutputsCore(ReadOnlySpan<int> parameters, ReadOnlySpan<float> factors, ParameterSlot y, float b)
    {
        ChunkList outputs = List(parameters, byOutput: true);
        ulong uploaded = Grown(ref _outputNumbers, outputs.Count * (long)sizeof(double));
        _stream.Upload(uploaded, factors);
        var args = new OutputArgs { Arena = _arena, Outputs = outputs.Pointer, Factors = uploaded, Y = Slot(y).Pointer, B = b, Count = outputs.Count };
        Launch("combine_outputs", Blocks(outputs), in args);
    }

    /// <summary>A warp has an output.</summary>
    private static int Blocks(ChunkList outputs) => (outputs.Count + ChunkArgs.Warps - 1) / ChunkArgs.Warps;

    private struct OutputArgs
    {
        public ArenaArgs Arena;
        public ulong Outputs, Sums, Factors, Y;
        public float B;
        public int Count;
    }
}
