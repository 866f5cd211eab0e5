using System.Collections.Immutable;
using Asni.Data;
using Asni.Distributed;
using Asni.Formats;
using Asni.Methods;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Settings;
using static Asni.Settings.SettingFactory;

namespace Asni.Host.Recipes;

/// <summary>Every setting of a run, in the order of help and of recipe.yaml: those that all methods share, and those of each method.</summary>
internal static class RunSettingList
{
    /// <summary>The changes that CIFAR training makes to its images: a crop after padding by 4, and a flip; of image files a random part, and a flip.</summary>
    private static readonly Augmentation s_augmentation = new(CropPadding: 4, Flip: true);

    /// <summary>What every run has.</summary>
    public static ImmutableArray<Setting<RunSettings>> Shared { get; } = [.. What(), .. Training().In<RunSettings, Recipe>(s => s.Recipe, (s, r) => s with { Recipe = r }),
        .. Optimizing().In<RunSettings, OptimizerSettings>(s => s.Recipe.Optimizer, (s, o) => s with { Recipe = s.Recipe with { Optimizer = o } }),
        .. Rate().In<RunSettings, LearningRate>(s => s.Recipe.LearningRate, (s, r) => s with { Recipe = s.Recipe with { LearningRate = r } })];

    /// <summary>What a method reads besides.</summary>
    public static ImmutableArray<Setting<RunSettings>> Own(Method method) =>
        method.Row.Settings.In<RunSettings, Method>(s => s.Recipe.Method, (s, m) => s with { Recipe = s.Recipe with { Method = m } });

    /// <summary>What a run by this method reads.</summary>
    public static ImmutableArray<Setting<RunSettings>> ForMethod(Method method) => [.. Shared, .. Own(method)];

    /// <summary>Each key once, in the words of the first method that has it.</summary>
    public static ImmutableArray<Setting<RunSettings>> All { get; } = [.. Shared.Concat(Method.All.SelectMany(m => Own(m))).DistinctBy(s => s.Key)];

    public static Setting<RunSettings>? Find(string key) => All.FirstOrDefault(s => s.Key == key);

    /// <summary>The methods that read a setting; all when it is shared.</summary>
    public static IEnumerable<Method> Readers(string key) => Shared.Any(s => s.Key == key) ? Method.All : Method.All.Where(m => m.Row.Settings.Any(s => s.Key == key));

    /// <summary>What a setting is, for each method that has it in that method's words.</summary>
    public static string Help(Setting<RunSettings> setting)
    {
        if (Shared.Any(s => s.Key == setting.Key)) return setting.Summary;
        var readers = Readers(setting.Key).GroupBy(m => m.Row.Settings.First(s => s.Key == setting.Key).Summary, m => m.Name);
        return string.Join("; ", readers.Select(same => $"{string.Join(", ", same)}: {same.Key}"));
    }

    private static IEnumerable<Setting<RunSettings>> What() =>
    [
        new("net", "network: lenet300, conv2, conv4, conv6, vgg16, resnet18, ... (asni info --net X shows it)",
            (s, t) => s with { Recipe = s.Recipe with { Network = t } }, s => s.Recipe.Network),
        new("data", "dataset: " + string.Join(", ", Datasets.Names),
            (s, t) => s with { Recipe = s.Recipe with { Data = t } }, s => s.Recipe.Data),
        new("input", "input size, CxHxW (default: the dataset's; for image files the network's)",
            (s, t) => s with { Recipe = s.Recipe with { Input = SettingText.Chw(t) } }, s => s.Recipe.Input is { } c ? SettingText.Text(c) : null),
        Integer<RunSettings>("limit", "train on the first N images only; the test set is not shortened", s => s.Limit, (s, v) => s with { Limit = v }),
        new("init", "network file to start from, matched by tensor names: .asni, .safetensors, .pt", (s, t) => s with { Init = SettingText.FilePath(t) }, s => s.Init),
        Choice<RunSettings, MatchKind>("match", "assign the tensors of --init by name, or by order where names do not match and shapes do: names, order", s => s.Match, (s, v) => s with { Match = v }),
        Choice<RunSettings, ZeroWeights>("zeros", "treat zeros of an --init file without masks as pruned (the default of retrain) or live", s => s.Zeros, (s, v) => s with { Zeros = v }),
        new("strict", "every tensor of --init and of the network must match (the default of ispasp, retrain, sglp and structured)",
            (s, t) => s with { Strict = SettingText.Switch(t) }, s => s.Strict is { } b ? SettingText.Text(b) : null) { IsSwitch = true, OffSummary = "load the tensors of --init that match, initialize the others" },
        new("method", "method: " + string.Join(", ", Method.All.Select(m => m.Name)) + " (asni methods describes them)",
            (s, t) => Method.Find(t) is not null ? s : throw new FormatException($"one of {string.Join(", ", Method.All.Select(m => m.Name))}{Suggestion.For(t, Method.All.Select(m => m.Name))}"),
            s => s.Recipe.Method.Name),
        new("seed", "seed of all random numbers", (s, t) => s with { Recipe = s.Recipe with { Seed = SettingText.Seed(t) } },
            s => s.Recipe.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)),
    ];

    private static IEnumerable<Setting<Recipe>> Training() =>
    [
        Integer<Recipe>("epochs", "epochs per phase; scale1, scale2, rest, rewind-epoch, lr-steps, linear-from and warmup scale with it unless they are given", r => r.Epochs, (r, v) => r with { Epochs = v }),
        Integer<Recipe>("batch", "images per training step", r => r.BatchSize, (r, v) => r with { BatchSize = v }),
        Integer<Recipe>("lanes", "equal parts of a batch that are computed one after another, in the memory of one; batch-norm normalizes within each (default: 1, where --batch is given)", r => r.Lanes, (r, v) => r with { Lanes = v })
            with { YieldsTo = ("batch", r => r with { Lanes = 1 }) },
        Choice<Recipe, SumOrder>("reduce", "how ranks on GPUs add their gradients: ordered, with the bits of one rank; host, likewise but without NCCL; fast, in an order of NCCL's own", r => r.Reduce, (r, v) => r with { Reduce = v }),
        Switch<Recipe>("augment", "augment images: random crop after padding by 4 (image files: random resized crop) and horizontal flip",
            r => r.Augmentation != Augmentation.None, (r, v) => r with { Augmentation = v ? s_augmentation : Augmentation.None }) with { OffSummary = "train without augmentation" },
        Number<Recipe>("label-smoothing", "share of the label that is spread over all classes", r => r.LabelSmoothing, (r, v) => r with { LabelSmoothing = v }),
        Number<Recipe>("distill-weight", "share of the loss that is learnt from the logits of the dense network that the run trains first, or else starts from: knowledge distillation", r => r.DistillWeight, (r, v) => r with { DistillWeight = v }, "[0, 1]"),
        Number<Recipe>("distill-temperature", "what logits of both networks are divided by there", r => r.DistillTemperature, (r, v) => r with { DistillTemperature = v }, "[0.01, 100]") with
        {
            Needs = [new("distill-weight", "above 0", r => r.DistillWeight > 0)],
        },
        new("recalibrate", "batches x images, such as 5x256: batch-norm's statistics are measured anew on these before the last evaluation of each phase", (r, t) => r with { Recalibrate = ImageBatches.Parse(t) }, r => r.Recalibrate?.ToString())
            { Values = ImageBatches.Words },
    ];

    private static IEnumerable<Setting<OptimizerSettings>> Optimizing() =>
    [
        Choice<OptimizerSettings, OptimizerKind>("optimizer", "optimizer: sgd, momentum, nesterov, adam", o => o.Kind, (o, v) => o with { Kind = v }),
        Number<OptimizerSettings>("momentum", "momentum coefficient, for momentum and nesterov", o => o.Momentum, (o, v) => o with { Momentum = v })
            with { Needs = [new("optimizer", "momentum or nesterov", o => o.Kind is OptimizerKind.Momentum or OptimizerKind.Nesterov)] },
        Number<OptimizerSettings>("weight-decay", "L2 penalty added to the gradient", o => o.WeightDecay, (o, v) => o with { WeightDecay = v }),
    ];

    private static IEnumerable<Setting<LearningRate>> Rate()
    {
        var multistep = new Need<LearningRate>("lr-policy", "multistep", r => r.Kind == LearningRateKind.Multistep);
        return
        [
            Number<LearningRate>("lr", "initial learning rate", r => r.Initial, (r, v) => r with { Initial = v }),
            Choice<LearningRate, LearningRateKind>("lr-policy", "learning-rate policy: constant, cosine, multistep, linear", r => r.Kind, (r, v) => r with { Kind = v }),
            Number<LearningRate>("cosine-stretch", "k in lr/2 (1 + cos(pi e / (k E)))", r => r.CosineStretch, (r, v) => r with { CosineStretch = v })
                with { Needs = [new("lr-policy", "cosine", r => r.Kind == LearningRateKind.Cosine)] },
            new("lr-steps", "epochs at which multistep multiplies the learning rate, such as 80,120", (r, t) => r with { Steps = [.. SettingText.Integers(t)] },
                r => r.Steps.IsEmpty ? null : string.Join(',', r.Steps.Select(n => SettingText.Text(n))))
            {
                Stretch = (r, factor) => r with { Steps = [.. Stretched(r.Steps, factor)] },
                Needs = [multistep],
            },
            Number<LearningRate>("lr-gamma", "factor of multistep", r => r.Gamma, (r, v) => r with { Gamma = v }) with { Needs = [multistep] },
            Integer<LearningRate>("linear-from", "epoch from which linear falls along a line to 0 at the end; in a phase of fewer epochs the rate is constant", r => r.LinearFrom, (r, v) => r with { LinearFrom = v }) with
            {
                Needs = [new("lr-policy", "linear", r => r.Kind == LearningRateKind.Linear)],
                Stretch = (r, factor) => r with { LinearFrom = (int)Math.Round(r.LinearFrom * factor) },
            },
            Integer<LearningRate>("warmup", "epochs of linear warm-up before the policy", r => r.WarmupEpochs, (r, v) => r with { WarmupEpochs = v })
                with { Stretch = (r, factor) => r with { WarmupEpochs = (int)Math.Round(r.WarmupEpochs * factor) } },
        ];
    }

    /// <summary>The epochs of a run that is shorter or longer; those of a very short one stay apart, where a run may end before the last.</summary>
    private static IEnumerable<int> Stretched(IEnumerable<int> steps, double factor)
    {
        int before = 0, last = 0;
        foreach (int step in steps)
        {
            int stretched = (int)Math.Round(step * factor);
            yield return last = step > before ? Math.Max(stretched, last + 1) : stretched;
            before = step;
        }
    }
}
