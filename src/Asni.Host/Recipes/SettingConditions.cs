using Asni.Methods;
using Asni.Optimizers;
using Asni.Pruning;

namespace Asni.Host.Recipes;

/// <summary>Under which other settings a setting counts: a flag that would change nothing is refused.</summary>
internal static class SettingConditions
{
    private sealed record Condition(Func<RunSettings, bool> Holds, string Words, params string[] Keys);

    private static readonly Condition[] s_conditions =
    [
        new(s => s.Recipe.Prunes, "--method asni or asni1", "sparsity", "schedule", "mag1", "trans1", "scale1", "rest", "mag2", "trans2", "scale2", "exponent", "local",
            "prune-biases", "prune-every", "min-kept"),
        new(s => s.Recipe.Method == MethodKind.Asni, "--method asni", "centroids", "quantize-biases", "controls"),
        new(s => s.Recipe.Method is MethodKind.Asni or MethodKind.Retrain, "--method asni or retrain", "retrain-epochs", "retrain-lr", "retrain-cosine-stretch"),
        new(s => s.Recipe.Method == MethodKind.ISpaSP, "--method ispasp", [.. UnitSettings.All().Select(s => s.Key)]),
        new(s => s.Recipe.Method != MethodKind.ISpaSP || s.Init is null, "dense training first, which --init has behind it (--finetune-epochs is for the rest)", "epochs", "lr", "lr-policy", "warmup"),
        new(s => s.Recipe.Method != MethodKind.Retrain || s.Recipe.RetrainEpochs is null, "a first phase; --retrain-epochs has this one's", "epochs"),
        new(s => s.Recipe.Optimizer.Kind is OptimizerKind.Momentum or OptimizerKind.Nesterov, "--optimizer momentum or nesterov", "momentum"),
        new(s => s.Recipe.LearningRate.Kind == LearningRateKind.Cosine, "--lr-policy cosine", "cosine-stretch", "retrain-cosine-stretch"),
        new(s => s.Recipe.LearningRate.Kind == LearningRateKind.Multistep, "--lr-policy multistep", "lr-steps", "lr-gamma"),
        new(s => s.Recipe.Schedule.Kind == ScheduleKind.Sine, "--schedule sine", "exponent"),
        new(s => s.Recipe.Schedule.Kind == ScheduleKind.Sigmoid, "--schedule sigmoid", "trans1", "rest", "mag2", "trans2", "scale2"),
        new(s => s.Recipe.Schedule.Rest < s.Recipe.Epochs, "a second phase, of --rest below --epochs", "mag2", "trans2", "scale2"),
    ];

    /// <summary>What the finished settings lack for this one to count, in words; null when it does.</summary>
    public static string? Missing(string key, RunSettings settings) =>
        s_conditions.FirstOrDefault(c => c.Keys.Contains(key) && !c.Holds(settings))?.Words;
}
