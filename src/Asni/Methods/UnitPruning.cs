using System.Diagnostics;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// Structured pruning of a trained network by i-SpaSP (Wolfe, Kyrillidis 2021) or a baseline: group after group from the front, with a little
/// fine-tuning after each, then all together. What it delivers is a smaller network.
/// </summary>
internal sealed class UnitPruning(Recipe recipe, DatasetSplit data, Device device, ITrainingObserver observer, CancellationToken cancellation)
{
    public const string Name = "ispasp";
    private const ulong Stream = 8;

    private readonly UnitPruningOptions _options = recipe.Units;

    public PhaseResult Run(TrainedNetwork start)
    {
        var watch = Stopwatch.StartNew();
        TrainedNetwork model = start;
        string[] names = [.. _options.Groups(start.Network).Select(g => g.Name)];
        foreach (string name in names)
        {
            if (cancellation.IsCancellationRequested) break;
            PrunableGroup group = PrunableGroups.Find(model.Network).Groups.First(g => g.Name == name);
            int keep = _options.Kept(group);
            int[] kept = UnitChoice.Of(model, group, keep, _options, data.Train, SplitMix64.Fork(recipe.Seed, Stream, 1).NextUInt64(), device, cancellation);
            model = NarrowNetwork.Keep(model, group, kept);
            observer.Note($"{name}: {keep} of {group.Units} units stay");
            if (_options.BlockEpochs > 0) model = Finetune(model, name);
        }
        return Final(start, model, watch);
    }

    /// <summary>Some epochs at a constant rate after one group.</summary>
    private TrainedNetwork Finetune(TrainedNetwork start, string group)
    {
        using var model = new Model(start.Network, device);
        using var trainer = NewTrainer(model);
        model.Load(start);
        ulong seed = SplitMix64.Fork(recipe.Seed, Stream, 2, (ulong)start.Network.Name.Length).NextUInt64();
        try
        {
            for (int epoch = 0; epoch < _options.BlockEpochs; epoch++)
                trainer.TrainEpoch(new EpochPlan(group, epoch, _options.BlockEpochs, _options.FinetuneRate, recipe.Optimizer, seed), cancellation: cancellation);
        }
        catch (OperationCanceledException)
        {
            // What was reached counts; the caller sees that it was asked to stop.
        }
        return model.Snapshot();
    }

    private PhaseResult Final(TrainedNetwork start, TrainedNetwork pruned, Stopwatch watch)
    {
        NetworkAnalysis before = NetworkAnalysis.Of(start.Network), after = NetworkAnalysis.Of(pruned.Network);
        observer.Note(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{start.Network.ParameterCount:N0} parameters became {pruned.Network.ParameterCount:N0}, {before.Macs / 1e6:N1} M multiply-accumulates {after.Macs / 1e6:N1} M"));
        using var model = new Model(pruned.Network, device);
        using var trainer = NewTrainer(model);
        model.Load(pruned);
        if (_options.FinetuneEpochs == 0 || cancellation.IsCancellationRequested)
        {
            Metrics test = trainer.Evaluate(CancellationToken.None);
            return new PhaseResult(Name, test.Top1, test.Top5, test.Loss, model.Sparsity, model.Kept, watch.Elapsed.TotalSeconds, pruned, model.Snapshot())
            { Complete = !cancellation.IsCancellationRequested };
        }
        var rate = new LearningRate { Kind = LearningRateKind.Cosine, Initial = _options.FinetuneRate };
        PhaseResult result = new Phase(Name, Stream, recipe, trainer, observer).Run(_options.FinetuneEpochs, rate, cancellation);
        return result with { Seconds = watch.Elapsed.TotalSeconds };
    }

    private Trainer NewTrainer(Model model) => new(model, data, recipe.BatchSize, recipe.Augmentation, (float)recipe.LabelSmoothing, observer);
}
