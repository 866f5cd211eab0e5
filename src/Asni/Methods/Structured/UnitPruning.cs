using System.Collections.Immutable;
using System.Diagnostics;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Pruning.Units;
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
        Settings = SettingFactory.As<Method, UnitPruning>(
        [
            .. UnitTarget.Settings.In<UnitPruning, UnitTarget>(m => m.Target, (m, v) => m with { Target = v }),
            .. UnitSelection.Settings.In<UnitPruning, UnitSelection>(m => m.Selection, (m, v) => m with { Selection = v }),
            SettingFactory.Integer<UnitPruning>("block-epochs", "epochs of fine-tuning after each group", m => m.BlockEpochs, (m, v) => m with { BlockEpochs = v }, "[0, inf)"),
            .. UnitFinetuning.Settings.In<UnitPruning, UnitFinetuning>(m => m.Finetuning, (m, v) => m with { Finetuning = v }),
            SettingFactory.Switch<UnitPruning>("all-blocks", "also blocks with a downsample branch and the last of each stage", m => m.AllBlocks, (m, v) => m with { AllBlocks = v }),
        ]),
        StartsTrained = true,
    };

    public UnitTarget Target { get; init; } = new();
    public UnitSelection Selection { get; init; } = new();
    public UnitFinetuning Finetuning { get; init; } = new();

    /// <summary>Epochs of fine-tuning after each group, at the rate that the last one begins with.</summary>
    public int BlockEpochs { get; init; } = 1;

    /// <summary>Also groups that stay by default: blocks with a downsample branch, the last of each stage.</summary>
    public bool AllBlocks { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => given ? [Finetuning.Phase(PhaseName)] : [DenseTraining.Phase(recipe), Finetuning.Phase(PhaseName)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        run.ValidateUnits(Target, Selection);
        TrainedNetwork? start = run.Given;
        if (start is null)
        {
            PhaseResult dense = DenseTraining.Train(run);
            yield return dense;
            start = dense.Model;
            run.Release();
        }
        yield return new UnitRemoval(this, run).Run(start);
    }

    internal override void Validate(Network network) => UnitCounts.Validate(Target, Selection, network, Groups(network));

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Target.Ignores(setting) ?? Finetuning.Ignores(setting, given, alone: BlockEpochs == 0);

    /// <summary>The groups that lose units, in the order of the network.</summary>
    /// <inheritdoc cref="UnitTarget.Of" path="/exception"/>
    internal ImmutableArray<PrunableGroup> Groups(Network network)
    {
        ImmutableArray<PrunableGroup> hidden = [.. PrunableGroups.Find(network).Hidden];
        return Target.Of(network, [.. hidden.Where(g => g.StaysBecause is null || AllBlocks)], hidden);
    }
}

/// <summary>A run of it.</summary>
internal sealed class UnitRemoval(UnitPruning method, MethodRun run)
{
    private const ulong Stream = 8;

    private readonly PhasePlan _finetuning = method.Finetuning.Phase(UnitPruning.PhaseName);

    public PhaseResult Run(TrainedNetwork start)
    {
        var watch = Stopwatch.StartNew();
        TrainedNetwork model = start;
        ImmutableArray<PrunableGroup> groups = method.Groups(start.Network);
        int[] kept = run.UnitCounts(method.Target, start.Network, [.. groups.Select(g => g.Name)]).Kept(start.Network, () => []);
        Calibration calibration = run.NewCalibration(method.Selection.Calibration, Stream, 1);
        try
        {
            for (int g = 0; g < groups.Length; g++)
            {
                string name = groups[g].Name;
                ImmutableArray<PrunableGroup> group = UnitCounts.GroupsOf(model.Network, [name]);
                model = method.Selection.Prune(model, group, [kept[g]], calibration);
                run.Observer.OnNote($"{name}: {kept[g]} of {group[0].Units} units stay");
                if (method.BlockEpochs > 0) model = Finetune(model, name);
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
            for (int epoch = 0; epoch < method.BlockEpochs; epoch++)
                trainer.TrainEpoch(new EpochPlan(group, epoch, method.BlockEpochs, method.Finetuning.Rate, run.Recipe.Optimizer, seed), cancellation: run.Cancellation);
        }
        catch (OperationCanceledException)
        {
            // What was reached counts; the caller sees that it was asked to stop.
        }
        return model.TakeSnapshot();
    }

    private PhaseResult Final(TrainedNetwork start, TrainedNetwork pruned, Stopwatch watch)
    {
        run.Observer.OnNote(UnitFinetuning.DescribeSizes(start.Network, pruned.Network));
        using var model = new Model(pruned.Network, run.Device);
        using Trainer trainer = run.NewTrainer(model, learns: _finetuning.Epochs > 0);
        model.Load(pruned);
        if (run.Cancellation.IsCancellationRequested)
        {
            Metrics test = trainer.Evaluate(CancellationToken.None);
            return new PhaseResult(_finetuning.Name, test.Top1, test.Top5, test.Loss, model.Sparsity, model.Kept, watch.Elapsed.TotalSeconds, pruned, model.TakeSnapshot())
            { Complete = false };
        }
        PhaseResult result = new Phase(_finetuning.Name, Stream, run.Recipe, trainer, run.Observer).Run(_finetuning.Epochs, _finetuning.LearningRate, run.Cancellation);
        return result with { Seconds = watch.Elapsed.TotalSeconds };
    }
}
