using Asni.Methods;
using Asni.Pruning;
using static Asni.Host.Recipes.SettingText;

namespace Asni.Host.Recipes;

/// <summary>The settings of structured pruning, which a saved recipe has when it prunes so.</summary>
internal static class UnitSettings
{
    public static IEnumerable<Setting> All() =>
    [
        Of("ratio", "ispasp: share of the units of each group that stays", (o, t) => o with { Ratio = Number(t) }, o => Text(o.Ratio)),
        Of("ratios", "ispasp: the same by the beginning of a layer's name: layer1=0.4,layer4=1", (o, t) => o with { Ratios = Ratios(t) },
            o => o.Ratios.Count == 0 ? null : string.Join(',', o.Ratios.Select(r => $"{r.Key}={Text(r.Value)}"))),
        Of("criterion", "ispasp: which units stay: ispasp, l1, bnscale, greedy, random", (o, t) => o with { Criterion = Choice<UnitCriterion>(t) }, o => Name(o.Criterion)),
        Of("iterations", "ispasp: iterations of the selection", (o, t) => o with { Iterations = Integer(t) }, o => Text(o.Iterations)),
        Of("calibration", "ispasp: batches x images that the selection sees: 5x256", Calibration, o => $"{Text(o.CalibrationBatches)}x{Text(o.CalibrationBatchSize)}"),
        Of("block-epochs", "ispasp: epochs of fine-tuning after each group", (o, t) => o with { BlockEpochs = Integer(t) }, o => Text(o.BlockEpochs)),
        Of("finetune-epochs", "ispasp: epochs of fine-tuning at the end", (o, t) => o with { FinetuneEpochs = Integer(t) }, o => Text(o.FinetuneEpochs)),
        Of("finetune-lr", "ispasp: learning rate of both", (o, t) => o with { FinetuneRate = Number(t) }, o => Text(o.FinetuneRate)),
        Of("all-blocks", "ispasp: also blocks with a downsample branch and the last of each stage", (o, t) => o with { AllBlocks = Switch(t) }, o => Text(o.AllBlocks))
            with { IsSwitch = true },
    ];

    private static Setting Of(string key, string help, Func<UnitPruningOptions, string, UnitPruningOptions> set, Func<UnitPruningOptions, string?> get) =>
        new(key, help, (s, t) => s with { Recipe = s.Recipe with { Units = set(s.Recipe.Units, t) } },
            s => s.Recipe.Method == MethodKind.ISpaSP ? get(s.Recipe.Units) : null);

    private static UnitPruningOptions Calibration(UnitPruningOptions o, string text)
    {
        string[] parts = text.Split('x');
        if (parts.Length != 2) throw new FormatException("batches x images, such as 5x256");
        return o with { CalibrationBatches = Integer(parts[0]), CalibrationBatchSize = Integer(parts[1]) };
    }

    private static Dictionary<string, double> Ratios(string text)
    {
        var ratios = new Dictionary<string, double>();
        foreach (string item in List(text))
        {
            string[] pair = item.Split('=');
            if (pair.Length != 2 || pair[0].Length == 0) throw new FormatException("a list of layer=ratio, such as layer1=0.4,layer2=0.4");
            ratios[pair[0]] = Number(pair[1]);
        }
        return ratios;
    }
}
