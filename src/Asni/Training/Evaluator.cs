using System.Diagnostics;
using System.Runtime.InteropServices;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;

namespace Asni.Training;

/// <summary>Means over one pass through a dataset.</summary>
public readonly record struct Metrics(double Loss, double Top1, double Top5, long Samples, double Seconds)
{
    internal static Metrics From(LossSums s, double seconds) =>
        new(s.Loss / s.Samples, (double)s.Top1 / s.Samples, (double)s.Top5 / s.Samples, s.Samples, seconds);
}

/// <summary>Loss and accuracy of a model on a dataset, with running statistics. One caller at a time: a second one gets an <see cref="InvalidOperationException"/>.</summary>
public sealed class Evaluator : IDisposable
{
    private const int FastBatch = 256, InputsAtOnce = 1 << 20;

    private readonly Model _model;
    private readonly Plan _plan;
    private readonly BatchFeed _feed;
    private readonly Communicator _ranks;
    private readonly int _batches;

    /// <param name="batchSize">Images a batch at least: more are taken where that is faster and images are small.</param>
    /// <exception cref="UsageException">The network reads other images, or tells fewer classes apart.</exception>
    /// <exception cref="DeviceMemoryException">The device lacks the memory for a batch.</exception>
    public Evaluator(Model model, Dataset data, int batchSize = 1) : this(model, data, batchSize, Communicator.Alone) { }

    /// <param name="ranks">Take turns with the batches.</param>
    internal Evaluator(Model model, Dataset data, int batchSize, Communicator ranks)
    {
        RequireFit(model, data);
        (_model, _ranks) = (model, ranks);
        _plan = new Plan(model, Math.Min(Math.Max(batchSize, Math.Min(FastBatch, InputsAtOnce / model.Network.Input.Elements)), data.Count), training: false);
        _batches = (data.Count + _plan.BatchSize - 1) / _plan.BatchSize;
        try
        {
            _feed = new BatchFeed(_plan, data, Augmentation.None, shuffle: false, new LaneShare(ranks.Size, ranks.Rank, ranks.Size));
        }
        catch
        {
            _plan.Dispose();
            throw;
        }
    }

    /// <summary>One pass over the dataset. Throws OperationCanceledException between batches.</summary>
    public Metrics Evaluate(CancellationToken cancellationToken = default)
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        var watch = Stopwatch.StartNew();
        var own = new List<LossSums>();
        // Before ranks part: one without a batch would wait for those that stop.
        cancellationToken.ThrowIfCancellationRequested();
        foreach (int _ in _feed.Epoch(seed: 0, epoch: 0))
        {
            cancellationToken.ThrowIfCancellationRequested();
            _plan.RunEvaluation();
            if (_ranks.Size > 1) own.Add(_plan.ReadLoss());
        }
        return Metrics.From(_ranks.Size > 1 ? Gather(own) : _plan.ReadLoss(), watch.Elapsed.TotalSeconds);
    }

    /// <summary>The sums of all batches, in their order: to the last digit those of one rank.</summary>
    private LossSums Gather(List<LossSums> own)
    {
        int each = (_batches + _ranks.Size - 1) / _ranks.Size;
        var all = new LossSums[each * _ranks.Size];
        _ranks.AllGather(MemoryMarshal.AsBytes<LossSums>([.. own, .. new LossSums[each - own.Count]]), MemoryMarshal.AsBytes(all.AsSpan()));
        LossSums sums = default;
        for (int batch = 0; batch < _batches; batch++) sums += all[batch % _ranks.Size * each + batch / _ranks.Size];
        return sums;
    }

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        _feed.Dispose();
        _plan.Dispose();
    }

    /// <exception cref="UsageException">The network reads other images, or tells fewer classes apart.</exception>
    internal static void RequireFit(Model model, Dataset data)
    {
        var network = model.Network;
        if (data.Shape != network.Input)
            throw new UsageException($"{network.Name} reads {network.Input} images, {data.Name} has {data.Shape}; choose other data, or another input of the network.");
        if (data.Classes > network.Classes)
            throw new UsageException($"{network.Name} has {network.Classes} classes, {data.Name} has {data.Classes}.");
    }
}
