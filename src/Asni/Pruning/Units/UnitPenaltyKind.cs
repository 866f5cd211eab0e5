namespace Asni.Pruning.Units;

/// <summary>What draws units to 0 while the network trains that is pruned afterwards.</summary>
public enum UnitPenaltyKind
{
    None,
    /// <summary>Magnitudes of batch-norm weights: network slimming.</summary>
    Slimming,
    /// <summary>Norms of units, by proximal steps, which make them exactly 0: structured sparsity learning.</summary>
    Lasso,
    /// <summary>Squared norms of units, with a factor that is up to 16 times as large for the smallest of a group: group sparsity of dependency graphs.</summary>
    Growing,
}
