using Asni.Devices;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Sparse variational dropout (Molchanov, Ashukha, Vetrov 2017, arXiv 1701.05369): each weight has noise whose variance is trained; weights that are mostly noise are pruned. Noise is
/// the weights', drawn once a step; the paper draws that of each sample's activations.
/// </summary>
public sealed record VariationalDropout : Method
{
    private const string PhaseName = "vd";

    /// <summary>log alpha above which a weight is noise, and log sigma^2 at first.</summary>
    private const float NoiseBorder = 3, InitialLogVariance = -10;

    private static readonly MethodRow s_row = new(PhaseName, "trains the variance of each weight's noise and prunes weights that are mostly noise (sparse variational dropout)", "Molchanov, Ashukha, Vetrov 2017, arXiv 1701.05369")
    {
        Formula = """
            the network computes with v = w + sigma e, e normal in each step; loss + r KL / N, N images, r rising from 0 to its value over the first part of the run, KL the paper's equation 14 of log alpha = log sigma^2 - log w^2;
            evaluated with w where log alpha <= 3; that, or the K weights of smallest log alpha, stay and are trained as usual
            """,
        Leaves = "learned.safetensors, the network as it was cut, and vd.safetensors; in more than the time of two trainings: each step draws a number for each weight",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, VariationalDropout>(
        [
            .. SparseFinish.Settings.In<VariationalDropout, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<VariationalDropout>("divergence-factor", "factor of the divergence from the prior, r", m => m.Factor, (m, v) => m with { Factor = v }, "[0, inf)"),
            SettingFactory.Number<VariationalDropout>("divergence-ramp", "share of the run over which that factor rises from 0", m => m.Ramp, (m, v) => m with { Ramp = v }, "[0, 1]"),
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();

    /// <summary>r; 1 is the paper's.</summary>
    public double Factor { get; init; } = 1;

    public double Ramp { get; init; } = 0.25;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var gates = new GatedWeights(run.Model, Functions(run.Recipe, run.Data.Train.Count), Finish.Kept(run.Model.Network), Finish.NotesOfLearned(run));
        gates.Begin(_ => () => InitialLogVariance);
        return Finish.Run(run, PhaseName, gates);
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);

    /// <param name="images">N.</param>
    private GateFunctions Functions(Recipe recipe, int images)
    {
        var evaluated = new ElementMap(MapFunction.NoiseThreshold, NoiseBorder);
        return new(Trained, _ => evaluated, (w, s) => NoiseBorder - (s - MathF.Log(w * w + 1e-8f)), at => recipe.RuleAt(at))
        {
            Seed = recipe.Seed,
            Noise = Noise.FillNormal,
        };

        ElementMap Trained(StepPoint at)
        {
            double done = at.Done / ((double)at.Epochs * at.StepsPerEpoch), ramp = Ramp == 0 ? 1 : Math.Min(1, done / Ramp);
            return new(MapFunction.GaussianNoise, Penalty: (float)(ramp * Factor / images), Noise: 1);
        }
    }
}
