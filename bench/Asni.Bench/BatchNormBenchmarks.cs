using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>Batch-norm + add + ReLU. Bytes: two passes forward (x; x, skip, y), two backward (x, y, dy; x, y, dy, dx, dskip).</summary>
[InProcess]
public class BatchNormBenchmarks : IWork, IDisposable
{
    private static readonly Dictionary<string, (int Batch, Chw Shape)> Layers = new()
    {
        ["resnet20 16x32x32"] = (128, new Chw(16, 32, 32)),
        ["resnet50 256x56x56"] = (8, new Chw(256, 56, 56)),
    };

    private CpuDevice _device = null!;
    private BatchNormOperation _operation = null!;
    private DeviceParameters _parameters = null!;
    private BatchNormParameters _bound;
    private DeviceTensor _x, _skip, _y, _dy, _dskip;

    [ParamsSource(nameof(LayerNames))]
    public string Layer { get; set; } = "";

    public static IEnumerable<string> LayerNames => Layers.Keys;
    public string Unit => "GB/s";
    public double Work(string benchmark) =>
        sizeof(float) * (double)Layers[Layer].Batch * Layers[Layer].Shape.Elements * (benchmark == nameof(Forward) ? 4 : 8);

    [GlobalSetup]
    public void Prepare()
    {
        (int batch, Chw shape) = Layers[Layer];
        _device = new CpuDevice();
        _operation = _device.CreateBatchNorm(new BatchNormSpec(batch, shape, 1e-5f, 0.1f, true, Activation.Relu, true));
        var vector = new FilterShape(shape.Channels, 1, 1, 1);
        ParameterKind[] kinds = [ParameterKind.NormWeight, ParameterKind.NormBias, ParameterKind.RunningMean, ParameterKind.RunningVariance];
        _parameters = _device.CreateParameters([.. kinds.Select((k, i) => new Parameter(i, k.ToString(), k, new Shape(shape.Channels), vector))]);
        foreach (int i in (int[])[0, 3]) _parameters.Upload(i, ParameterSlot.Value, [.. Enumerable.Repeat(1f, shape.Channels)]);
        _bound = new BatchNormParameters(_parameters.Value(0), _parameters.Value(1), _parameters.Value(2), _parameters.Value(3));
        (_x, _skip, _y, _dy, _dskip) = (Filled(1), Filled(2), Filled(3), Filled(4), Filled(5));
        Forward();
    }

    [Benchmark]
    public void Forward() => _operation.ForwardTraining(_x, _bound, _skip, _y);

    [Benchmark]
    public void Backward() => _operation.Backward(_x, _y, _dy, _bound.Weight, _parameters.Gradient(0), _parameters.Gradient(1), false, _dskip, _dy);

    [GlobalCleanup]
    public void Dispose()
    {
        _operation?.Dispose();
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    private DeviceTensor Filled(ulong seed)
    {
        (int batch, Chw shape) = Layers[Layer];
        var tensor = new DeviceTensor(_device.Allocate(_device.ActivationBytes(batch, shape)), 0, batch, shape);
        var random = new SplitMix64(seed);
        var values = new float[tensor.Elements];
        for (int i = 0; i < values.Length; i++) values[i] = 2 * random.NextSingle() - 1;
        _device.Upload(values, tensor);
        return tensor;
    }
}
