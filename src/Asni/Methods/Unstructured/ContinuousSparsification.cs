using Asni.Devices;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Continuous sparsification (Savarese, Silva, Maire 2020, arXiv 1912.04427): each weight has a gate that is trained with it, soft at first, ever harder; then what was open is trained
/// again from an early point.
/// </summary>
public sealed record ContinuousSparsification : Method
{
    private const string PhaseName = "cs", GatesName = "cs-gates";

    private static readonly MethodRow s_row = new(PhaseName, "trains a gate for each weight, ever harder; then trains the open ones from an early point", "Savarese, Silva, Maire 2020, arXiv 1912.04427")
    {
        Formula = """
            the network computes with v = w P(b s) / P(s0), P(y) = 1 / (1 + exp(-y)); loss + lambda sum P(b s); b = B^(e / (E - 1)) in epoch e of the E of a round; after a round s <- min(b s, s0);
            after the last, the weights with s > 0, or the K with the largest s, go back to their values after epoch k and are trained to the end
            """,
        Leaves = "cs-gates.safetensors and cs.safetensors, in the time of a training for each round and one more",
        Example = [("net", "lenet300"), ("sparsity", "0.95"), ("rounds", "1")],
        Settings = SettingFactory.As<Method, ContinuousSparsification>(
        [
            .. SparseFinish.CutSettings.In<ContinuousSparsification, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Integer<ContinuousSparsification>("rounds", "trainings of the gates, one after the other", m => m.Rounds, (m, v) => m with { Rounds = v }, "[1, inf)"),
            SettingFactory.Number<ContinuousSparsification>("gate-init", "gates at first, s0; lower prunes more", m => m.Initial, (m, v) => m with { Initial = v }, "[-10, 10]"),
            SettingFactory.Number<ContinuousSparsification>("gate-penalty", "penalty on open gates, lambda", m => m.Penalty, (m, v) => m with { Penalty = v }, "[0, inf)"),
            SettingFactory.Number<ContinuousSparsification>("gate-hardness", "hardness of the gates at a round's end, B", m => m.Hardness, (m, v) => m with { Hardness = v }, "[1, 1000]"),
            SettingFactory.Integer<ContinuousSparsification>("rewind-epoch", "epoch that weights go back to, k (default: 2, or the last but one of a shorter training)", m => m.RewindEpoch, (m, v) => m with { RewindEpoch = v }, "[0, inf)")
                with { Stretch = (m, factor) => m with { RewindEpoch = m.RewindEpoch is { } epoch ? Imp.Stretched(epoch, factor) : null } },
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();
    public int Rounds { get; init; } = 3;
    public double Initial { get; init; }
    public double Penalty { get; init; } = 1e-8;
    public double Hardness { get; init; } = 200;

    /// <summary>k; null for 2, or what a shorter training has before its last epoch.</summary>
    public int? RewindEpoch { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given)
    {
        yield return new(GatesName, Rounds * recipe.Epochs, recipe.LearningRate with { Period = recipe.Epochs });
        yield return new(PhaseName, recipe.Epochs, recipe.LearningRate) { Begin = new TrainingTime(EpochBack(recipe), 0) };
    }

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        long back = (long)EpochBack(run.Recipe) * run.StepsPerEpoch;
        TrainedNetwork? initial = back == 0 ? run.Model.TakeSnapshot() : null;
        var gates = new GatedWeights(run.Model, Functions(run.Recipe), Finish.Kept(run.Model.Network), Finish.NotesOfLearned(run));
        gates.Begin(_ => () => (float)Initial);
        var keep = new TakeAtStep(back, () => run.RewindPoint = run.Model.TakeSnapshot().RequireFinite(GatesName));
        PhasePlan[] phases = [.. Phases(run.Recipe, given: false)];
        PhaseResult opened = run.Train(phases[0], initial is null ? new PolicySequence(gates, keep) : gates);
        yield return opened;
        run.Model.Load((initial ?? run.RewindPoint!) with { Masks = opened.Model.Masks });
        yield return run.Train(phases[1]);
    }

    internal override void Validate(Recipe recipe)
    {
        if ((long)Rounds * recipe.Epochs > int.MaxValue) throw new UsageException($"{Rounds} rounds of {recipe.Epochs} epochs are more than {int.MaxValue} epochs.");
        if (RewindEpoch >= recipe.Epochs) throw new UsageException($"rewind-epoch {RewindEpoch} is not before the end of a training of {recipe.Epochs} epochs.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override Method Explicit(Recipe recipe) => this with { RewindEpoch = EpochBack(recipe) };

    private GateFunctions Functions(Recipe recipe)
    {
        return new(Map, Map, (_, s) => s, at => recipe.RuleAt(InRound(at)))
        {
            Restarts = true,
            Change = at => (at.Epoch + 1) % recipe.Epochs == 0 ? s => MathF.Min((float)Hardness * s, (float)Initial) : null,
        };

        StepPoint InRound(StepPoint at) => at with { Epoch = at.Epoch % recipe.Epochs, Epochs = recipe.Epochs };

        ElementMap Map(StepPoint at)
        {
            double hardness = recipe.Epochs == 1 ? Hardness : Math.Pow(Hardness, InRound(at).Epoch / (recipe.Epochs - 1.0));
            return new(MapFunction.SigmoidGate, (float)hardness, (float)(1 + Math.Exp(-Initial)), (float)Penalty);
        }
    }

    private int EpochBack(Recipe recipe) => RewindEpoch ?? Math.Min(2, recipe.Epochs - 1);
}
