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
    public string Unit => "GFLOP/s";
    public double Work(string benchmark) => 2.0 * Layers[Layer].Batch * Layers[Layer].Macs;

    [GlobalSetup]
    public void Prepare()
    {
        ConvolutionSpec spec = Layers[Layer];
        _device = new CpuDevice();
        _operation = _device.CreateConvolution(spec);
        _parameters = _device.CreateParameters([new Parameter(0, "w", ParameterKind.Weight,
            new Shape(spec.Filter.Out, spec.Filter.In, spec.Filter.Height, spec.Filter.Width), spec.Filter)]);
        var weights = new float[_parameters.Parameters[0].Elements];
        Array.Fill(weights, 0.5f);
        _parameters.Upload(0, ParameterSlot.Value, weights);
        (_x, _y, _dx) = (Ones(spec.Input), Ones(spec.Output), Ones(spec.Input));
        Check(spec);
    }

    [Benchmark]
    public void Forward() => _operation.Forward(_x, _parameters.Value(0), null, _y);

    [Benchmark]
    public void BackwardWeights() => _operation.BackwardWeights(_x, _y, _parameters.Gradient(0));

    [Benchmark]
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

    private DeviceTensor Ones(Chw shape)
    {
        int batch = Layers[Layer].Batch;
        var tensor = new DeviceTensor(_device.Allocate(_device.ActivationBytes(batch, shape)), 0, batch, shape);
        var values = new float[tensor.Elements];
        Array.Fill(values, 1f);
        _device.Upload(values, tensor);
        return tensor;
    }

    /// <summary>All ones times halves: an inner pixel of the output is half the filter's fan-in.</summary>
    private void Check(ConvolutionSpec spec)
    {
        Forward();
        var y = new float[_y.Elements];
        _device.Download(_y, y);
        int middle = spec.Output.Height / 2 * spec.Output.Width + spec.Output.Width / 2;
        if (y[middle] != 0.5f * spec.Filter.FanIn) throw new InvalidOperationException($"{Layer}: {y[middle]}, expected {0.5f * spec.Filter.FanIn}");
    }
}
