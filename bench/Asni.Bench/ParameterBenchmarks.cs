using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Optimizers;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>What happens to all weights of a network at once: threshold, two means, optimizer. Bytes are the least that must move.</summary>
[InProcess]
public class ParameterBenchmarks : IWork, IDisposable
{
    private CpuDevice _device = null!;
    private DeviceParameters _parameters = null!;
    private int[] _weights = null!;
    private float[] _pivots = null!;
    private SideSums[] _sums = null!;
    private long _step;

    [Params("lenet300", "resnet50")]
    public string Net { get; set; } = "";

    public string Unit => "GB/s";

    private long Weights => NetworkZoo.Create(Net).WeightCount;

    public double Work(string benchmark) => sizeof(float) * Weights * benchmark switch
    {
        nameof(Adam) => 7.0,          // reads w, m, v, g; writes w, m, v
        nameof(MomentumSgd) => 5.0,   // reads w, m, g; writes w, m
        _ => 1.0,                     // reads w
    };

    [GlobalSetup]
    public void Prepare()
    {
        Network network = NetworkZoo.Create(Net);
        _device = new CpuDevice();
        _parameters = _device.CreateParameters(network.Parameters);
        ImmutableArray<float[]> values = Initialization.Create(network, 1);
        foreach (Parameter p in network.Parameters)
        {
            _parameters.Upload(p.Index, ParameterSlot.Value, values[p.Index]);
            if (p.IsTrained) _parameters.Upload(p.Index, ParameterSlot.Gradient, values[p.Index]);
        }
        _weights = [.. network.Weights.Select(p => p.Index)];
        _pivots = new float[_weights.Length];
        _sums = new SideSums[_weights.Length];
        Check(network, values);
    }

    [Benchmark]
    public MagnitudeThreshold Threshold() => _parameters.FindThreshold(_weights, Weights / 10);

    [Benchmark]
    public void TwoMeans() => _parameters.SumSides(_weights, _pivots, _sums);

    [Benchmark]
    public void Adam() => _parameters.Update(new OptimizerSettings().At(1e-6, ++_step));

    [Benchmark]
    public void MomentumSgd() => _parameters.Update(new OptimizerSettings { Kind = OptimizerKind.Momentum }.At(1e-6, ++_step));

    [GlobalCleanup]
    public void Dispose()
    {
        _parameters?.Dispose();
        _device?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The threshold against a sort.</summary>
    private void Check(Network network, ImmutableArray<float[]> values)
    {
        float[] sorted = [.. network.Weights.SelectMany(p => values[p.Index]).Select(MathF.Abs)];
        Array.Sort(sorted);
        float expected = sorted[sorted.Length - sorted.Length / 10], found = Threshold().Magnitude;
        // The cut lies at the smallest kept magnitude or just below it.
        if (found != expected && found != sorted[sorted.Length - sorted.Length / 10 - 1])
            throw new InvalidOperationException($"{Net}: threshold {found}, expected {expected}");
    }
}
