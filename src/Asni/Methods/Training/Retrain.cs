using Asni.Settings;

namespace Asni.Methods;

/// <summary>Training of a given network under its mask, with ASNI-II's settings: from the initialization that ASNI-II left, this is ASNI-II.</summary>
public sealed record Retrain : Method
{
    private const string PhaseName = "retrain";

    private static readonly MethodRow s_row = new("retrain", "trains a given network under its mask", "ASNI-II's second half: Damadi, Nouri, Pirsiavash 2023, Algorithm 2")
    {
        Formula = "w <- m * (w - lr (g + decay w)), m fixed",
        Leaves = "retrain.safetensors, in the time of one training",
        Example = [("init", "runs/first/asni2-init.asni")],
        Settings = Retraining.Settings.In<Retrain, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }).As<Method, Retrain>(),
        NeedsStart = true,
    };

    public Retraining Retraining { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [Retraining.Phase(PhaseName, recipe)];

    /// <summary>Random numbers are those of ASNI-II: the same start, recipe and seed give the same network.</summary>
    internal override IEnumerable<PhaseResult> Run(MethodRun run) => [run.Train(Retraining.Phase(PhaseName, run.Recipe), stream: AsniII.Stream)];

    internal override Method Explicit(Recipe recipe) => this with { Retraining = Retraining.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Retraining.Ignores(setting, recipe, alone: true);
}
