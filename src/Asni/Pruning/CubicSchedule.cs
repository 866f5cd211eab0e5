namespace Asni.Pruning;

/// <summary>
/// S(t) = S + (S0 - S) (1 - (t - t0) / (t1 - t0))^3 from t0 to t1, shares of the training: S0 before, S after (Zhu, Gupta 2017, arXiv 1710.01878, section 3).
/// </summary>
internal sealed record CubicSchedule : ISparsitySchedule
{
    /// <summary>S0.</summary>
    public double Initial { get; init; }

    /// <summary>S.</summary>
    public required double Final { get; init; }

    /// <summary>t0.</summary>
    public required double Begin { get; init; }

    /// <summary>t1, not before t0.</summary>
    public required double End { get; init; }

    /// <inheritdoc/>
    public double GetSparsity(double epoch, int epochs)
    {
        double time = (epoch + 1) / epochs;
        if (time >= End) return Final;
        double left = 1 - Math.Max(0, (time - Begin) / (End - Begin));
        return Initial + (Final - Initial) * (1 - left * left * left);
    }
}
