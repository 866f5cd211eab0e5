using Asni.Data;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Methods;

public enum MethodKind
{
    /// <summary>ASNI-I, then ASNI-II from its network.</summary>
    Asni,
    /// <summary>ASNI-I alone.</summary>
    Asni1,
    /// <summary>No pruning.</summary>
    Dense,
    /// <summary>Training of a given network under its mask, with ASNI-II's settings: from an amenable file this is ASNI-II.</summary>
    Retrain,
    /// <summary>Takes units out of a given network, or of one trained densely before: structured pruning.</summary>
    ISpaSP,
}

/// <summary>How the two numbers a layer are found: mean of each sign, or Lloyd's two means.</summary>
public enum CentroidKind { Sign, Lloyd }

/// <summary>Control runs with ASNI-I's mask, to show what ASNI-II's initialization is worth.</summary>
[Flags]
public enum ControlRuns
{
    None = 0,
    /// <summary>The mask from the original initialization (lottery ticket).</summary>
    Ticket = 1,
    /// <summary>The mask from a new random initialization.</summary>
    Reinit = 2,
    /// <summary>The two-number initialization under a mask shuffled within each layer.</summary>
    Shuffle = 4,
}

/// <summary>Everything a run depends on. Resolved from defaults, a recipe file and flags; saved with the run.</summary>
public sealed record Recipe
{
    public string Network { get; init; } = "lenet300";
    public string Data { get; init; } = "mnist";

    /// <summary>Input as CxHxW; null for the dataset's own.</summary>
    public Chw? Input { get; init; }
    public MethodKind Method { get; init; } = MethodKind.Asni;

    /// <summary>The method follows the sparsity schedule.</summary>
    public bool Prunes => Method is MethodKind.Asni or MethodKind.Asni1;
    public int Epochs { get; init; } = 50;

    /// <summary>Epochs of ASNI-II and the control runs; null for <see cref="Epochs"/>.</summary>
    public int? RetrainEpochs { get; init; }
    public int BatchSize { get; init; } = 60;
    public OptimizerSettings Optimizer { get; init; } = new();
    public LearningRate LearningRate { get; init; } = new();

    /// <summary>Policy of ASNI-II and the control runs; null for <see cref="LearningRate"/>.</summary>
    public LearningRate? RetrainLearningRate { get; init; }
    public double LabelSmoothing { get; init; }
    public SparsitySchedule Schedule { get; init; } = new() { Epochs = 50 };
    public PruningOptions Pruning { get; init; } = new();
    public CentroidKind Centroids { get; init; } = CentroidKind.Sign;

    /// <summary>ASNI-II also replaces each bias by one of two numbers; otherwise biases start at 0.</summary>
    public bool QuantizeBiases { get; init; }
    public ControlRuns Controls { get; init; }

    /// <summary>Settings of structured pruning.</summary>
    public UnitPruningOptions Units { get; init; } = new();
    public Augmentation Augmentation { get; init; }
    public ulong Seed { get; init; } = 1;

    /// <summary>Checks what can be checked without data or device.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    public void Validate()
    {
        if (Epochs < 1) throw new UsageException($"{Epochs} epochs: at least 1 is needed.");
        if (RetrainEpochs < 1) throw new UsageException($"{RetrainEpochs} retraining epochs: at least 1 is needed.");
        if (BatchSize < 1) throw new UsageException($"a batch of {BatchSize}: at least 1 sample is needed.");
        if (!(LabelSmoothing is >= 0 and < 1)) throw new UsageException($"label smoothing {LabelSmoothing} is not in [0, 1).");
        if (Schedule.Epochs != Epochs) throw new UsageException($"the schedule is made for {Schedule.Epochs} epochs, the run has {Epochs}.");
        Optimizer.Validate();
        LearningRate.Validate();
        RetrainLearningRate?.Validate();
        if (Prunes) Schedule.Validate();
        Pruning.Validate();
        if (Method == MethodKind.ISpaSP) Units.Validate();
    }
}
