using Asni.Settings;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>What weights have to be insensitive to, so that they fall.</summary>
public enum SensitivityKind
{
    /// <summary>The loss.</summary>
    Loss,
    /// <summary>The logit of the image's label, as in sensitivity-driven regularization (SDR).</summary>
    Logit,
}

/// <summary>
/// LOBSTER, loss-based sensitivity regularization (Tartaglione, Bragagnolo, Fiandrotti, Grangetto 2022, arXiv 2011.09905): weights whose gradient is small fall towards 0, and small
/// ones are pruned. The authors choose the threshold anew each time, by how much the loss may grow; here it is a number, and the finish an exact cut. With the sensitivity of logits it is
/// SDR in its specific form (Tartaglione, Lepsoy, Fiandrotti, Francini 2018, arXiv 1810.11764).
/// </summary>
public sealed record Lobster : Method
{
    private const string PhaseName = "lobster";

    private static readonly MethodRow s_row = new("lobster", "draws weights with small gradients to 0 while it trains, prunes and trains what stays (loss-based sensitivity regularization)", "Tartaglione et al. 2022, arXiv 2011.09905")
    {
        Formula = """
            each step w <- w - lr g - lambda w max(0, 1 - s), s = |g|, or with sensitivity logit |dy/dw|, y the mean logit of the batch's labels (SDR: Tartaglione et al. 2018, arXiv 1810.11764);
            after each epoch weights with |w| <= T are pruned; at the end the K = N - round(S N) of largest |w| stay, or those that are left, and are trained again
            """,
        Leaves = "learned.safetensors, trained with the penalty, and lobster.safetensors; in the time of two trainings, with sensitivity logit of three",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Lobster>(
        [
            .. SparseFinish.Settings.In<Lobster, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<Lobster>("lambda", "factor of the penalty", m => m.Lambda, (m, v) => m with { Lambda = v }, "[0, inf)"),
            SettingFactory.Choice<Lobster, SensitivityKind>("sensitivity", "what insensitive weights do not change: the loss, or the logit of the label (SDR; another forward and backward pass a step)",
                m => m.Sensitivity, (m, v) => m with { Sensitivity = v }),
            SettingFactory.Number<Lobster>("prune-below", "after each epoch, weights up to this magnitude are pruned (T)", m => m.Below, (m, v) => m with { Below = v }, "[0, inf)"),
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();

    /// <summary>As the authors have for LeNet-5.</summary>
    public double Lambda { get; init; } = 1e-4;

    public SensitivityKind Sensitivity { get; init; }

    /// <summary>T. Ours.</summary>
    public double Below { get; init; } = 1e-3;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        using BatchGradient? logits = Sensitivity == SensitivityKind.Logit ? run.NewBatchGradient() : null;
        var small = new FloorCut(run.Model, (float)Below, Finish.Least(run), Finish.NotesOfLearned(run));
        foreach (PhaseResult phase in Finish.Run(run, PhaseName, new InsensitivityDecay(run.Model, Lambda, small, logits))) yield return phase;
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override void Validate(Recipe recipe)
    {
        if (Lambda > 1) throw new UsageException($"lambda {SettingText.Text(Lambda)} of lobster is above 1: weights would change their sign at every step.");
        if (Sensitivity == SensitivityKind.Logit && recipe.Lanes > 1) throw new UsageException("sensitivity logit takes the gradient of whole batches: it needs lanes 1.");
    }

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);
}
