using Asni.Devices;
using Asni.Optimizers;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Soft threshold weight reparameterization (Kusupati, Ramanujan, Somani, Wortsman, Jain, Kakade, Farhadi 2020, arXiv 2002.03231): each layer learns the threshold that its weights
/// are pruned by. In the paper the initial threshold and one weight decay, that of the weights too, set when thresholds rise and where they end; here thresholds have a decay of their own, and the time is
/// given, so that it suits a run of any length.
/// </summary>
public sealed record SoftThresholdReparameterization : Method
{
    private const string PhaseName = "str";

    /// <summary>A decay that is not given multiplies s by exp(-this) over the run; and the most until the onset that float holds.</summary>
    private const double UsualExponent = 50, MostExponent = 80;

    /// <summary>s where thresholds begin to prune: 1e-4.</summary>
    private const double OnsetLogit = -9.2;

    private static readonly MethodRow s_row = new(PhaseName, "learns a threshold for each layer, below which weights are 0 (soft threshold reparameterization)", "Kusupati et al. 2020, arXiv 2002.03231")
    {
        Formula = """
            the network computes with v = sign(w) max(0, |w| - P(s)), P(s) = 1 / (1 + exp(-s)), with one s a layer, trained with weight decay d from s0 = -9.2 exp(d sum(lr) / (1 - momentum)), the sum until the onset;
            at the end v is what stays: where it is not 0, or the K weights of largest |w| - P(s); then trained as usual
            """,
        Leaves = "learned.safetensors, the network as it was cut, and str.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("optimizer", "momentum"), ("lr", "0.1"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, SoftThresholdReparameterization>(
        [
            .. SparseFinish.Settings.In<SoftThresholdReparameterization, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<SoftThresholdReparameterization>("onset", "share of the run after which thresholds begin to prune", m => m.Onset, (m, v) => m with { Onset = v }, "[0, 1)"),
            SettingFactory.Number<SoftThresholdReparameterization>("threshold-decay", "weight decay of thresholds; more prunes more (default: 50 by the sum of the rates by 1 - momentum)", m => m.ThresholdDecay, (m, v) => m with { ThresholdDecay = v }, "(0, inf)"),
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();
    public double Onset { get; init; } = 0.3;

    /// <summary>d; null for what multiplies s by exp(-50) over the run. The paper has 2.25e-5 for 90 % of ResNet-50 in 512,000 steps.</summary>
    public double? ThresholdDecay { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        OptimizerSettings optimizer = run.Recipe.Optimizer;
        double decay = ThresholdDecay ?? UsualExponent / Travel(1), exponent = decay * Travel(Onset);
        if (exponent > MostExponent) throw new UsageException($"threshold-decay {SettingText.Text(decay)} is too large for an onset after {SettingText.Text(Onset)} of this run: {SettingText.Text(MostExponent / Travel(Onset))} is the most.");
        double initial = OnsetLogit * Math.Exp(exponent);
        return Finish.Run(run, PhaseName, new ThresholdedWeights(run.Model, initial, at => run.Recipe.RuleAt(at, decay), Finish.Kept(run.Model.Network), Finish.NotesOfLearned(run)));

        // The sum of the rates of all steps until a share of the run, each counted with the momentum that it leaves.
        double Travel(double share)
        {
            double sum = 0, end = share * run.Recipe.Epochs;
            for (int epoch = 0; epoch < end; epoch++) sum += run.Recipe.LearningRate.GetRate(epoch, run.Recipe.Epochs) * Math.Min(1, end - epoch);
            return sum * run.StepsPerEpoch / (1 - optimizer.At(0, 1).Momentum);
        }
    }

    internal override void Validate(Recipe recipe)
    {
        if (recipe.Optimizer.Kind == OptimizerKind.Adam) throw new UsageException("str needs the optimizer sgd, momentum or nesterov: weight decay moves its thresholds, and adam makes all steps alike.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);
}
