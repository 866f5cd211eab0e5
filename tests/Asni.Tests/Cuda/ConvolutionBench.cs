using System.Runtime.InteropServices;
using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Cuda;

/// <summary>The convolution launchers without the rest of the device: arrays in the layout and precision of the kernels.</summary>
internal sealed class ConvolutionBench : ICudaAddresses, IDisposable
{
    private readonly CudaContext _context = CudaTest.Open();
    private readonly CudaStream _stream;
    private readonly CudaKernels _kernels;
    private readonly List<CudaMemory> _memory = [];

    public ConvolutionBench(CudaPrecision precision)
    {
        Precision = precision;
        _stream = new CudaStream(_context);
        _kernels = new CudaKernels(_context);
        Runtime = new ConvolutionRuntime(_stream, _kernels, precision, this, null);
    }

    public CudaPrecision Precision { get; }
    public ConvolutionRuntime Runtime { get; }

    public ulong Activations(DeviceTensor tensor) => ((Array)tensor.Buffer).Memory.Pointer;
    public ulong Parameter(ParameterTensor parameter) => ((Array)parameter.Buffer).Memory.Pointer;
    public ulong Weights(ParameterTensor parameter) => ((Array)parameter.Buffer).Memory.Pointer;
    public ulong Mask(DeviceParameters parameters, int parameter) => ((CudaParameters)parameters).MaskAddress(parameter);

    /// <summary>Numbers that the precision's storage holds exactly.</summary>
    public float[] Numbers(ulong seed, long count) => [.. Values.Random(seed, count).Select(Stored)];

    public DeviceTensor Tensor(int batch, Chw shape, float[] nhwc) => new(Activation(nhwc), 0, batch, shape);

    public ParameterTensor Weights(float[] values, FilterShape filter) =>
        new(Activation(values), 0,
            new Parameter(0, "w", ParameterKind.Weight, new Shape(filter.Out, filter.In, filter.Height, filter.Width), filter));

    /// <summary>The device's own parameters, which have masks: weights of these shapes.</summary>
    public CudaParameters Parameters(params ReadOnlySpan<FilterShape> filters)
    {
        var parameters = new List<Parameter>();
        foreach (FilterShape filter in filters)
            parameters.Add(new Parameter(parameters.Count, $"w{parameters.Count}", ParameterKind.Weight, new Shape(filter.Out, filter.In, filter.Height, filter.Width), filter));
        return new CudaParameters([.. parameters], _stream, _kernels, Precision);
    }

    /// <summary>Values or gradients in fp32.</summary>
    public ParameterTensor Vector(float[] values) =>
        new(Upload<float>(values), 0, new Parameter(0, "v", ParameterKind.Bias, new Shape(values.Length), new FilterShape(values.Length, 1, 1, 1)));

    public float[] Read(DeviceTensor tensor)
    {
        if (Precision != CudaPrecision.Bf16) return Download<float>(tensor.Buffer);
        return [.. Download<ushort>(tensor.Buffer).Select(x => BitConverter.UInt32BitsToSingle((uint)x << 16))];
    }

    public float[] Read(ParameterTensor vector) => Download<float>(vector.Buffer);

    public void Dispose()
    {
        Runtime.Dispose();
        foreach (CudaMemory memory in _memory) memory.Dispose();
        _kernels.Dispose();
        _stream.Dispose();
        _context.Dispose();
    }

    /// <summary>x as the precision stores it.</summary>
    public float Stored(float x) => Precision == CudaPrecision.Bf16 ? BitConverter.UInt32BitsToSingle((uint)Bf16(x) << 16) : x;

    private Array Activation(float[] values) => Precision == CudaPrecision.Bf16 ? Upload<ushort>([.. values.Select(Bf16)]) : Upload<float>(values);

    private static ushort Bf16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? (ushort)0x7fff : (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }

    private Array Upload<T>(T[] values) where T : unmanaged
    {
        var memory = new CudaMemory(_context, values.Length * Marshal.SizeOf<T>());
        _memory.Add(memory);
        _stream.Upload<T>(memory.Pointer, values);
        return new Array(memory);
    }

    private T[] Download<T>(DeviceBuffer buffer) where T : unmanaged
    {
        var values = new T[buffer.Bytes / Marshal.SizeOf<T>()];
        _stream.Download<T>(values, ((Array)buffer).Memory.Pointer);
        return values;
    }

    private sealed class Array(CudaMemory memory) : DeviceBuffer
    {
        public CudaMemory Memory { get; } = memory;
        public override long Bytes => Memory.Bytes;
        public override void Dispose() { }
    }
}

/// <summary>The three products of a convolution in double, NHWC and OHWI, by the definition.</summary>
internal sealed class NaiveConvolution
{
    public NaiveConvolution(in ConvolutionSpec spec, int batch, float[] x, float[] w, float[] dy)
    {
        Chw input = spec.Input, output = spec.Output;
        FilterShape filter = spec.Filter;
        Y = new double[batch * output.Elements];
        Dx = new double[x.Length];
        Dw = new double[w.Length];
        int groupOut = filter.Out / spec.Groups;
        for (int n = 0; n < batch; n++)
            for (int p = 0; p < output.Height; p++)
                for (int q = 0; q < output.Width; q++)
                    for (int r = 0; r < filter.Height; r++)
                        for (int s = 0; s < filter.Width; s++)
                        {
                            int h = p * spec.Stride - spec.Padding + r, v = q * spec.Stride - spec.Padding + s;
                            if (h < 0 || v < 0 || h >= input.Height || v >= input.Width) continue;
                            for (int k = 0; k < filter.Out; k++)
                                for (int c = 0; c < filter.In; c++)
                                {
                                    int yi = ((n * output.Height + p) * output.Width + q) * filter.Out + k;
                                    int xi = ((n * input.Height + h) * input.Width + v) * input.Channels + k / groupOut * filter.In + c;
                                    int wi = ((k * filter.Height + r) * filter.Width + s) * filter.In + c;
                                    Y[yi] += (double)x[xi] * w[wi];
                                    Dx[xi] += (double)dy[yi] * w[wi];
                                    Dw[wi] += (double)dy[yi] * x[xi];
                                }
                        }
    }

    public double[] Y { get; }
    public double[] Dx { get; }
    public double[] Dw { get; }
}
