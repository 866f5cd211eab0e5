using Asni.Devices;

namespace Asni.Optimizers;

public enum OptimizerKind { Sgd, Momentum, Nesterov, Adam }

/// <summary>An optimizer with PyTorch's semantics (torch.optim.SGD with dampening 0, torch.optim.Adam); the learning rate comes from a policy.</summary>
public sealed record OptimizerSettings
{
    public OptimizerKind Kind { get; init; } = OptimizerKind.Adam;

    /// <summary>Used by momentum and Nesterov.</summary>
    public double Momentum { get; init; } = 0.9;
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.999;
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>L2 penalty added to the gradient.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether biases and batch-norm parameters decay too (PyTorch's default).</summary>
    public bool DecayVectors { get; init; } = true;

    /// <summary>What it remembers of each parameter from step to step.</summary>
    internal ParameterSlot[] StateSlots => Kind switch
    {
        OptimizerKind.Sgd => [],
        OptimizerKind.Adam => [ParameterSlot.State0, ParameterSlot.State1],
        _ => [ParameterSlot.State0],
    };

    /// <summary>The device's rule for one step; <paramref name="step"/> counts from 1.</summary>
    internal UpdateRule At(double learningRate, long step) => new(
        Kind == OptimizerKind.Adam ? UpdateKind.Adam : UpdateKind.Sgd,
        (float)learningRate, (float)WeightDecay, DecayVectors,
        Kind is OptimizerKind.Momentum or OptimizerKind.Nesterov ? (float)Momentum : 0f,
        Kind == OptimizerKind.Nesterov, (float)Beta1, (float)Beta2, (float)Epsilon, step);

    public void Validate()
    {
        if (!(Momentum is >= 0 and < 1)) throw new UsageException($"momentum {Momentum} is not in [0, 1).");
        if (!(Beta1 is >= 0 and < 1) || !(Beta2 is >= 0 and < 1)) throw new UsageException($"Adam betas ({Beta1}, {Beta2}) are not in [0, 1).");
        if (!(Epsilon > 0)) throw new UsageException($"Adam epsilon {Epsilon} must be above 0.");
        if (!(WeightDecay >= 0)) throw new UsageException($"weight decay {WeightDecay} must not be negative.");
    }
}
