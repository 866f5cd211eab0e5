using System.Collections.Immutable;
using Asni.Engine;
using Asni.Optimizers;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>How a network is trained under its final mask, where that differs from the first training.</summary>
public sealed record Retraining
{
    /// <summary>Null: as many as the recipe has.</summary>
    public int? Epochs { get; init; }

    /// <summary>The learning rate at the start; null: the recipe's.</summary>
    public double? LearningRate { get; init; }

    /// <summary><see cref="LearningRate.CosineStretch"/>; null: the recipe's.</summary>
    public double? CosineStretch { get; init; }

    internal static ImmutableArray<Setting<Retraining>> Settings { get; } =
    [
        SettingFactory.Integer<Retraining>("retrain-epochs", "epochs of training under the final mask (default: epochs)", r => r.Epochs, (r, v) => r with { Epochs = v }, "[1, inf)")
            with { YieldsTo = ("epochs", r => r with { Epochs = null }) },
        SettingFactory.Number<Retraining>("retrain-lr", "initial learning rate under the final mask (default: lr)", r => r.LearningRate, (r, v) => r with { LearningRate = v })
            with { YieldsTo = ("lr", r => r with { LearningRate = null }) },
        SettingFactory.Number<Retraining>("retrain-cosine-stretch", "cosine-stretch under the final mask (default: cosine-stretch)", r => r.CosineStretch, (r, v) => r with { CosineStretch = v })
            with { YieldsTo = ("cosine-stretch", r => r with { CosineStretch = null }) },
    ];

    /// <summary>With the recipe's numbers where this has none.</summary>
    internal Retraining Explicit(Recipe recipe) => new()
    {
        Epochs = Epochs ?? recipe.Epochs,
        LearningRate = LearningRate ?? recipe.LearningRate.Initial,
        CosineStretch = CosineStretch ?? recipe.LearningRate.CosineStretch,
    };

    internal PhasePlan Phase(string name, Recipe recipe) => new(name, Epochs ?? recipe.Epochs, Rate(recipe));

    /// <summary>Dense training, unless a network was given, and then the training after a cut.</summary>
    internal IEnumerable<PhasePlan> PhasesAfterDense(string name, Recipe recipe, bool given)
    {
        if (!given) yield return DenseTraining.Phase(recipe);
        yield return Phase(name, recipe);
    }

    /// <summary>Runs these phases.</summary>
    /// <param name="prune">Prunes the model in between; what it returns moves masks in the training after it.</param>
    internal IEnumerable<PhaseResult> RunAfterDense(MethodRun run, string name, Func<Model, IMaskPolicy?> prune)
    {
        if (run.Given is null)
        {
            PhaseResult dense = DenseTraining.Train(run);
            yield return dense;
            run.Model.Load(dense.Model);
        }
        IMaskPolicy? policy = prune(run.Model);
        yield return run.Train(Phase(name, run.Recipe), policy);
    }

    internal LearningRate Rate(Recipe recipe) => LearningRate is null && CosineStretch is null ? recipe.LearningRate : recipe.LearningRate with
    {
        Initial = LearningRate ?? recipe.LearningRate.Initial,
        CosineStretch = CosineStretch ?? recipe.LearningRate.CosineStretch,
    };

    /// <summary>Why a setting changes nothing; null when it counts.</summary>
    /// <param name="alone">No other phase of the run trains, so that the recipe's own numbers count only where this has none.</param>
    internal string? Ignores(string setting, Recipe recipe, bool alone) => setting switch
    {
        "retrain-cosine-stretch" when recipe.LearningRate.Kind != LearningRateKind.Cosine => "the learning rate follows no cosine",
        "epochs" when alone && Epochs is not null => "retrain-epochs has the number",
        "lr" when alone && LearningRate is not null => "retrain-lr has the rate",
        "cosine-stretch" when alone && CosineStretch is not null => "retrain-cosine-stretch has it",
        _ => null,
    };
}
