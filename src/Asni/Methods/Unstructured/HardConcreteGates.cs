using Asni.Devices;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// L0 regularization (Louizos, Welling, Kingma 2018, arXiv 1712.01312): each weight has a random gate whose chance to be open is trained, and penalized. The gate is a weight's, as in
/// Gale, Elsen, Hooker 2019 (arXiv 1902.09574); in the authors' code it is a unit's.
/// </summary>
public sealed record HardConcreteGates : Method
{
    private const string PhaseName = "l0";

    /// <summary>b, and the limit of |a|, log 100.</summary>
    private const double Temperature = 2.0 / 3, MostLogAlpha = 4.60517;

    /// <summary>Of the random numbers of the first gates.</summary>
    private const ulong Purpose = 13;

    /// <summary>Of the first gates, before training.</summary>
    private const double Deviation = 0.01;

    private static readonly MethodRow s_row = new(PhaseName, "trains the chance of each weight's random gate to be open, under a penalty on it (L0 regularization)", "Louizos, Welling, Kingma 2018, arXiv 1712.01312")
    {
        Formula = """
            the network computes with v = w z, z = min(1, max(0, 1.2 P((log(u / (1 - u)) + a) / b) - 0.1)), P(y) = 1 / (1 + exp(-y)), b = 2/3, u random in each step; loss + lambda sum P(a - b log(0.1 / 1.1));
            evaluated with min(1, max(0, 1.2 P(a) - 0.1)); what is not 0 there, or the K weights of largest a, stay and are trained as usual
            """,
        Leaves = "learned.safetensors, the network as it was cut, and l0.safetensors; in more than the time of two trainings: each step draws a number for each weight",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, HardConcreteGates>(
        [
            .. SparseFinish.Settings.In<HardConcreteGates, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<HardConcreteGates>("gate-penalty", "penalty on each gate's chance to be open, lambda", m => m.Penalty, (m, v) => m with { Penalty = v }, "[0, inf)"),
            SettingFactory.Number<HardConcreteGates>("gate-dropout", "chance of a gate to be closed at first", m => m.Dropout, (m, v) => m with { Dropout = v }, "(0, 1)"),
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();

    /// <summary>lambda; in the authors' code lambda / N of the training set.</summary>
    public double Penalty { get; init; } = 1e-6;

    public double Dropout { get; init; } = 0.5;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var gates = new GatedWeights(run.Model, Functions(run.Recipe), Finish.Kept(run.Model.Network), Finish.NotesOfLearned(run));
        double mean = Math.Log((1 - Dropout) / Dropout);
        gates.Begin(tensor =>
        {
            var random = SplitMix64.Fork(run.Recipe.Seed, Purpose, (ulong)tensor);
            return () => (float)(mean + Deviation * random.NextNormal());
        });
        return Finish.Run(run, PhaseName, gates);
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);

    private GateFunctions Functions(Recipe recipe)
    {
        float shift = (float)(Temperature * Math.Log(0.1 / 1.1)), closed = (float)-Math.Log(11);
        var trained = new ElementMap(MapFunction.HardConcrete, (float)Temperature, shift, (float)Penalty, Noise: 1);
        var evaluated = new ElementMap(MapFunction.HardConcrete, 1, shift);
        return new(_ => trained, _ => evaluated, (_, a) => a - closed, at => recipe.RuleAt(at))
        {
            Seed = recipe.Seed,
            Noise = Noise.FillLogistic,
            // As often as the authors' code, after each step, would cost more than it gives: within an epoch no gate goes far beyond. Not before the cut, which would find equal ones.
            Change = _ => a => (float)Math.Clamp(a, -MostLogAlpha, MostLogAlpha),
        };
    }
}
