using System.Collections.Immutable;
using Asni.Cpu.Convolution;
using Asni.Cpu.Sparse;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu;

/// <summary>
/// The CPU as a device: SIMD kernels on a fixed team of threads. Activations are NHWC, filters HWIO. Results depend on the number of
/// threads and the vector width, never on timing. Calls run to their end before they return. Devices of as many threads share those of the process, and a caller whose
/// share nobody is free for does it itself.
/// </summary>
public sealed unsafe class CpuDevice : Device
{
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private CpuBuffer? _imageTable;

    /// <summary>A device that uses every processor.</summary>
    public CpuDevice() : this(Environment.ProcessorCount) { }

    /// <param name="threads">Threads in all, the caller's included.</param>
    /// <exception cref="UsageException">Not a number of threads.</exception>
    public CpuDevice(int threads)
    {
        if (threads is < 1 or > 1024) throw new UsageException($"the number of threads is {threads}, expected 1 to 1024; leave it out to use every processor");
        Threads = threads;
        _workers = new Workers(threads);
        _scratch = new Scratch(threads);
    }

    private const int MaximumImageChannels = 256;

    internal Workers Workers => _workers;
    internal Scratch Scratch => _scratch;

    public int Threads { get; }
    internal override int HostThreads => Threads;
    public override string Name => "cpu";
    public override string Description => $"CPU, {Simd.Description}, {Threads} {(Threads == 1 ? "thread" : "threads")}";

    internal override DeviceBuffer Allocate(long bytes) => new CpuBuffer(bytes);

    internal override long ActivationBytes(int batch, Chw shape) => (long)batch * shape.Elements * sizeof(float);

    internal override void Upload(ReadOnlySpan<float> nchw, DeviceTensor to)
    {
        RequireLength(nchw.Length, to.Elements);
        fixed (float* source = nchw)
            Transposition.ToChannelsLast(_workers, source, to.Batch, to.Shape.Channels, to.Shape.Positions, CpuBuffer.Floats(to));
    }

    internal override void Download(DeviceTensor from, Span<float> nchw)
    {
        RequireLength(nchw.Length, from.Elements);
        fixed (float* target = nchw)
            Transposition.ToChannelsFirst(_workers, CpuBuffer.Floats(from), from.Batch, from.Shape.Channels, from.Shape.Positions, target);
    }

    internal override void UploadImages(ReadOnlySpan<byte> nchw, Normalization normalization, DeviceTensor to)
    {
        RequireLength(nchw.Length, to.Elements);
        int channels = to.Shape.Channels;
        if (channels > MaximumImageChannels || normalization.Mean.Length != channels || normalization.Std.Length != channels)
            throw new AsniException($"images of {channels} channels came with {normalization.Mean.Length} means and {normalization.Std.Length} " +
                $"deviations, expected one a channel and at most {MaximumImageChannels} channels; correct the dataset's normalization");
        _imageTable ??= new CpuBuffer(MaximumImageChannels * 256 * sizeof(float));
        fixed (byte* source = nchw)
            ImageConversion.Run(_workers, source, to.Batch, to.Shape, normalization, (float*)_imageTable.Pointer, CpuBuffer.Floats(to));
    }

    internal override void UploadLabels(ReadOnlySpan<int> labels, DeviceBuffer to)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)labels.Length * sizeof(int), to.Bytes);
        labels.CopyTo(new Span<int>(((CpuBuffer)to).Pointer, labels.Length));
    }

    internal override DeviceDataset CreateDataset(ReadOnlyMemory<byte> pixels, int[] labels, Chw shape, Normalization normalization) =>
        new CpuDataset(pixels, labels, shape, normalization, _workers);

    internal override DeviceParameters CreateParameters(ImmutableArray<Parameter> parameters) => new CpuParameters(parameters, _workers);

    internal override ConvolutionOperation CreateConvolution(in ConvolutionSpec spec) =>
        CpuConvolution.Create(spec, _workers, _scratch);

    internal override BatchNormOperation CreateBatchNorm(in BatchNormSpec spec) => new CpuBatchNorm(spec, _workers);

    internal override PoolingOperation CreatePooling(in PoolingSpec spec) =>
        spec.Kind == PoolingKind.Max ? new CpuMaxPooling(spec, _workers) : new CpuGlobalAveragePooling(spec, _workers);

    internal override LossOperation CreateLoss(int batch, int classes, float labelSmoothing) => new CpuLoss(batch, classes, labelSmoothing, _workers);

    internal override void Add(DeviceTensor a, DeviceTensor b, Activation activation, DeviceTensor y)
    {
        RequireLength(b.Elements, a.Elements);
        RequireLength(y.Elements, a.Elements);
        Elementwise.Add(_workers, CpuBuffer.Floats(a), CpuBuffer.Floats(b), a.Elements, activation, CpuBuffer.Floats(y));
    }

    internal override void Activate(DeviceTensor x, Activation activation, DeviceTensor y)
    {
        RequireLength(y.Elements, x.Elements);
        Elementwise.Activate(_workers, CpuBuffer.Floats(x), x.Elements, activation, CpuBuffer.Floats(y));
    }

    internal override void ActivateBackward(DeviceTensor kept, Activation activation, DeviceTensor dy)
    {
        RequireLength(dy.Elements, kept.Elements);
        Elementwise.ActivateBackward(_workers, CpuBuffer.Floats(kept), kept.Elements, activation, CpuBuffer.Floats(dy));
    }

    internal override void Copy(DeviceTensor from, bool accumulate, DeviceTensor to)
    {
        RequireLength(to.Elements, from.Elements);
        float* source = CpuBuffer.Floats(from), target = CpuBuffer.Floats(to);
        if (accumulate) Elementwise.Add(_workers, target, source, from.Elements, Activation.None, target);
        else Elementwise.Activate(_workers, source, from.Elements, Activation.None, target);
    }

    public override void Synchronize() { }

    internal override Device ForAnotherCaller() => new CpuDevice(Threads);

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _workers.Dispose();
        _scratch.Dispose();
        _imageTable?.Dispose();
    }

    private static void RequireLength(long actual, long expected)
    {
        if (actual != expected) throw new ArgumentException($"{actual} elements were given where {expected} belong");
    }
}
