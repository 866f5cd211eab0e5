namespace Asni.Pruning;

public enum ScheduleKind { Sigmoid, Sine }

/// <summary>
/// Target sparsity as a pure function of the epoch (ASNI paper, section 3, and its author's code). Fractions, not percent. With R = E:
/// sigmoid S(e) = Mag1 * sigmoid((e - Trans1 * R) / Scale1). With a rest R &lt; E the second sigmoid starts at epoch R on top of S(R - 1).
/// Sine: S(e) = Mag1 * sin(pi * e / (Scale1 * E))^Exponent.
/// </summary>
public sealed record SparsitySchedule
{
    public ScheduleKind Kind { get; init; } = ScheduleKind.Sigmoid;

    /// <summary>Of a sine: more waves than this makes in a run tell nothing.</summary>
    private const double LeastSineScale = 1e-3;

    /// <summary>E.</summary>
    public required int Epochs { get; init; }

    /// <summary>R, the length of the first phase; null for E.</summary>
    public int? Rest { get; init; }
    public double Mag1 { get; init; } = 0.98;
    public double Trans1 { get; init; } = 0.5;
    public double Scale1 { get; init; } = 5;
    public double Mag2 { get; init; }
    public double Trans2 { get; init; } = 0.5;
    public double Scale2 { get; init; } = 5;
    public double Exponent { get; init; } = 1;

    /// <summary>
    /// The sparsity asked for after epoch <paramref name="epoch"/> (0-based; fractions of an epoch when pruning every n steps). Never falls.
    /// </summary>
    public double At(double epoch) => Math.Clamp(Highest(epoch), 0, 1);

    /// <summary>The sparsity of the delivered network: nothing is pruned after the last epoch, so S(E - 2); 0 for a single epoch.</summary>
    public double Final => Epochs < 2 ? 0 : At(Epochs - 2);

    /// <summary>The same schedule with Mag1 (and Mag2 in proportion) chosen so that <see cref="Final"/> is <paramref name="sparsity"/>.</summary>
    public SparsitySchedule WithFinal(double sparsity)
    {
        if (!(sparsity is >= 0 and < 1))
            throw new UsageException($"sparsity {sparsity} is not in [0, 1); 0.97 keeps 3 % of the weights.");
        if (sparsity == 0) return this with { Mag1 = 0, Mag2 = 0 };
        if (Epochs < 2) throw new UsageException($"a sparsity of {sparsity} needs at least 2 epochs: nothing is pruned after the last one.");
        SparsitySchedule unit = this with { Mag1 = 1, Mag2 = Mag1 > 0 ? Mag2 / Mag1 : Mag2 };
        double reached = unit.Highest(Epochs - 2);
        if (!(reached > 0)) throw new UsageException("the schedule never rises above 0 before the last epoch; change its trans and scale.");
        double factor = sparsity / reached;
        return unit with { Mag1 = factor, Mag2 = unit.Mag2 * factor };
    }

    public void Validate()
    {
        if (Epochs < 1) throw new UsageException($"a schedule of {Epochs} epochs: at least 1 is needed.");
        if (Rest is < 1 || Rest > Epochs) throw new UsageException($"the schedule's rest of {Rest} epochs is not in 1 .. {Epochs}.");
        if (!(Scale1 > 0) || !(Scale2 > 0)) throw new UsageException($"schedule scales ({Scale1}, {Scale2}) must be above 0.");
        if (!(Mag1 >= 0) || !(Mag2 >= 0)) throw new UsageException($"schedule magnitudes ({Mag1}, {Mag2}) must not be negative.");
        if (Kind == ScheduleKind.Sine && !(Scale1 >= LeastSineScale))
            throw new UsageException($"a sine schedule's scale1 of {Scale1} makes {0.5 / Scale1:0} waves of one run; at least {LeastSineScale} is needed.");
        if (!(Exponent >= 0)) throw new UsageException($"the sine's exponent {Exponent} must not be negative.");
        if (!(Final < 1)) throw new UsageException($"the schedule prunes everything (S = {Final:0.###}); lower mag1 or mag2.");
    }

    /// <summary>
    /// The highest value at this epoch and the whole epochs before it: pruned weights stay pruned, so where the formula falls (a sine past its top) the target stays.
    /// Sigmoids never fall; a sine is highest beside the tops of its waves. The number of epochs does not matter.
    /// </summary>
    private double Highest(double epoch)
    {
        double highest = Math.Max(Raw(0), Raw(epoch));
        if (Kind != ScheduleKind.Sine) return highest;
        for (double top = Scale1 * Epochs / 2; Math.Floor(top) < epoch; top += 2 * Math.Max(Scale1, LeastSineScale) * Epochs)
        {
            highest = Math.Max(highest, Raw(Math.Floor(top)));
            if (Math.Ceiling(top) < epoch) highest = Math.Max(highest, Raw(Math.Ceiling(top)));
        }
        return highest;
    }

    private double Raw(double e)
    {
        if (Kind == ScheduleKind.Sine)
        {
            double s = Math.Sin(Math.PI * e / (Scale1 * Epochs));
            return Mag1 * Math.Pow(Math.Max(0, s), Exponent);
        }
        int rest = Rest ?? Epochs;
        if (e < rest) return First(e, rest);
        return First(rest - 1, rest) + Mag2 * Sigmoid((e - rest - Trans2 * (Epochs - rest)) / Scale2);
    }

    private double First(double e, int rest) => Mag1 * Sigmoid((e - Trans1 * rest) / Scale1);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
