using System.Collections.Immutable;
using Asni.Data;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Devices;

/// <summary>
/// The contract a device implements: memory, prepared operations, and the multi-tensor work on parameters. Operations are prepared once
/// for a maximal batch (so that a device may plan tiles, allocate scratch and choose kernels) and then run without allocating.
/// Everything is ordered as issued; only Download, Read and Synchronize wait. Not thread-safe: one caller at a time. A plan, trainer or model refuses a second one;
/// calls of the device itself and of its operations are not all checked.
/// Argument order everywhere: inputs, sizes, outputs.
/// </summary>
public abstract class Device : IDisposable
{
    private protected Device() { }

    /// <summary>Short name: "cpu", "cuda:0".</summary>
    public abstract string Name { get; }

    /// <summary>One line for people: "CPU, AVX-512, 2 threads".</summary>
    public abstract string Description { get; }

    /// <summary>Zeroed memory, aligned to at least 64 bytes.</summary>
    /// <exception cref="DeviceMemoryException">The device has not so much left.</exception>
    internal abstract DeviceBuffer Allocate(long bytes);

    /// <summary>True when products are of numbers with fewer bits than fp32: differences of nearly equal weights are lost.</summary>
    internal virtual bool HasReducedPrecision => false;

    /// <summary>Threads of the host that are busy while the device computes.</summary>
    internal virtual int HostThreads => 1;

    /// <summary>Bytes that can still be allocated; null when the device cannot tell.</summary>
    public virtual long? FreeMemory => null;

    /// <summary>Bytes that an activation of this shape takes in the device's own layout.</summary>
    internal abstract long ActivationBytes(int batch, Chw shape);

    /// <summary>Copies host activations in NCHW order to the device's layout.</summary>
    internal abstract void Upload(ReadOnlySpan<float> nchw, DeviceTensor to);

    /// <summary>Copies activations to the host in NCHW order.</summary>
    internal abstract void Download(DeviceTensor from, Span<float> nchw);

    /// <summary>Converts 8-bit images (N, C, H, W), 0..255, to (p / 255 - mean[c]) / std[c].</summary>
    internal abstract void UploadImages(ReadOnlySpan<byte> nchw, Normalization normalization, DeviceTensor to);

    /// <summary>Copies class indices, one a sample, to an int32 buffer.</summary>
    internal abstract void UploadLabels(ReadOnlySpan<int> labels, DeviceBuffer to);

    /// <summary>Brings a dataset within reach for batch after batch; null when it is too large, so that batches are to be uploaded.</summary>
    /// <param name="pixels">8-bit images (N, C, H, W), which stay as they are.</param>
    /// <param name="labels">One an image.</param>
    /// <param name="shape">Of one image.</param>
    internal virtual DeviceDataset? CreateDataset(ReadOnlyMemory<byte> pixels, int[] labels, Chw shape, Normalization normalization) => null;

    /// <summary>Values, gradients, optimizer state and masks of a network's parameters.</summary>
    internal abstract DeviceParameters CreateParameters(ImmutableArray<Parameter> parameters);

    /// <summary>Convolution or linear layer with optional bias and activation fused.</summary>
    internal abstract ConvolutionOperation CreateConvolution(in ConvolutionSpec spec);

    /// <summary>Batch-norm with optional residual add and activation fused.</summary>
    internal abstract BatchNormOperation CreateBatchNorm(in BatchNormSpec spec);

    internal abstract PoolingOperation CreatePooling(in PoolingSpec spec);

    /// <summary>Mean softmax cross-entropy over a batch, with label smoothing, and top-1/top-5 counts.</summary>
    internal abstract LossOperation CreateLoss(int batch, int classes, float labelSmoothing);

    /// <summary>y = activation(a + b), the activation piecewise linear. y may be a or b.</summary>
    internal abstract void Add(DeviceTensor a, DeviceTensor b, Activation activation, DeviceTensor y);

    /// <summary>y = activation(x). y may be x.</summary>
    internal abstract void Activate(DeviceTensor x, Activation activation, DeviceTensor y);

    /// <summary>dy *= activation', in place.</summary>
    /// <param name="kept">The activation's output when it is piecewise linear, else its input.</param>
    internal abstract void ActivateBackward(DeviceTensor kept, Activation activation, DeviceTensor dy);

    /// <summary>to = from, or to += from when <paramref name="accumulate"/>.</summary>
    internal abstract void Copy(DeviceTensor from, bool accumulate, DeviceTensor to);

    /// <summary>
    /// Records what <paramref name="work"/> issues, without doing it, to be replayed with the same tensors; null when the device issues work
    /// at no cost worth saving. The work must have run once before, and may not upload, download or read.
    /// </summary>
    internal virtual DeviceRecording? Record(Action work) => null;

    /// <summary>Waits for everything issued.</summary>
    public abstract void Synchronize();

    /// <summary>
    /// The same device for one more caller at the same time: it works on this one's buffers and parameters, gives the same bits, and has only what a caller needs for
    /// itself. To be disposed of before this one. Null: this device takes one caller at a time.
    /// </summary>
    internal virtual Device? ForAnotherCaller() => null;

    /// <summary>Who uses the device and what is on it.</summary>
    internal SingleCaller Caller { get; } = new();

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = Caller.Enter();
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) { }
}

/// <summary>Recorded work of a device.</summary>
internal abstract class DeviceRecording : IDisposable
{
    /// <summary>Issues the work again, on what the tensors hold now.</summary>
    public abstract void Replay();
    public abstract void Dispose();
}

/// <summary>Device memory. Opaque outside the device that made it.</summary>
internal abstract class DeviceBuffer : IDisposable
{
    public abstract long Bytes { get; }
    public abstract void Dispose();
}

/// <summary>
/// Activations of <paramref name="Batch"/> samples inside a buffer, fp32, in the device's layout. The batch may be smaller than the one
/// an operation was prepared for (the last batch of an epoch).
/// </summary>
internal readonly record struct DeviceTensor(DeviceBuffer Buffer, long ByteOffset, int Batch, Chw Shape)
{
    public long Elements => (long)Batch * Shape.Elements;
    public DeviceTensor WithBatch(int batch) => this with { Batch = batch };
}

/// <summary>One parameter's values or gradients inside a buffer, in the device's layout.</summary>
internal readonly record struct ParameterTensor(DeviceBuffer Buffer, long ByteOffset, Parameter Parameter);
