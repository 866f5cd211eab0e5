using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda.Launchers;

/// <summary>Softmax cross-entropy, a warp a sample; the sums stay on the GPU until they are read.</summary>
internal sealed class CudaLoss : LossOperation
{
    public const int Threads = 128, SumThreads = 256;
    private const int SumBytes = 32, SamplesPerBlock = Threads / 32;

    private readonly ConvolutionRuntime _runtime;
    private readonly CudaKernel _kernel, _sum;
    private readonly CudaBuffer _losses, _hits, _sums;

    public CudaLoss(ConvolutionRuntime runtime, int batch, int classes, float labelSmoothing) : base(batch, classes, labelSmoothing)
    {
        _runtime = runtime;
        _kernel = runtime.Kernels.Get("loss_" + runtime.StorageName);
        _sum = runtime.Kernels.Get("loss_sum");
        _losses = new CudaBuffer(runtime.Stream, (long)batch * sizeof(float));
        _hits = new CudaBuffer(runtime.Stream, (long)batch * sizeof(int));
        _sums = new CudaBuffer(runtime.Stream, SumBytes);
    }

    public override void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of, in SoftTargets? soft)
    {
        var args = new LossArgs
        {
            Logits = _runtime.Addresses.Activations(logits),
            Labels = CudaBuffer.At(labels),
            Gradient = dlogits is { } d ? _runtime.Addresses.Activations(d) : 0,
            Losses = _losses.Pointer,
            Hits = _hits.Pointer,
            Samples = logits.Batch,
            Classes = Classes,
            Of = of,
            Smoothing = LabelSmoothing,
            Teacher = soft is { } s ? _runtime.Addresses.Activations(s.Logits) : 0,
            Temperature = soft?.Temperature ?? 1,
            Weight = soft?.Weight ?? 0,
        };
        _kernel.Launch(_runtime.Stream, Blocks(logits.Batch), Threads, 0, in args);
        var sum = new SumArgs { Losses = _losses.Pointer, Hits = _hits.Pointer, Sums = _sums.Pointer, Samples = logits.Batch };
        _sum.Launch(_runtime.Stream, 1, SumThreads, 0, in sum);
    }

    internal static int Blocks(int samples) => ConvolutionShape.CeilDivide(samples, SamplesPerBlock);

    public override LossSums Read()
    {
        // The GPU's struct has the record's own layout.
        Span<LossSums> sums = stackalloc LossSums[1];
        _runtime.Stream.Download(sums, _sums.Pointer);
        return sums[0];
    }

    public override void Set(in LossSums sums)
    {
        if (sums == default) _runtime.Stream.Fill32(_sums.Pointer, 0, SumBytes / sizeof(uint));
        else _runtime.Stream.Upload(_sums.Pointer, [sums]);
    }

    public override void Dispose()
    {
        _losses.Dispose();
        _hits.Dispose();
        _sums.Dispose();
        base.Dispose();
    }

    private struct LossArgs
    {
        public ulong Logits, Labels, Gradient, Losses, Hits;
        public int Samples, Classes, Of;
        public float Smoothing;
        public ulong Teacher;
        public float Temperature, Weight;
    }

    private struct SumArgs
    {
        public ulong Losses, Hits, Sums;
        public int Samples;
    }
}
