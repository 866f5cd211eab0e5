namespace Asni.Pruning;

/// <summary>How ASNI-I prunes. The defaults are the paper's.</summary>
public sealed record PruningOptions
{
    /// <summary>Each layer to the target sparsity by itself, instead of one threshold over all.</summary>
    public bool Local { get; init; }

    /// <summary>Biases are pruned with the weights (and then count into the sparsity).</summary>
    public bool Biases { get; init; }

    /// <summary>Prune every n training steps instead of after each epoch; null for each epoch.</summary>
    public int? EverySteps { get; init; }

    /// <summary>Weights that each layer keeps whatever the threshold says (a layer with fewer keeps what it has); 0 is the paper's rule.</summary>
    public long MinimumKept { get; init; }

    public void Validate()
    {
        if (EverySteps < 1) throw new UsageException($"pruning every {EverySteps} steps: at least 1 is needed.");
        if (MinimumKept < 0) throw new UsageException($"a floor of {MinimumKept} kept weights must not be negative.");
    }
}
