using System.Collections.Immutable;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Cuda.Libraries;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cuda;

/// <summary>
/// The CUDA device: one GPU, one stream. Activations are NHWC in the device's precision; parameters are fp32, filters in the order
/// (output, height, width, input), with a bf16 copy for the products in bf16 precision.
/// </summary>
public sealed class CudaDevice : Device, ICudaAddresses, IExchangingDevice
{
    internal const int Threads = 256;

    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly CudaKernels _kernels;
    private readonly ConvolutionRuntime _runtime;
    private CudaBuffer? _staging, _imageTable;
    private readonly GpuExchange _exchange;
    private Normalization? _tabled;

    /// <param name="ordinal">Number of the GPU.</param>
    /// <param name="precision">Of activations and products.</param>
    /// <exception cref="DeviceUnavailableException">No driver, no GPU, or no kernels for it.</exception>
    /// <exception cref="AsniException">No GPU of this number.</exception>
    public CudaDevice(int ordinal = 0, CudaPrecision precision = CudaPrecision.Fp32)
    {
        Precision = precision;
        _context = CudaContext.Open(ordinal);
        _kernels = new CudaKernels(_context);
        _stream = new CudaStream(_context);
        _exchange = new GpuExchange(_stream);
        TuningCache? cache = ConvolutionTuner.MayMeasure(_context) ? TuningCache.Default : null;
        _runtime = new ConvolutionRuntime(_stream, _kernels, precision, this, cache);
    }

    /// <summary>Why no GPU can be used, in one sentence; null when GPU 0 can.</summary>
    public static string? GetUnavailableReason()
    {
        try
        {
            using CudaContext context = CudaContext.Open();
            using var kernels = new CudaKernels(context);
            return null;
        }
        catch (AsniException e)
        {
            return e.Message;
        }
    }

    /// <summary>Whether the CUDA driver is Asni's simulator. Only when <see cref="GetUnavailableReason"/> is null.</summary>
    public static bool IsSimulated
    {
        get
        {
            using CudaContext context = CudaContext.Open();
            return context.IsSimulator;
        }
    }

    /// <summary>The GPU architectures that this build has kernels for: "sm_80", "sm_90a".</summary>
    public static IReadOnlyList<string> KernelArchitectures => Ptx.Architectures();

    /// <summary>NVIDIA's libraries that are here, whose convolutions and products are tried beside the kernels: "cuBLAS", "cuDNN".</summary>
    public IReadOnlyList<string> Libraries =>
        [.. _runtime.CuBlas is null ? (string[])[] : ["cuBLAS"], .. _runtime.CuDnn is null ? (string[])[] : ["cuDNN"]];

    public CudaPrecision Precision { get; }

    internal override bool HasReducedPrecision => Precision != CudaPrecision.Fp32;

    internal CudaStream Stream => _stream;

    internal ConvolutionRuntime Runtime => _runtime;

    public override string Name => $"cuda:{_context.Ordinal}";

    public override string Description
    {
        get
        {
            string memory = FormattableString.Invariant($"{_context.TotalMemory / (double)(1 << 30):0.#} GiB");
            return $"CUDA, {_context.Name}, {memory}, {Precision.ToString().ToLowerInvariant()}";
        }
    }

    public override long? FreeMemory => _context.FreeMemory;

    internal override DeviceBuffer Allocate(long bytes) => new CudaBuffer(_stream, bytes);

    internal override long ActivationBytes(int batch, Chw shape) => (long)batch * shape.Elements * _runtime.ElementBytes;

    internal override void Upload(ReadOnlySpan<float> nchw, DeviceTensor to)
    {
        ReadOnlySpan<float> source = nchw[..checked((int)to.Elements)];
        ulong staging = Staging((long)source.Length * sizeof(float));
        _stream.Upload(staging, source);
        ConvertLayout("to_channels_last", staging, ((ICudaAddresses)this).Activations(to), to);
    }

    internal override void Download(DeviceTensor from, Span<float> nchw)
    {
        Span<float> target = nchw[..checked((int)from.Elements)];
        ulong staging = Staging((long)target.Length * sizeof(float));
        ConvertLayout("to_channels_first", ((ICudaAddresses)this).Activations(from), staging, from);
        _stream.Download(target, staging);
    }

    internal override void UploadImages(ReadOnlySpan<byte> nchw, Normalization normalization, DeviceTensor to)
    {
        ReadOnlySpan<byte> source = nchw[..checked((int)to.Elements)];
        ulong table = ImageTable(normalization, to.Shape.Channels), staging = Staging(source.Length);
        _stream.Upload(staging, source);
        ConvertLayout("images_to_channels_last", staging, ((ICudaAddresses)this).Activations(to), to, table);
    }

    internal override void UploadLabels(ReadOnlySpan<int> labels, DeviceBuffer to) => _stream.Upload(CudaBuffer.At(to), labels);

    /// <summary>On the GPU when it takes up to a quarter of its memory.</summary>
    internal override DeviceDataset? CreateDataset(ReadOnlyMemory<byte> pixels, int[] labels, Chw shape, Normalization normalization) =>
        CudaDataset.BytesOf(pixels.Length, labels.Length) > _context.TotalMemory / 4
        ? null
        : new CudaDataset(pixels, labels, shape, normalization, _stream, _kernels.Get($"sample_images_{_runtime.StorageName}"), _runtime.Multiprocessors);

    internal override DeviceParameters CreateParameters(ImmutableArray<Parameter> parameters) => new CudaParameters(parameters, _stream, _kernels, Precision);

    string? IExchangingDevice.Join(Communicator ranks)
    {
        _exchange.Join(ranks);
        return _exchange.Nccl is null ? null : "NCCL " + Nccl.VersionText;
    }

    DeviceSum IExchangingDevice.CreateSum(DeviceParameters parameters, SumOrder order, long most)
    {
        Nccl nccl = _exchange.Nccl ?? throw new InvalidOperationException("the ranks' GPUs have not joined");
        (ulong row, ulong received) = _exchange.Reserve(CudaParameters.CudaSum.PartOf(most, nccl.Size) * (long)nccl.Size * sizeof(float));
        return new CudaParameters.CudaSum((CudaParameters)parameters, _stream, nccl, order, row, received);
    }

    internal override ConvolutionOperation CreateConvolution(in ConvolutionSpec spec) => _runtime.Create(spec);

    internal override BatchNormOperation CreateBatchNorm(in BatchNormSpec spec) => new CudaBatchNorm(_runtime, spec);

    internal override PoolingOperation CreatePooling(in PoolingSpec spec) => new CudaPooling(_runtime, spec);

    internal override LossOperation CreateLoss(int batch, int classes, float labelSmoothing) => new CudaLoss(_runtime, batch, classes, labelSmoothing);

    internal override void Add(DeviceTensor a, DeviceTensor b, Activation activation, DeviceTensor y) =>
        Elementwise("add", At(a), At(b), CudaActivation.Fused(activation), At(y), y.Elements);

    internal override void Activate(DeviceTensor x, Activation activation, DeviceTensor y) =>
        Elementwise(ActivationFunction.IsFused(activation) ? "add" : "smooth", At(x), 0, (int)activation, At(y), y.Elements);

    internal override void ActivateBackward(DeviceTensor kept, Activation activation, DeviceTensor dy) =>
        Elementwise(ActivationFunction.IsFused(activation) ? "activate_backward" : "smooth_backward", At(kept), At(dy), (int)activation, At(dy), dy.Elements);

    internal override void Copy(DeviceTensor from, bool accumulate, DeviceTensor to) =>
        Elementwise("add", At(from), accumulate ? At(to) : 0, (int)Activation.None, At(to), to.Elements);

    /// <summary>A CUDA graph of the launches: one call to the driver then issues them all.</summary>
    internal override DeviceRecording? Record(Action work)
    {
        _stream.BeginCapture();
        try
        {
            work();
        }
        catch
        {
            _stream.DropCapture();
            throw;
        }
        CudaGraph graph = _stream.EndCapture();
        Recordings++;
        return new Recording(_stream, graph);
    }

    /// <summary>How many there were.</summary>
    internal int Recordings { get; private set; }

    public override void Synchronize() => _stream.Synchronize();

    ulong ICudaAddresses.Activations(DeviceTensor tensor) => At(tensor);
    ulong ICudaAddresses.Parameter(ParameterTensor parameter) => CudaBuffer.At(parameter.Buffer, parameter.ByteOffset);
    ulong ICudaAddresses.Weights(ParameterTensor parameter) => CudaParameters.Weights(parameter);
    ulong ICudaAddresses.Mask(DeviceParameters parameters, int parameter) => ((CudaParameters)parameters).MaskAddress(parameter);

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _exchange.Dispose();
        _staging?.Dispose();
        _imageTable?.Dispose();
        _runtime.Dispose();
        _stream.Dispose();
        _kernels.Dispose();
        _context.Dispose();
    }

    private static ulong At(DeviceTensor tensor) => CudaBuffer.At(tensor.Buffer, tensor.ByteOffset);

    /// <summary>A grid that covers n elements, a few each when there are many.</summary>
    internal static int Blocks(long n, int multiprocessors) => (int)Math.Clamp((n + Threads - 1) / Threads, 1, multiprocessors * 32L);

    private void Elementwise(string kernel, ulong a, ulong b, int activation, ulong y, long n)
    {
        if (n == 0) return;
        var args = new ElementwiseArgs { A = a, B = b, Y = y, N = n, Activation = activation };
        _kernels.Get($"{kernel}_{_runtime.StorageName}").Launch(_stream, Blocks(n, _runtime.Multiprocessors), Threads, 0, in args);
    }

    private void ConvertLayout(string kernel, ulong from, ulong to, DeviceTensor tensor, ulong table = 0)
    {
        if (tensor.Elements == 0) return;
        var args = new LayoutConversionArgs { From = from, To = to, Table = table, N = tensor.Elements, Channels = tensor.Shape.Channels, Positions = tensor.Shape.Positions };
        _kernels.Get($"{kernel}_{_runtime.StorageName}").Launch(_stream, Blocks(args.N, _runtime.Multiprocessors), Threads, 0, in args);
    }

    private ulong Staging(long bytes)
    {
        if (_staging is null || _staging.Bytes < bytes)
        {
            _stream.Synchronize();
            _staging?.Dispose();
            _staging = new CudaBuffer(_stream, bytes);
        }
        return _staging.Pointer;
    }

    /// <summary>The 256 results a channel of (p / 255 - mean) / std.</summary>
    private ulong ImageTable(Normalization normalization, int channels)
    {
        if (_imageTable is not null && normalization.Equals(_tabled)) return _imageTable.Pointer;
        var table = new float[channels * 256];
        normalization.FillTable(table);
        _stream.Synchronize();
        _imageTable?.Dispose();
        _imageTable = new CudaBuffer(_stream, table.Length * sizeof(float));
        _stream.Upload<float>(_imageTable.Pointer, table);
        _tabled = normalization;
        return _imageTable.Pointer;
    }

    private sealed class Recording(CudaStream stream, CudaGraph graph) : DeviceRecording
    {
        public override void Replay() => graph.Launch(stream);
        public override void Dispose() => graph.Dispose();
    }

    private struct ElementwiseArgs
    {
        public ulong A, B, Y;
        public long N;
        public int Activation;
    }

    private struct LayoutConversionArgs
    {
        public ulong From, To, Table;
        public long N;
        public int Channels, Positions;
    }
}
