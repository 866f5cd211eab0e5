using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>The three passes of layers of the published networks: what the kinds of convolution share.</summary>
[InProcess]
public abstract class LayerBenchmarks : IWork, IDisposable
{
    private CpuDevice _device = null!;
    private ConvolutionOperation _operation = null!;
    private TrainingPasses _passes = null!;
    private DeviceParameters _parameters = null!;
    private DeviceTensor _x, _y, _dx;

    [ParamsSource(nameof(LayerNames))]
    public string Layer { get; set; } = "";

    public IEnumerable<string> LayerNames => Layers.Keys;

    /// <summary>Share of the weights that live, the largest by magnitude.</summary>
    protected virtual double Density => 1;

    public abstract Bound BoundOf(string benchmark);
    public abstract double Work(string benchmark);
    public virtual long Footprint(string benchmark) => 0;

    /// <summary>Those that the benchmark is run for.</summary>
    private protected abstract IReadOnlyDictionary<string, ConvolutionSpec> Layers { get; }

    private protected ConvolutionSpec Spec => Layers[Layer];

    [GlobalSetup]
    public void Prepare()
    {
        ConvolutionSpec spec = Spec;
        _device = new CpuDevice();
        _operation = _device.CreateConvolution(spec);
        _passes = new TrainingPasses(_operation, spec.Batch);
        _parameters = _device.CreateParameters([new Parameter(0, "w", ParameterKind.Weight,
            new Shape(spec.Filter.Out, spec.Filter.In, spec.Filter.Height, spec.Filter.Width), spec.Filter)]);
        (_x, _y, _dx) = (Tensor(spec, spec.Input), Tensor(spec, spec.Output), Tensor(spec, spec.Input));
        this.MeasureLimits(nameof(Forward), nameof(BackwardWeights), nameof(BackwardData));
        Check(spec);
    }

    [Benchmark(Description = "forward")]
    public void Forward() => _passes.Forward(_x, _parameters.Value(0), _y);

    [Benchmark(Description = "weight gradient")]
    public void BackwardWeights() => _passes.BackwardWeights(_x, _y, _parameters.Gradient(0));

    [Benchmark(Description = "data gradient")]
    public void BackwardData() => _passes.BackwardData(_y, _parameters.Value(0), _dx);

    [GlobalCleanup]
    public void Dispose()
    {
        _operation?.Dispose();
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static ConvolutionSpec NewSpec(int batch, Chw input, int outputs, int kernel, int stride = 1, int groups = 1) =>
        new(batch, input, new FilterShape(outputs, input.Channels / groups, kernel, kernel), stride, kernel / 2, groups, false, Activation.None, true, true);

    private DeviceTensor Tensor(ConvolutionSpec spec, Chw shape) => new(_device.Allocate(_device.ActivationBytes(spec.Batch, shape)), 0, spec.Batch, shape);

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
        if (Density < 1) Prune(w);
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

    /// <summary>Takes the smallest weights from the layer, and from <paramref name="w"/>.</summary>
    private void Prune(float[] w)
    {
        _parameters.Prune([0], (long)(Density * w.Length), new long[1]);
        _operation.SetMask(_parameters, 0);
        _parameters.Download(0, ParameterSlot.Value, w);
    }
}
