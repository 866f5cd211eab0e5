using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>Batch-norm + add + ReLU. Bytes: two passes forward (x; x, skip, y), two backward (x, y, dy; x, y, dy, dx, dskip).</summary>
[InProcess, BenchmarkCategory("batch-norm + add + ReLU")]
public class BatchNormBenchmarks : IWork, IDisposable
{
    private static readonly Dictionary<string, (int Batch, Chw Shape)> Layers = new()
    {
        ["resnet20 16x32x32"] = (128, new Chw(16, 32, 32)),
        ["resnet50 256x56x56"] = (8, new Chw(256, 56, 56)),
    };

    private const float Epsilon = 1e-5f;

    private CpuDevice _device = null!;
    private BatchNormOperation _operation = null!;
    private DeviceParameters _parameters = null!;
    private BatchNormParameters _bound;
    private DeviceTensor _x, _skip, _y, _dy, _dskip;

    [ParamsSource(nameof(LayerNames))]
    public string Layer { get; set; } = "";

    public static IEnumerable<string> LayerNames => Layers.Keys;
    public double Work(string benchmark) => (double)TensorBytes * (benchmark == nameof(Forward) ? 4 : 8);

    /// <summary>Forward reads and writes elsewhere, a copy. Backward mostly reads, and dx takes the place of dy.</summary>
    public Bound BoundOf(string benchmark) => benchmark == nameof(Forward) ? Bound.Copy : Bound.Update;

    public long Footprint(string benchmark) => TensorBytes * (benchmark == nameof(Forward) ? 3 : 4);

    private long TensorBytes => sizeof(float) * (long)Layers[Layer].Batch * Layers[Layer].Shape.Elements;

    [GlobalSetup]
    public void Prepare()
    {
        (int batch, Chw shape) = Layers[Layer];
        _device = new CpuDevice();
        _operation = _device.CreateBatchNorm(new BatchNormSpec(batch, shape, Epsilon, 0.1f, true, Activation.Relu, true));
        var vector = new FilterShape(shape.Channels, 1, 1, 1);
        ParameterKind[] kinds = [ParameterKind.NormWeight, ParameterKind.NormBias, ParameterKind.RunningMean, ParameterKind.RunningVariance];
        _parameters = _device.CreateParameters([.. kinds.Select((k, i) => new Parameter(i, k.ToString(), k, new Shape(shape.Channels), vector))]);
        _bound = new BatchNormParameters(_parameters.Value(0), _parameters.Value(1), _parameters.Value(2), _parameters.Value(3));
        (_x, _skip, _y, _dy, _dskip) = (Tensor(), Tensor(), Tensor(), Tensor(), Tensor());
        this.MeasureLimits(nameof(Forward), nameof(Backward));
        Check(batch, shape);
    }

    [Benchmark(Description = "forward")]
    public void Forward() => _operation.ForwardTraining(_x, _bound, _skip, _y);

    [Benchmark(Description = "backward")]
    public void Backward() => _operation.Backward(_x, _y, _dy, _bound.Weight, _parameters.Gradient(0), _parameters.Gradient(1), false, _dskip, _dy);

    [GlobalCleanup]
    public void Dispose()
    {
        _operation?.Dispose();
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    private DeviceTensor Tensor()
    {
        (int batch, Chw shape) = Layers[Layer];
        return new DeviceTensor(_device.Allocate(_device.ActivationBytes(batch, shape)), 0, batch, shape);
    }

    /// <summary>Both passes on random data against the formulas, in the first, the last and some channels between.</summary>
    private void Check(int batch, Chw shape)
    {
        float[] dy = Answers.Random(_dy.Elements, 3);
        float[] y = new float[dy.Length], dx = new float[dy.Length], dskip = new float[dy.Length];
        var probe = new BatchNormProbe(Layer, batch, shape, Epsilon)
        {
            X = Answers.Random(_x.Elements, 1),
            Skip = Answers.Random(_skip.Elements, 2),
            W = [.. Answers.Random(shape.Channels, 4).Select(v => 1 + v / 2)],
            B = Answers.Random(shape.Channels, 5),
        };
        _device.Upload(probe.X, _x);
        _device.Upload(probe.Skip, _skip);
        _device.Upload(dy, _dy);
        _parameters.Upload(0, ParameterSlot.Value, probe.W);
        _parameters.Upload(1, ParameterSlot.Value, probe.B);
        Forward();
        Backward();
        _device.Download(_y, y);
        _device.Download(_dy, dx);
        _device.Download(_dskip, dskip);
        float[] dw = new float[shape.Channels], db = new float[shape.Channels];
        _parameters.Download(0, ParameterSlot.Gradient, dw);
        _parameters.Download(1, ParameterSlot.Gradient, db);
        for (int c = 0; c < shape.Channels; c = c == shape.Channels - 1 ? c + 1 : Math.Min(c + Math.Max(1, shape.Channels / 8), shape.Channels - 1))
        {
            probe.CheckOutput(c, y);
            probe.CheckGradients(c, y, dy, dx, dskip, dw[c], db[c]);
        }
        // dx takes the place of dy, call after call: with these weights it neither grows nor fades.
        _parameters.Upload(0, ParameterSlot.Value, probe.Deviations());
        _device.Upload(dy, _dy);
        Forward();
    }
}
