using Asni.Bench;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Inference;
using Asni.Networks;

namespace Asni.Peers;

/// <summary>One engine with a network and a batch: the step that is timed, and an answer by which the engines are known to compute the same.</summary>
internal interface ISide : IDisposable
{
    /// <summary>The engine's name and version.</summary>
    string Engine { get; }

    /// <summary>A training step, or the logits of the batch.</summary>
    void Step();

    /// <summary>The logits of the whole batch, or the mean loss of the first training step. Called once, before any step.</summary>
    float[] Answer();
}

internal static class Sides
{
    public const string Asni = "asni", LibTorch = "libtorch", LibTorchChannelsLast = "libtorch-channels-last", OnnxRuntime = "onnxruntime";

    /// <exception cref="UsageException">There is no side of that name.</exception>
    public static ISide Create(string name, StepOptions options) => name switch
    {
        Asni => options.Training ? new AsniTraining(options) : new AsniInference(options),
        LibTorch => TorchSide.Create(options, channelsLast: false),
        LibTorchChannelsLast => TorchSide.Create(options, channelsLast: true),
        OnnxRuntime => new OnnxSide(options),
        _ => throw new UsageException($"there is no side '{name}'; there are {Asni}, {LibTorch}, {LibTorchChannelsLast} and {OnnxRuntime}."),
    };

    /// <summary>The network that all sides have: freshly initialized or a run's, pruned if that was asked for.</summary>
    public static TrainedNetwork NetworkOf(StepOptions o) => Latency.Networks(NetworkZoo.Create(o.Net, o.Input, o.Classes), o).Pruned;

    public static float[] ImagesOf(StepOptions o) => Answers.Random((long)o.Batch * o.Input.Elements, seed: 1);

    public static long[] LabelsOf(StepOptions o) => [.. Enumerable.Range(0, o.Batch).Select(i => (long)(i % o.Classes))];

    public static string AsniVersion => $"Asni {typeof(SparseModel).Assembly.GetName().Version?.ToString(3)}";
}

internal sealed class AsniTraining : ISide
{
    private readonly CpuDevice _device;
    private readonly Model _model;
    private readonly Plan _plan;
    private readonly Action _step;

    public AsniTraining(StepOptions o)
    {
        _device = new CpuDevice(o.Threads);
        _model = new Model(NetworkZoo.Create(o.Net, o.Input, o.Classes), _device);
        _step = Steps.Prepare(_model, o, out _plan);
        Steps.Prune(_model, o);
    }

    public string Engine => Sides.AsniVersion;

    public void Step() => _step();

    public float[] Answer()
    {
        _step();
        LossSums sums = _plan.ReadLoss();
        return [(float)(sums.Loss / sums.Samples)];
    }

    public void Dispose()
    {
        _plan.Dispose();
        _model.Dispose();
        _device.Dispose();
    }
}

internal sealed class AsniInference : ISide
{
    private readonly CpuDevice _device;
    private readonly SparseModel _model;
    private readonly float[] _images, _logits;

    public AsniInference(StepOptions o)
    {
        _device = new CpuDevice(o.Threads);
        _model = SparseModel.Create(Sides.NetworkOf(o), _device, o.Batch);
        _images = Sides.ImagesOf(o);
        _logits = new float[o.Batch * o.Classes];
    }

    public string Engine => Sides.AsniVersion;

    public void Step() => _model.Run(_images, _logits);

    public float[] Answer()
    {
        Step();
        return _logits;
    }

    public void Dispose()
    {
        _model.Dispose();
        _device.Dispose();
    }
}
