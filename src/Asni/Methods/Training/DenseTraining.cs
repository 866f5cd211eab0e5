using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>Training without pruning: what sparse networks are compared with.</summary>
public sealed record DenseTraining : Method
{
    internal const string PhaseName = "dense";
    internal const ulong Stream = 0;

    private static readonly MethodRow s_row = new("dense", "trains all weights: what the others are compared with", "")
    {
        Formula = "w <- w - lr (g + decay w)   (sgd; momentum, nesterov and adam as PyTorch's)",
        Leaves = "dense.safetensors, in the time of one training",
        Example = [("net", "lenet300")],
    };

    internal override MethodRow Row => s_row;

    internal static PhasePlan Phase(Recipe recipe) => new(PhaseName, recipe.Epochs, recipe.LearningRate);

    /// <summary>The same whatever method it is a part of.</summary>
    /// <param name="policy">May look on, and changes no mask.</param>
    internal static PhaseResult Train(MethodRun run, IMaskPolicy? policy = null) => run.Train(Phase(run.Recipe), policy, Stream);

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [Phase(recipe)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run) => [Train(run)];
}
