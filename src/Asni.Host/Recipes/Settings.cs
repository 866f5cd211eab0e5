using Asni.Data;
using Asni.Formats;
using Asni.Methods;
using Asni.Optimizers;
using Asni.Pruning;
using static Asni.Host.Recipes.SettingText;

namespace Asni.Host.Recipes;

/// <summary>Every setting of a run, in the order of help and of recipe.yaml: the one place that names them.</summary>
internal static class Settings
{
    /// <summary>The changes that CIFAR training makes to its images: a crop after padding by 4, and a flip; of image files a random part, and a flip.</summary>
    private static readonly Augmentation s_augmentation = new(CropPadding: 4, Flip: true);

    public static IReadOnlyList<Setting> All { get; } =
    [
        .. What(), .. Training(), .. Rate(), .. Schedule(), .. Pruning(), .. Second(), .. UnitSettings.All(),
    ];

    public static Setting? Find(string key) => All.FirstOrDefault(s => s.Key == key);

    private static IEnumerable<Setting> What() =>
    [
        new("net", "network: lenet300, conv2, conv4, conv6, vgg16, resnet18, ... (asni info --net X shows it)",
            (s, t) => s with { Recipe = s.Recipe with { Network = t } }, s => s.Recipe.Network),
        new("data", "dataset: " + string.Join(", ", Datasets.Names),
            (s, t) => s with { Recipe = s.Recipe with { Data = t } }, s => s.Recipe.Data),
        new("input", "input as CxHxW; when absent the dataset's own, of image files the network's",
            (s, t) => s with { Recipe = s.Recipe with { Input = Chw(t) } }, s => s.Recipe.Input is { } c ? Text(c) : null),
        new("limit", "train on the first N images only; the test images stay as many as there are",
            (s, t) => s with { Limit = Integer(t) }, s => s.Limit is { } n ? Text(n) : null),
        new("init", "network file to start from, taken by names: .asni, .safetensors, .pt",
            (s, t) => s with { Init = FilePath(t) }, s => s.Init),
        new("match", "tensors of --init by names, or by order where names do not fit and shapes do: names, order",
            (s, t) => s with { Match = Choice<MatchKind>(t) }, s => s.Match is { } m ? Name(m) : null),
        new("zeros", "zeros of --init in a file without masks: pruned (the default of retrain), live",
            (s, t) => s with { Zeros = Choice<ZeroWeights>(t) }, s => s.Zeros is { } z ? Name(z) : null),
        new("strict", "every tensor of --init and of the network must fit (the default of retrain)",
            (s, t) => s with { Strict = Switch(t) }, s => s.Strict is { } b ? Text(b) : null) { IsSwitch = true, OffHelp = "take what fits of --init" },
        new("method", "asni (ASNI-I, then ASNI-II), asni1, dense, retrain (of --init under its mask), ispasp (units taken out of --init or after dense training)",
            (s, t) => s with { Recipe = s.Recipe with { Method = Choice<MethodKind>(t) } }, s => Name(s.Recipe.Method)),
        new("seed", "seed of everything random",
            (s, t) => s with { Recipe = s.Recipe with { Seed = Seed(t) } },
            s => s.Recipe.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)),
    ];

    private static IEnumerable<Setting> Training() =>
    [
        new("epochs", "epochs of a phase; scale1, scale2, rest, lr-steps and warmup keep their proportion to it unless given",
            (s, t) => s with { Recipe = s.Recipe with { Epochs = Integer(t) } }, s => Text(s.Recipe.Epochs)),
        new("retrain-epochs", "epochs of ASNI-II and the controls; as epochs when absent",
            (s, t) => s with { Recipe = s.Recipe with { RetrainEpochs = Integer(t) } }, s => s.Recipe.RetrainEpochs is { } n ? Text(n) : null),
        new("batch", "images a step",
            (s, t) => s with { Recipe = s.Recipe with { BatchSize = Integer(t) } }, s => Text(s.Recipe.BatchSize)),
        new("augment", "crop after padding by 4 (of image files: a random part), and flip (--no-augment: neither)",
            (s, t) => s with { Recipe = s.Recipe with { Augmentation = Switch(t) ? s_augmentation : Augmentation.None } },
            s => Text(s.Recipe.Augmentation != Augmentation.None)) { IsSwitch = true, OffHelp = "images as they are" },
        new("optimizer", "sgd, momentum, nesterov, adam",
            (s, t) => Optimizer(s, o => o with { Kind = Choice<OptimizerKind>(t) }), s => Name(s.Recipe.Optimizer.Kind)),
        new("momentum", "of momentum and nesterov",
            (s, t) => Optimizer(s, o => o with { Momentum = Number(t) }), s => Text(s.Recipe.Optimizer.Momentum)),
        new("weight-decay", "L2 penalty added to the gradient",
            (s, t) => Optimizer(s, o => o with { WeightDecay = Number(t) }), s => Text(s.Recipe.Optimizer.WeightDecay)),
        new("label-smoothing", "share of the label spread over all classes",
            (s, t) => s with { Recipe = s.Recipe with { LabelSmoothing = Number(t) } }, s => Text(s.Recipe.LabelSmoothing)),
    ];

    private static IEnumerable<Setting> Rate() =>
    [
        new("lr", "learning rate at the start",
            (s, t) => LearningRate(s, r => r with { Initial = Number(t) }), s => Text(s.Recipe.LearningRate.Initial)),
        new("lr-policy", "constant, cosine, multistep",
            (s, t) => LearningRate(s, r => r with { Kind = Choice<LearningRateKind>(t) }), s => Name(s.Recipe.LearningRate.Kind)),
        new("cosine-stretch", "k of lr/2 (1 + cos(pi e / (k E)))",
            (s, t) => LearningRate(s, r => r with { CosineStretch = Number(t) }), s => Text(s.Recipe.LearningRate.CosineStretch)),
        new("lr-steps", "epochs at which multistep multiplies the rate: 80,120",
            (s, t) => LearningRate(s, r => r with { Steps = [.. List(t).Select(Integer)] }),
            s => s.Recipe.LearningRate.Steps.IsEmpty ? null : string.Join(',', s.Recipe.LearningRate.Steps.Select(n => Text(n)))),
        new("lr-gamma", "what multistep multiplies by",
            (s, t) => LearningRate(s, r => r with { Gamma = Number(t) }), s => Text(s.Recipe.LearningRate.Gamma)),
        new("warmup", "epochs of linear warm-up before the policy",
            (s, t) => LearningRate(s, r => r with { WarmupEpochs = Integer(t) }), s => Text(s.Recipe.LearningRate.WarmupEpochs)),
        new("retrain-lr", "learning rate of ASNI-II and the controls; as lr when absent",
            (s, t) => s with { RetrainRate = Number(t) }, s => s.RetrainRate is { } x ? Text(x) : null),
        new("retrain-cosine-stretch", "cosine-stretch of ASNI-II and the controls; as cosine-stretch when absent",
            (s, t) => s with { RetrainStretch = Number(t) }, s => s.RetrainStretch is { } x ? Text(x) : null),
    ];

    private static IEnumerable<Setting> Schedule() =>
    [
        new("sparsity", "final share of weights pruned, in place of mag1: 0.97",
            (s, t) => s with { Sparsity = Number(t) }, s => s.Sparsity is { } x ? Text(x) : null),
        new("schedule", "sigmoid, sine",
            (s, t) => Schedule(s, p => p with { Kind = Choice<ScheduleKind>(t) }), s => Name(s.Recipe.Schedule.Kind)),
        new("mag1", "height of the schedule's first phase, a fraction",
            (s, t) => Schedule(s, p => p with { Mag1 = Number(t) }), s => s.Sparsity is null ? Text(s.Recipe.Schedule.Mag1) : null),
        new("trans1", "its middle, a fraction of the phase",
            (s, t) => Schedule(s, p => p with { Trans1 = Number(t) }), s => Text(s.Recipe.Schedule.Trans1)),
        new("scale1", "its width in epochs (sine: its period as a multiple of the run)",
            (s, t) => Schedule(s, p => p with { Scale1 = Number(t) }), s => Text(s.Recipe.Schedule.Scale1)),
        new("rest", "epochs of the first phase; all when absent",
            (s, t) => Schedule(s, p => p with { Rest = Integer(t) }), s => s.Recipe.Schedule.Rest is { } n ? Text(n) : null),
        new("mag2", "as mag1, of the second phase",
            (s, t) => Schedule(s, p => p with { Mag2 = Number(t) }), s => Text(s.Recipe.Schedule.Mag2)),
        new("trans2", "as trans1, of the second phase",
            (s, t) => Schedule(s, p => p with { Trans2 = Number(t) }), s => Text(s.Recipe.Schedule.Trans2)),
        new("scale2", "as scale1, of the second phase",
            (s, t) => Schedule(s, p => p with { Scale2 = Number(t) }), s => Text(s.Recipe.Schedule.Scale2)),
        new("exponent", "of the sine schedule",
            (s, t) => Schedule(s, p => p with { Exponent = Number(t) }), s => Text(s.Recipe.Schedule.Exponent)),
    ];

    private static IEnumerable<Setting> Pruning() =>
    [
        new("local", "prune each layer to the target by itself instead of all together",
            (s, t) => Pruning(s, p => p with { Local = Switch(t) }), s => Text(s.Recipe.Pruning.Local)) { IsSwitch = true },
        new("prune-biases", "prune biases with the weights",
            (s, t) => Pruning(s, p => p with { Biases = Switch(t) }), s => Text(s.Recipe.Pruning.Biases)) { IsSwitch = true },
        new("prune-every", "prune every N steps instead of after each epoch",
            (s, t) => Pruning(s, p => p with { EverySteps = Integer(t) }), s => s.Recipe.Pruning.EverySteps is { } n ? Text(n) : null),
        new("min-kept", "weights that each layer keeps whatever happens",
            (s, t) => Pruning(s, p => p with { MinimumKept = Integer(t) }), s => Text(s.Recipe.Pruning.MinimumKept)),
    ];

    private static IEnumerable<Setting> Second() =>
    [
        new("centroids", "the two numbers a layer: sign (mean of each sign) or lloyd (two means)",
            (s, t) => s with { Recipe = s.Recipe with { Centroids = Choice<CentroidKind>(t) } }, s => Name(s.Recipe.Centroids)),
        new("quantize-biases", "ASNI-II starts biases from two numbers as well, not from 0",
            (s, t) => s with { Recipe = s.Recipe with { QuantizeBiases = Switch(t) } }, s => Text(s.Recipe.QuantizeBiases)) { IsSwitch = true },
        new("controls", "control runs after ASNI-II: ticket,reinit,shuffle",
            (s, t) => s with { Recipe = s.Recipe with { Controls = Controls(t) } }, s => ControlNames(s.Recipe.Controls)),
    ];

    private static RunSettings Optimizer(RunSettings s, Func<OptimizerSettings, OptimizerSettings> change) =>
        s with { Recipe = s.Recipe with { Optimizer = change(s.Recipe.Optimizer) } };

    private static RunSettings LearningRate(RunSettings s, Func<LearningRate, LearningRate> change) =>
        s with { Recipe = s.Recipe with { LearningRate = change(s.Recipe.LearningRate) } };

    private static RunSettings Schedule(RunSettings s, Func<SparsitySchedule, SparsitySchedule> change) =>
        s with { Recipe = s.Recipe with { Schedule = change(s.Recipe.Schedule) } };

    private static RunSettings Pruning(RunSettings s, Func<PruningOptions, PruningOptions> change) =>
        s with { Recipe = s.Recipe with { Pruning = change(s.Recipe.Pruning) } };

    private static ControlRuns Controls(string text)
    {
        ControlRuns controls = ControlRuns.None;
        foreach (string name in List(text)) controls |= Choice<ControlRuns>(name);
        return controls;
    }

    private static string? ControlNames(ControlRuns controls)
    {
        var names = Enum.GetValues<ControlRuns>().Where(c => c != ControlRuns.None && controls.HasFlag(c)).Select(c => Name(c)).ToList();
        return names.Count == 0 ? null : string.Join(',', names);
    }
}
