using System.Diagnostics;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// Structured pruning of a trained network by i-SpaSP (Wolfe, Kyrillidis 2021) or a baseline: group after group from the front, with a little
/// fine-tuning after each, then all together. What it delivers is a smaller network.
/// </summary>
public sealed record UnitPruning : Method
{
    internal const string PhaseName = "ispasp";

    private static readonly MethodRow s_row = new(PhaseName, "takes hidden channels and neurons out of a trained network (i-SpaSP, and what it is compared with)", "Wolfe, Kyrillidis 2021, arXiv 2112.04905")
    {
        Formula = """
            V = g(H) - g(H_S);  y = sum of d(||V||^2 / 2) / dH of each unit, g the layer that reads them, H what they put out
            Omega = the 2s units with the largest y, and S;  S = the s units of Omega with the largest sum of H;  again, iterations times
            """,
        Leaves = "ispasp.safetensors, a smaller network; without a network to start from, dense.safetensors first",
        Example = [("net", "resnet20"), ("init", "runs/dense/dense.safetensors"), ("ratio", "0.5")],
        Settings = UnitPruningOptions.Settings.In<UnitPruning, UnitPruningOptions>(m => m.Options, (m, v) => m with { Options = v }).As<Method, UnitPruning>(),
    };

    public UnitPruningOptions Options { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => given ? [Finetuning] : [DenseTraining.Phase(recipe), Finetuning];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        TrainedNetwork? start = run.Given;
        if (start is null)
        {
            PhaseResult dense = DenseTraining.Train(run);
            yield return dense;
            start = dense.Model;
            run.Release();
        }
        yield return new UnitRemoval(Options, Finetuning, run).Run(start);
    }

    internal override void Validate(Network network) => _ = Options.Groups(network);

    internal override string? Ignores(string setting, Recipe recipe, bool given) => given && setting is "epochs" or "lr" or "lr-policy" or "cosine-stretch" or "lr-steps" or "lr-gamma" or "warmup"
        ? "the network that is given is not trained first; finetune-epochs and finetune-lr are for what is left of it" : null;

    private PhasePlan Finetuning => new(PhaseName, Options.FinetuneEpochs, new LearningRate { Kind = LearningRateKind.Cosine, Initial = Options.FinetuneRate });
}

/// <summary>A run of it.</summary>
internal sealed class UnitRemoval(UnitPruningOptions options, PhasePlan finetuning, MethodRun run)
{
    private const ulong Stream = 8;

    public PhaseResult Run(TrainedNetwork start)
    {
        var watch = Stopwatch.StartNew();
        TrainedNetwork model = start;
        string[] names = [.. options.Groups(start.Network).Select(g => g.Name)];
        ulong seed = SplitMix64.Fork(run.Recipe.Seed, Stream, 1).NextUInt64();
        try
        {
            foreach (string name in names)
            {
                PrunableGroup group = PrunableGroups.Find(model.Network).Groups.First(g => g.Name == name);
                int keep = options.Kept(group);
                int[] kept = UnitChoice.Select(model, group, keep, options, run.Data.Train, seed, run.Device, run.Cancellation);
                model = NarrowNetwork.Keep(model, group, kept);
                run.Observer.OnNote($"{name}: {keep} of {group.Units} units stay");
                if (options.BlockEpochs > 0) model = Finetune(model, name);
                run.Cancellation.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            // The groups that were done count; the phase is not complete.
        }
        return Final(start, model, watch);
    }

    /// <summary>Some epochs at a constant rate after one group.</summary>
    private TrainedNetwork Finetune(TrainedNetwork start, string group)
    {
        using var model = new Model(start.Network, run.Device);
        using Trainer trainer = run.NewTrainer(model);
        model.Load(start);
        ulong seed = SplitMix64.Fork(run.Recipe.Seed, Stream, 2, (ulong)start.Network.Name.Length).NextUInt64();
        try
        {
            for (int epoch = 0; epoch < options.BlockEpochs; epoch++)
                trainer.TrainEpoch(new EpochPlan(group, epoch, options.BlockEpochs, options.FinetuneRate, run.Recipe.Optimizer, seed), cancellation: run.Cancellation);
        }
        catch (OperationCanceledException)
        {
            // What was reached counts; the caller sees that it was asked to stop.
        }
        return model.TakeSnapshot();
    }

    private PhaseResult Final(TrainedNetwork start, TrainedNetwork pruned, Stopwatch watch)
    {
        NetworkAnalysis before = NetworkAnalysis.Analyze(start.Network), after = NetworkAnalysis.Analyze(pruned.Network);
        run.Observer.OnNote(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{start.Network.ParameterCount:N0} parameters became {pruned.Network.ParameterCount:N0}, {before.Macs / 1e6:N1} M multiply-accumulates {after.Macs / 1e6:N1} M"));
        using var model = new Model(pruned.Network, run.Device);
        using Trainer trainer = run.NewTrainer(model);
        model.Load(pruned);
        if (options.FinetuneEpochs == 0 || run.Cancellation.IsCancellationRequested)
        {
            Metrics test = trainer.Evaluate(CancellationToken.None);
            return new PhaseResult(finetuning.Name, test.Top1, test.Top5, test.Loss, model.Sparsity, model.Kept, watch.Elapsed.TotalSeconds, pruned, model.TakeSnapshot())
            { Complete = !run.Cancellation.IsCancellationRequested };
        }
        PhaseResult result = new Phase(finetuning.Name, Stream, run.Recipe, trainer, run.Observer).Run(finetuning.Epochs, finetuning.LearningRate, run.Cancellation);
        return result with { Seconds = watch.Elapsed.TotalSeconds };
    }
}
