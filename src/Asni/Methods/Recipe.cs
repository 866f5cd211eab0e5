using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>Everything a run depends on. Resolved from defaults, a recipe file and flags; saved with the run.</summary>
public sealed record Recipe
{
    public string Network { get; init; } = "lenet300";
    public string Data { get; init; } = "mnist";

    /// <summary>Input as CxHxW; null for the dataset's own.</summary>
    public Chw? Input { get; init; }
    public Method Method { get; init; } = new AsniII();
    public int Epochs { get; init; } = 50;
    public int BatchSize { get; init; } = 60;

    /// <summary>
    /// Equal parts of a batch that are computed one after another, with the memory of one: their gradients are added, and batch-norm normalizes within each. The mean over them of its running
    /// statistics is kept.
    /// </summary>
    public int Lanes { get; init; } = 1;

    /// <summary>How several ranks add their gradients up.</summary>
    public SumOrder Reduce { get; init; }

    public OptimizerSettings Optimizer { get; init; } = new();
    public LearningRate LearningRate { get; init; } = new();

    public double LabelSmoothing { get; init; }

    /// <summary>Training images that batch-norm's statistics are measured anew on before the last evaluation of each phase; null: they stay as training left them.</summary>
    public ImageBatches? Recalibrate { get; init; }

    /// <summary>
    /// Share of the loss, [0, 1], that is learnt from the dense network of the run, the one it trains first or else starts from, in the phases that follow: knowledge distillation (Hinton, Vinyals,
    /// Dean 2015, arXiv 1503.02531). 0: none.
    /// </summary>
    public double DistillWeight { get; init; }

    /// <summary>What logits of both networks are divided by there, [0.01, 100].</summary>
    public double DistillTemperature { get; init; } = 4;

    public Augmentation Augmentation { get; init; }
    public ulong Seed { get; init; } = 1;

    /// <summary>The update of what is trained beside the weights, in a step of a phase that follows the recipe's schedule: as that of the weights, with a weight decay of its own.</summary>
    internal UpdateRule RuleAt(in StepPoint at, double decay = 0) => (Optimizer with { WeightDecay = decay }).At(LearningRate.GetRate(at.Epoch, at.Epochs), at.Done);

    /// <summary>Checks what can be checked without data or device.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    public void Validate()
    {
        if (Epochs < 1) throw new UsageException($"{Epochs} epochs: at least 1 is needed.");
        if (BatchSize < 1) throw new UsageException($"a batch of {BatchSize}: at least 1 sample is needed.");
        if (Lanes < 1 || BatchSize % Lanes != 0) throw new UsageException($"a batch of {BatchSize} has no {Lanes} equal lanes.");
        if (Lanes > LaneTree.MaxLanes) throw new UsageException($"{Lanes} lanes: at most {LaneTree.MaxLanes} are possible.");
        if (!(LabelSmoothing is >= 0 and < 1)) throw new UsageException($"label smoothing {LabelSmoothing} is not in [0, 1).");
        if (Recalibrate is { } images && (images.Count < 1 || images.Size < 1)) throw new UsageException($"recalibrate {images}: at least 1x1 is needed.");
        if (!(DistillWeight is >= 0 and <= 1)) throw new UsageException($"distill-weight {DistillWeight} is not in [0, 1].");
        if (!(DistillTemperature is >= 0.01 and <= 100)) throw new UsageException($"distill-temperature {DistillTemperature} is not in [0.01, 100].");
        Optimizer.Validate();
        LearningRate.Validate();
        Method.ValidateSettings();
        Method.Validate(this);
        foreach (PhasePlan phase in Method.Phases(this, given: false)) phase.LearningRate.Validate(phase.Name, phase.Epochs);
    }

    /// <summary>Checks whether a run can begin with a network, or with none.</summary>
    /// <exception cref="StartException">The method cannot.</exception>
    /// <exception cref="UsageException">There is nothing to distill.</exception>
    internal void ValidateStart(bool given, bool pruned)
    {
        Method.ValidateStart(given, pruned);
        if (DistillWeight > 0 && !given && Method.Phases(this, given).Take(2).ToArray() is not [{ IsTeacher: true }, _])
            throw new UsageException($"distill-weight: the method {Method.Name} trains no dense network to learn from first; give it one to start from.");
    }
}
