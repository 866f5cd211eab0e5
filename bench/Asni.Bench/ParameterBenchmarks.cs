using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Optimizers;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>What happens to all weights of a network at once: threshold, two means, optimizer. Bytes are the least that must move.</summary>
[InProcess, BenchmarkCategory("all weights")]
public class ParameterBenchmarks : IWork, IDisposable
{
    private const double LearningRate = 1e-6;
    private static readonly OptimizerSettings s_adam = new(), s_momentum = new() { Kind = OptimizerKind.Momentum };

    private CpuDevice _device = null!;
    private DeviceParameters _parameters = null!;
    private int[] _weights = null!;
    private float[] _pivots = null!;
    private SignStatistics[] _sums = null!;
    private Threshold _threshold;
    private long _step;

    [Params("lenet300", "resnet50")]
    public string Net { get; set; } = "";

    private long Keep => Weights / 10;
    private long Weights => NetworkZoo.Create(Net).WeightCount;

    public double Work(string benchmark) => sizeof(float) * Weights * benchmark switch
    {
        nameof(Adam) => 7.0,          // reads w, m, v, g; writes w, m, v
        nameof(MomentumSgd) => 5.0,   // reads w, m, g; writes w, m
        _ => 1.0,                     // reads w
    };

    public Bound BoundOf(string benchmark) => benchmark is nameof(Adam) or nameof(MomentumSgd) ? Bound.Update : Bound.Read;

    public long Footprint(string benchmark) => sizeof(float) * Weights * benchmark switch
    {
        nameof(Adam) => 4,
        nameof(MomentumSgd) => 3,
        _ => 1,
    };

    [GlobalSetup]
    public void Prepare()
    {
        Network network = NetworkZoo.Create(Net);
        _device = new CpuDevice();
        _parameters = _device.CreateParameters(network.Parameters);
        _weights = [.. network.Weights.Select(p => p.Index)];
        _pivots = new float[_weights.Length];
        _sums = new SignStatistics[_weights.Length];
        this.MeasureLimits(nameof(TwoMeans), nameof(Adam), nameof(MomentumSgd));
        Check(network);
    }

    [Benchmark(Description = "threshold")]
    public void FindThreshold() => _threshold = _parameters.FindThreshold(_weights, Keep);

    [Benchmark(Description = "two means")]
    public void TwoMeans() => _parameters.SumBySign(_weights, _pivots, _sums);

    [Benchmark(Description = "Adam")]
    public void Adam() => _parameters.Update(s_adam.At(LearningRate, ++_step));

    [Benchmark(Description = "SGD with momentum")]
    public void MomentumSgd() => _parameters.Update(s_momentum.At(LearningRate, ++_step));

    [GlobalCleanup]
    public void Dispose()
    {
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Everything once, against plain loops; then the initial weights, random gradients and an empty state for the clock.</summary>
    private void Check(Network network)
    {
        var probe = new ParameterProbe(_parameters, Net, Initialization.Create(network, 1));
        probe.Load();
        FindThreshold();
        probe.CheckThreshold(_weights, Keep, _threshold);
        // A pivot that is one of the weights, which then belongs to neither side.
        for (int i = 0; i < _pivots.Length; i++) _pivots[i] = probe.Values[_weights[i]][0];
        TwoMeans();
        probe.CheckSignStatistics(_weights, _pivots, _sums);
        foreach (OptimizerSettings optimizer in (OptimizerSettings[])[s_adam, s_momentum])
        {
            probe.Load();
            probe.CheckUpdate(optimizer, learningRate: 1e-2, step: 3);
        }
        probe.Load();
        _parameters.ResetState();
    }
}
