using Asni.Cuda.Driver;
using Asni.Cuda.Libraries;
using Asni.Devices;

namespace Asni.Cuda.Launchers;

/// <summary>Where the device keeps what the contract's tensors name.</summary>
internal interface ICudaAddresses
{
    /// <summary>Activations: NHWC in the device's precision, 16-byte aligned.</summary>
    ulong Activations(DeviceTensor tensor);

    /// <summary>A parameter's fp32 values or gradients; convolution weights (out, height, width, in), 16-byte aligned.</summary>
    ulong Parameter(ParameterTensor parameter);

    /// <summary>Weights as the kernels multiply with them: the fp32 values, or in bf16 precision their bf16 copy, pruned weights being 0.</summary>
    ulong Weights(ParameterTensor parameter);

    /// <summary>A parameter's mask: a bit an element in the order of the weights, from the first of a 32-bit word on; 0: all live.</summary>
    ulong Mask(DeviceParameters parameters, int parameter);
}

/// <summary>What all convolutions of a device share: the stream, the kernels, scratch memory and the choice of tiles.</summary>
internal sealed class ConvolutionRuntime : IDisposable
{
    private readonly List<CudaMemory> _scratch = [];
    private readonly Lazy<CuBlas?> _cuBlas;
    private readonly Lazy<CuDnn?> _cuDnn;

    /// <param name="stream">Where everything is launched.</param>
    /// <param name="kernels">Of the stream's GPU.</param>
    /// <param name="precision">Of activations and products.</param>
    /// <param name="addresses">The device's memory.</param>
    /// <param name="cache">Where measured choices are kept; null: nothing is measured (<see cref="ConvolutionTuner.MayMeasure"/>).</param>
    public ConvolutionRuntime(CudaStream stream, CudaKernels kernels, CudaPrecision precision, ICudaAddresses addresses, TuningCache? cache)
    {
        Stream = stream;
        Kernels = kernels;
        Precision = precision;
        Addresses = addresses;
        Multiprocessors = stream.Context.MultiprocessorCount;
        MaxSharedBytes = stream.Context.MaxSharedBytes;
        HasWgmma = kernels.Architecture is null or "sm_90a" && Environment.GetEnvironmentVariable("ASNI_CUDA_WGMMA") != "0";
        Tuner = new ConvolutionTuner(this, cache);
        _cuBlas = new(() => CuBlas.Open(stream, precision));
        _cuDnn = new(() => CuDnn.Open(stream));
    }

    public CudaStream Stream { get; }
    public CudaKernels Kernels { get; }
    public CudaPrecision Precision { get; }
    public ICudaAddresses Addresses { get; }
    public int Multiprocessors { get; }
    public int MaxSharedBytes { get; }
    public ConvolutionTuner Tuner { get; }

    /// <summary>Whether the kernels are those with Hopper's products of warpgroups; ASNI_CUDA_WGMMA=0 does without them, to compare.</summary>
    public bool HasWgmma { get; }

    /// <summary>Null where the library is not.</summary>
    public CuBlas? CuBlas => _cuBlas.Value;

    /// <summary>Null where the library is not.</summary>
    public CuDnn? CuDnn => _cuDnn.Value;

    /// <summary>Whether convolutions leave the statistics of a batch-norm behind them; ASNI_CUDA_STATISTICS=0 has batch-norm take its own, to compare.</summary>
    public bool FusesStatistics { get; } = Environment.GetEnvironmentVariable("ASNI_CUDA_STATISTICS") != "0";

    /// <summary>"fp32" or "bf16": what the kernels that do no matrix product are named after.</summary>
    public string StorageName => Precision == CudaPrecision.Bf16 ? "bf16" : "fp32";

    /// <summary>Bytes of an activation element.</summary>
    public int ElementBytes => Precision == CudaPrecision.Bf16 ? 2 : 4;

    /// <summary>
    /// The address of scratch memory that every user of the stream may overwrite. What was handed out stays valid: a recorded graph may hold it.
    /// </summary>
    public ulong Scratch(long bytes)
    {
        if (bytes == 0) return 0;
        if (_scratch.Count == 0 || _scratch[^1].Bytes < bytes) _scratch.Add(new CudaMemory(Stream.Context, bytes));
        return _scratch[^1].Pointer;
    }

    /// <exception cref="AsniException">The shapes do not fit each other.</exception>
    public ConvolutionOperation Create(in ConvolutionSpec spec)
    {
        ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
        return shape.IsDepthwise ? new CudaDepthwiseConvolution(this, spec, shape) : new CudaConvolution(this, spec, shape);
    }

    public void Dispose()
    {
        if (_cuBlas.IsValueCreated) _cuBlas.Value?.Dispose();
        if (_cuDnn.IsValueCreated) _cuDnn.Value?.Dispose();
        foreach (CudaMemory memory in _scratch) memory.Dispose();
        _scratch.Clear();
    }
}
