using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>The three passes of convolutions and linear layers that the published networks are made of.</summary>
[InProcess]
public class ConvolutionBenchmarks : IWork, IDisposable
{
    private static readonly Dictionary<string, ConvolutionSpec> Layers = new()
    {
        ["conv6 64-64 32x32"] = Spec(60, new Chw(64, 32, 32), 64, 3, 1, 1),
        ["conv6 256-256 8x8"] = Spec(60, new Chw(256, 8, 8), 256, 3, 1, 1),
        ["resnet20 16-16 32x32"] = Spec(128, new Chw(16, 32, 32), 16, 3, 1, 1),
        ["resnet20 64-64 8x8"] = Spec(128, new Chw(64, 8, 8), 64, 3, 1, 1),
        ["resnet50 1x1 64-256 56x56"] = Spec(8, new Chw(64, 56, 56), 256, 1, 1, 0),
        ["resnet50 3x3 512-512 7x7"] = Spec(8, new Chw(512, 7, 7), 512, 3, 1, 1),
        ["lenet300 784-300"] = Spec(60, new Chw(784, 1, 1), 300, 1, 1, 0),
    };

    private CpuDevice _device = null!;
    private ConvolutionOperation _operation = null!;
    private DeviceParameters _parameters = null!;
    private DeviceTensor _x, _y, _dx;

    [ParamsSource(nameof(LayerNames))]
    public string Layer { get; set; } = "";

    public static IEnumerable<string> LayerNames => Layers.Keys;
    public double Work(string benchmark) => 2.0 * Layers[Layer].Batch * Layers[Layer].Macs;
    public Bound BoundOf(string benchmark) => Bound.Peak;
    public long Footprint(string benchmark) => 0;

    [GlobalSetup]
    public void Prepare()
    {
        ConvolutionSpec spec = Layers[Layer];
        _device = new CpuDevice();
        _operation = _device.CreateConvolution(spec);
        _parameters = _device.CreateParameters([new Parameter(0, "w", ParameterKind.Weight,
            new Shape(spec.Filter.Out, spec.Filter.In, spec.Filter.Height, spec.Filter.Width), spec.Filter)]);
        (_x, _y, _dx) = (Tensor(spec.Input), Tensor(spec.Output), Tensor(spec.Input));
        Limits.Measure(Bound.Peak);
        Check(spec);
    }

    [Benchmark(Description = "layer, forward")]
    public void Forward() => _operation.Forward(_x, _parameters.Value(0), null, _y);

    [Benchmark(Description = "layer, weight gradient")]
    public void BackwardWeights() => _operation.BackwardWeights(_x, _y, _parameters.Gradient(0));

    [Benchmark(Description = "layer, data gradient")]
    public void BackwardData() => _operation.BackwardData(_y, _parameters.Value(0), false, _dx);

    [GlobalCleanup]
    public void Dispose()
    {
        _operation?.Dispose();
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    private static ConvolutionSpec Spec(int batch, Chw input, int outputs, int kernel, int stride, int padding) =>
        new(batch, input, new FilterShape(outputs, input.Channels, kernel, kernel), stride, padding, 1, false, Activation.None, true, true);

    private DeviceTensor Tensor(Chw shape)
    {
        int batch = Layers[Layer].Batch;
        return new DeviceTensor(_device.Allocate(_device.ActivationBytes(batch, shape)), 0, batch, shape);
    }

    /// <summary>
    /// The three passes on random data: dy . y = dw . w = dx . x, since y is linear in w and in x, and elements of each result by the sum that
    /// defines them. Leaves random numbers in all tensors.
    /// </summary>
    private void Check(ConvolutionSpec spec)
    {
        float[] x = Answers.Random(_x.Elements, 1), w = Answers.Random(_parameters.Parameters[0].Elements, 2), dy = Answers.Random(_y.Elements, 3);
        float[] y = new float[_y.Elements], dw = new float[w.Length], dx = new float[x.Length];
        _device.Upload(x, _x);
        _parameters.Upload(0, ParameterSlot.Value, w);
        Forward();
        _device.Download(_y, y);
        // Part of y itself, so that the products are far from 0 and a relative comparison means something.
        float scale = 1 / MathF.Sqrt(spec.Filter.FanIn);
        for (int i = 0; i < y.Length; i++) dy[i] += scale * y[i];
        _device.Upload(dy, _y);
        BackwardWeights();
        BackwardData();
        _parameters.Download(0, ParameterSlot.Gradient, dw);
        _device.Download(_dx, dx);

        double product = Answers.Dot(y, dy), tolerance = 1e-4 * Math.Abs(product);
        Answers.Near(Answers.Dot(w, dw), product, tolerance, $"the weight gradient of {Layer} (dw . w against dy . y)");
        Answers.Near(Answers.Dot(x, dx), product, tolerance, $"the data gradient of {Layer} (dx . x against dy . y)");
        new ConvolutionProbe(spec, Layer, x, w, dy).Check(y, dw, dx);
    }
}
