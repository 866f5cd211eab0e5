using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>Which groups of units may lose some.</summary>
public enum UnitScope
{
    /// <summary>All, also those that layers share through sums (residual streams) or as several readers.</summary>
    All,
    /// <summary>Units between one layer and one other.</summary>
    Hidden,
    /// <summary>These, but for blocks with a downsample branch, the last of each stage, and units that no activation follows: i-SpaSP's.</summary>
    Blocks,
}

/// <summary>
/// Structured pruning of a trained network by a score of its units (channels, filters, neurons), all groups at once, in rounds with fine-tuning after each. Groups are those that the graph ties
/// together (Fang et al. 2023, arXiv 2301.12900). What it delivers is a smaller dense network.
/// </summary>
public sealed record StructuredPruning : Method
{
    internal const string PhaseName = "structured", PenalizedName = "penalized", ScratchName = "scratch";

    private const ulong Stream = 11;

    private static readonly MethodRow s_row = new(PhaseName, "takes channels, filters and neurons out of a trained network, also those that residual streams share, by a score and to a budget",
        "Fang et al. 2023, arXiv 2301.12900; scores: Li et al. 2017, He et al. 2019, Liu et al. 2017, Molchanov et al. 2017, 2019, Nonnenmacher et al. 2022, Lin et al. 2020")
    {
        Formula = """
            unit-penalty, while the network trains:  slimming: dL/dgamma += lambda sign(gamma);  lasso: w_u <- w_u max(0, 1 - lr lambda sqrt(n_u) / |w_u|) after each update;
                growing: dL/dw_u += lambda 2^(4 (max - |w_u|) / (max - min)) w_u;  w_u: the n_u weights that make unit u
            l1, l2: the norm of a unit's filter;  fpgm: the sum of its distances to the layer's other filters;  bnscale: |gamma|;  hrank: mean rank of its maps
            taylor: (sum of w dL/dw of the weights that read it)^2, averaged over batches (taylor16: |sum| over images);  sosp: |w'g| + |w'Hv| / 2 of the weights that make it
            sospi: |w'g| + sum_v |w'Fv| / 2 over units v, F the Gauss-Newton matrix by sampled labels;  obd: sum of w^2 F_ii / 2
            the units of smallest score go, in each group of layers that share units, or by score / group mean (/ what the unit costs) over all groups, until the share or the budget holds
            """,
        Leaves = "structured.safetensors, a smaller network, with rounds structured1.safetensors, ... of each before the last; without a network to start from, dense.safetensors first, with a penalty penalized.safetensors; scratch.safetensors of the control",
        Example = [("net", "resnet20"), ("init", "runs/dense/dense.safetensors"), ("budget", "macs=0.5")],
        Settings = SettingFactory.As<Method, StructuredPruning>(
        [
            .. UnitTarget.Settings.In<StructuredPruning, UnitTarget>(m => m.Target, (m, v) => m with { Target = v }),
            UnitTarget.AllocationSetting.In<StructuredPruning>(m => m.Target, (m, v) => m with { Target = v }),
            .. UnitSelection.Settings.In<StructuredPruning, UnitSelection>(m => m.Selection, (m, v) => m with { Selection = v }).Select(s => s.Key != "calibration" ? s : s with
            {
                Needs = [new("criterion", "one that sees images, unit-allocation impairment or unit-floor gradients", m => m.Selection.SeesImages || m.Target.Allocation == UnitAllocation.Impairment || m.Floor == UnitFloor.Gradients)],
            }),
            SettingFactory.Choice<StructuredPruning, UnitScope>("unit-scope", "which units may go: all, hidden (between one layer and one other) or blocks (hidden, but for blocks with a downsample branch and the last of each stage)", m => m.Scope, (m, v) => m with { Scope = v }),
            SettingFactory.Choice<StructuredPruning, UnitFloor>("unit-floor", "units that a group keeps at least: none, or gradients (as many as are not redundant by the rank of their gradients)", m => m.Floor, (m, v) => m with { Floor = v }),
            SettingFactory.Choice<StructuredPruning, UnitPenaltyKind>("unit-penalty", "what draws units to 0 while the network, given or new, trains for the epochs of the recipe before it is pruned: slimming (batch-norm weights; then criterion bnscale), lasso (norms of units), growing (squares, more of small units)", m => m.Penalty, (m, v) => m with { Penalty = v }),
            SettingFactory.Number<StructuredPruning>("lambda", "factor of the unit penalty", m => m.Lambda, (m, v) => m with { Lambda = v }, "[0, inf)") with
            {
                Needs = [new("unit-penalty", "slimming, lasso or growing", m => m.Penalty != UnitPenaltyKind.None)],
            },
            SettingFactory.Integer<StructuredPruning>("rounds", "how many times units are taken out, an equal share each time", m => m.Rounds, (m, v) => m with { Rounds = v }, "[1, inf)"),
            SettingFactory.Integer<StructuredPruning>("round-epochs", "epochs of fine-tuning after each round but the last", m => m.RoundEpochs, (m, v) => m with { RoundEpochs = v }, "[1, inf)") with
            {
                Needs = [new("rounds", "2 or more", m => m.Rounds > 1)],
            },
            .. UnitFinetuning.Settings.In<StructuredPruning, UnitFinetuning>(m => m.Finetuning, (m, v) => m with { Finetuning = v }),
            ScratchSetting<StructuredPruning>(m => m.Scratch, (m, v) => m with { Scratch = v }),
        ]),
        StartsTrained = true,
    };

    public UnitTarget Target { get; init; } = new();
    public UnitSelection Selection { get; init; } = new() { Criterion = UnitCriterion.L1 };
    public UnitFinetuning Finetuning { get; init; } = new();
    public UnitScope Scope { get; init; }

    /// <summary>Measured anew in each round.</summary>
    public UnitFloor Floor { get; init; }

    /// <summary>With one, the training before the first round has it, from the network that is given too.</summary>
    public UnitPenaltyKind Penalty { get; init; }

    /// <summary>Factor of <see cref="Penalty"/>, 0 or more. For slimming the default is Liu et al.'s for VGG, who take a tenth for ResNets; for the others it is ours, and depends on network and schedule.</summary>
    public double Lambda { get; init; } = 1e-4;

    public int Rounds { get; init; } = 1;
    public int RoundEpochs { get; init; } = 1;

    /// <summary>The small network is trained from new weights too.</summary>
    public bool Scratch { get; init; }

    internal override MethodRow Row => s_row;

    internal override bool ChangesNetwork => true;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given)
    {
        if (Penalty != UnitPenaltyKind.None) yield return PenalizedPhase(recipe);
        else if (!given) yield return DenseTraining.Phase(recipe);
        for (int round = 1; round <= Rounds; round++) yield return RoundPhase(round);
        if (Scratch) yield return ScratchPhase(recipe);
    }

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        run.ValidateUnits(Target, Selection);
        TrainedNetwork? model = run.Given;
        if (model is null || Penalty != UnitPenaltyKind.None)
        {
            PhaseResult trained = Penalty == UnitPenaltyKind.None ? DenseTraining.Train(run) : Penalize(run);
            yield return trained;
            model = trained.Model;
        }
        Network original = model.Network;
        ImmutableArray<string> names = [.. Groups(original).Select(g => g.Name)];
        for (int round = 1; round <= Rounds; round++)
        {
            PhasePlan phase = RoundPhase(round);
            // Scoring may need a model of its own: both need not fit on the device.
            run.Release();
            run.Continue(Measured(run, phase) ?? Reached(run, phase, Cut(run, model, original, names, round)));
            PhaseResult result = run.Train(phase);
            yield return result;
            model = result.Model;
        }
        if (!Scratch) yield break;
        yield return TrainFromScratch(run, model);
    }

    internal override void Validate(Network network)
    {
        UnitCounts.Validate(Target, Selection, network, Groups(network));
        if (Penalty == UnitPenaltyKind.Slimming && !Groups(network).SelectMany(g => g.Parameters).Any(p => p.Kind == ParameterKind.NormWeight))
            throw new UsageException("the unit-penalty slimming draws batch-norm weights to 0, and the network has no batch-norm behind units that can go.");
    }

    internal override void Validate(Recipe recipe)
    {
        if (Target.Allocation != UnitAllocation.Uniform && !Selection.HasScores)
            throw new UsageException($"the criterion {SettingText.Name(Selection.Criterion)} compares units of one group only: unit-allocation {SettingText.Name(Target.Allocation)} needs another one.");
    }

    internal override string? Ignores(string setting, Recipe recipe, bool given) =>
        Target.Ignores(setting) ?? Finetuning.Ignores(setting, given && !Scratch && Penalty == UnitPenaltyKind.None, alone: Rounds == 1);

    /// <summary>The groups that lose units, in the order of the network.</summary>
    /// <inheritdoc cref="UnitTarget.Of" path="/exception"/>
    private ImmutableArray<PrunableGroup> Groups(Network network)
    {
        ImmutableArray<PrunableGroup> all = PrunableGroups.Find(network).Groups;
        return Target.Of(network, [.. all.Where(g => Scope == UnitScope.All || g.IsHidden && (Scope == UnitScope.Hidden || g.StaysBecause is null))], all);
    }

    /// <summary>With a budget of latency, what a run that is resumed has come to in a phase: measured again, it would be another network. Null where nothing was.</summary>
    private TrainedNetwork? Measured(MethodRun run, PhasePlan phase) => Target.Budget is not { Of: UnitCost.Latency } ? null : run.Delivered(phase.Name) ?? run.Checkpoints?.Reached(phase.Name);

    /// <summary>What was cut, or where a run is resumed on another device, which may cut elsewhere, what the checkpoint goes on with.</summary>
    internal static TrainedNetwork Reached(MethodRun run, PhasePlan phase, TrainedNetwork cut) =>
        run.Checkpoints?.Reached(phase.Name) is { } reached && !reached.Network.HasTensorsOf(cut.Network) ? reached : cut;

    /// <summary>Trains what is given, or a new network as for the dense one, with the penalty.</summary>
    private PhaseResult Penalize(MethodRun run)
    {
        PhasePlan phase = PenalizedPhase(run.Recipe);
        ImmutableArray<PrunableGroup> groups = Groups(run.Model.Network);
        var penalty = new UnitPenalty(run.Model, groups, Penalty, Lambda, phase.LearningRate);
        PhaseResult result = run.Train(phase, penalty, DenseTraining.Stream);
        run.Observer.OnNote($"of {groups.Sum(g => g.Units):N0} units, {groups.Sum(g => CountZero(g, result.Model)):N0} are 0");
        return result;
    }

    /// <summary>Units of which every number is 0.</summary>
    private static int CountZero(PrunableGroup group, TrainedNetwork model) =>
        Enumerable.Range(0, group.Units).Count(u => group.Parameters.All(p => !model.Values[p.Index].AsSpan(u * p.Filter.FanIn, p.Filter.FanIn).ContainsAnyExcept(0f)));

    private TrainedNetwork Cut(MethodRun run, TrainedNetwork model, Network original, ImmutableArray<string> names, int round)
    {
        ImmutableArray<PrunableGroup> groups = UnitCounts.GroupsOf(model.Network, names);
        Calibration calibration = run.NewCalibration(Selection.Calibration, Stream, (ulong)round);
        int[]? floors = Floor == UnitFloor.Gradients ? GradientRank.Measure(model, groups, calibration) : null;
        if (floors is not null)
        {
            groups = [.. groups.Select((group, g) => group with { Floor = floors[g] })];
            run.Observer.OnNote($"gradients keep at least {string.Join(", ", groups.Select(g => $"{g.Floor} of {g.Units} units of {g.Name}"))}");
        }
        double[][]? scores = Selection.HasScores ? Selection.Score(model, groups, calibration) : null;
        int[] kept = run.UnitCounts(Target, original, names).Kept(model.Network, Compared, (double)round / Rounds, floors);
        TrainedNetwork smaller = Selection.Prune(model, groups, kept, calibration, scores);
        run.Observer.OnNote(UnitFinetuning.DescribeSizes(original, smaller.Network)
            + (Target.Budget is { Of: UnitCost.Latency } ? $", {Milliseconds(original)} ms an image {Milliseconds(smaller.Network)} ms" : ""));
        return smaller;

        double[][] Compared() => Target.Allocation == UnitAllocation.Impairment ? Impairment.Measure(model, groups, scores!, calibration) : scores!;

        string Milliseconds(Network of) => (1e3 * Latency.Measure(of, run.Device)).ToString("0.000", CultureInfo.InvariantCulture);
    }

    /// <summary>True for "structured1", "structured2", ...</summary>
    internal static bool IsRound(string phase) => PhasePlan.IsNumbered(phase, PhaseName);

    private PhasePlan RoundPhase(int round) => round < Rounds ? Finetuning.Phase($"{PhaseName}{round}", RoundEpochs) : Finetuning.Phase(PhaseName);

    private static PhasePlan PenalizedPhase(Recipe recipe) => new(PenalizedName, recipe.Epochs, recipe.LearningRate);

    internal static Setting<T> ScratchSetting<T>(Func<T, bool> get, Func<T, bool, T> set) =>
        SettingFactory.Switch("scratch", "a control run after it: the same small network trained from new weights (Liu et al. 2019, arXiv 1810.05270)", get, set);

    /// <summary>The control: a network as this one is, from new weights, under its masks.</summary>
    internal static PhaseResult TrainFromScratch(MethodRun run, TrainedNetwork model)
    {
        run.Continue(Methods.Controls.FromReinit(run.Recipe.Seed, model));
        return run.Train(ScratchPhase(run.Recipe), stream: DenseTraining.Stream);
    }

    internal static PhasePlan ScratchPhase(Recipe recipe) => new(ScratchName, recipe.Epochs, recipe.LearningRate);
}
