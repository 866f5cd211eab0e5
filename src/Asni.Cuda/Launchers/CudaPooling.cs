using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda.Launchers;

/// <summary>Max pooling, which keeps a byte for each output, and the mean over all positions.</summary>
internal sealed class CudaPooling : PoolingOperation
{
    private readonly ConvolutionRuntime _runtime;
    private readonly CudaKernel _forward, _backward;
    private readonly CudaBuffer? _winners;
    private readonly int _chunk;  // channels that a thread has

    public CudaPooling(ConvolutionRuntime runtime, in PoolingSpec spec) : base(spec)
    {
        if (spec.Kind == PoolingKind.Max && spec.Size > 15)
            throw new AsniException($"a pooling window of {spec.Size}x{spec.Size} is larger than the 15x15 that a GPU keeps the winner of");
        _runtime = runtime;
        int chunk = ConvolutionTile.ChunkElements(runtime.Precision);
        bool whole = spec.Input.Channels % chunk == 0;
        _chunk = whole ? chunk : 1;
        string name = spec.Kind == PoolingKind.Max ? "max_pool" : "mean_pool", suffix = runtime.StorageName + (whole ? "" : "_any");
        _forward = runtime.Kernels.Get($"{name}_{suffix}");
        _backward = runtime.Kernels.Get($"{name}_backward_{suffix}");
        if (spec.Kind == PoolingKind.Max && spec.Training) _winners = new CudaBuffer(runtime.Stream, (long)spec.Batch * spec.Output.Elements);
    }

    public override void Forward(DeviceTensor x, DeviceTensor y) =>
        Launch(_forward, _runtime.Addresses.Activations(x), false, _runtime.Addresses.Activations(y), y.Elements);

    public override void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx) =>
        Launch(_backward, _runtime.Addresses.Activations(dy), accumulate, _runtime.Addresses.Activations(dx), dx.Elements);

    public override void Dispose()
    {
        _winners?.Dispose();
        base.Dispose();
    }

    private void Launch(CudaKernel kernel, ulong from, bool accumulate, ulong to, long elements)
    {
        long chunks = elements / _chunk;
        var args = new PoolingArgs
        {
            From = from,
            To = to,
            Winners = _winners?.Pointer ?? 0,
            N = chunks,
            Height = Spec.Input.Height,
            Width = Spec.Input.Width,
            Channels = Spec.Input.Channels,
            OutHeight = Spec.Output.Height,
            OutWidth = Spec.Output.Width,
            Size = Spec.Size,
            Stride = Spec.Stride,
            Padding = Spec.Padding,
            Accumulate = accumulate ? 1 : 0,
        };
        kernel.Launch(_runtime.Stream, CudaDevice.Blocks(chunks, _runtime.Multiprocessors), CudaDevice.Threads, 0, in args);
    }

    private struct PoolingArgs
    {
        public ulong From, To, Winners;
        public long N;
        public int Height, Width, Channels, OutHeight, OutWidth;
        public int Size, Stride, Padding, Accumulate;
    }
}
