using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>Training of what structured pruning leaves: a cosine from its own learning rate to 0.</summary>
public sealed record UnitFinetuning
{
    public int Epochs { get; init; } = 10;
    public double Rate { get; init; } = 0.01;

    internal static ImmutableArray<Setting<UnitFinetuning>> Settings { get; } =
    [
        SettingFactory.Integer<UnitFinetuning>("finetune-epochs", "epochs of fine-tuning at the end", o => o.Epochs, (o, v) => o with { Epochs = v }, "[0, inf)"),
        SettingFactory.Number<UnitFinetuning>("finetune-lr", "learning rate of fine-tuning", o => o.Rate, (o, v) => o with { Rate = v }, "(0, inf)"),
    ];

    internal PhasePlan Phase(string name, int? epochs = null) => new(name, epochs ?? Epochs, new LearningRate { Kind = LearningRateKind.Cosine, Initial = Rate });

    /// <inheritdoc cref="Method.Ignores"/>
    /// <param name="given">The network is given, and is not trained by the recipe.</param>
    /// <param name="alone">Nothing else is fine-tuned.</param>
    internal string? Ignores(string setting, bool given, bool alone) => setting switch
    {
        "distill-weight" or "distill-temperature" when alone && Epochs == 0 => "nothing is fine-tuned",
        "epochs" or "lr" or "lr-policy" or "cosine-stretch" or "lr-steps" or "lr-gamma" or "warmup" when given =>
            "the network that is given is not trained first; finetune-epochs and finetune-lr are for what is left of it",
        _ => null,
    };

    /// <summary>In one line.</summary>
    internal static string DescribeSizes(Network before, Network after) => string.Create(CultureInfo.InvariantCulture,
        $"{before.ParameterCount:N0} parameters became {after.ParameterCount:N0}, {NetworkAnalysis.Analyze(before).Macs / 1e6:N1} M multiply-accumulates {NetworkAnalysis.Analyze(after).Macs / 1e6:N1} M");
}
