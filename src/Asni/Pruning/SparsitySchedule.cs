using System.Collections.Immutable;
using Asni.Settings;

namespace Asni.Pruning;

/// <summary>How sparse a network is to be at each time of a training.</summary>
internal interface ISparsitySchedule
{
    /// <summary>
    /// The sparsity asked for after epoch <paramref name="epoch"/>, 0-based, as a fraction; between epochs where pruning is more frequent, below 0 within the first.
    /// </summary>
    /// <param name="epochs">E, the length of the training.</param>
    double GetSparsity(double epoch, int epochs);
}

public enum ScheduleKind { Sigmoid, Sine }

/// <summary>
/// ASNI's schedule: target sparsity as a pure function of the epoch (ASNI paper, section 3, and its author's code). Fractions, not percent. With R = E:
/// sigmoid S(e) = Mag1 * sigmoid((e - Trans1 * R) / Scale1). With a rest R &lt; E the second sigmoid starts at epoch R on top of S(R - 1).
/// Sine: S(e) = Mag1 * sin(pi * e / (Scale1 * E))^Exponent.
/// </summary>
public sealed record SparsitySchedule : ISparsitySchedule
{
    /// <summary>Of a sine: more waves than this makes in a run tell nothing.</summary>
    private const double LeastSineScale = 1e-3;

    private static readonly Need<SparsitySchedule> s_sigmoid = new("schedule", "sigmoid", s => s.Kind == ScheduleKind.Sigmoid);

    public ScheduleKind Kind { get; init; } = ScheduleKind.Sigmoid;

    /// <summary>R, the length of the first phase; null for E.</summary>
    public int? Rest { get; init; }
    public double Mag1 { get; init; } = 0.98;
    public double Trans1 { get; init; } = 0.5;
    public double Scale1 { get; init; } = 5;
    public double Mag2 { get; init; }
    public double Trans2 { get; init; } = 0.5;
    public double Scale2 { get; init; } = 5;
    public double Exponent { get; init; } = 1;

    internal static ImmutableArray<Setting<SparsitySchedule>> Settings { get; } =
    [
        SettingFactory.Choice<SparsitySchedule, ScheduleKind>("schedule", "sparsity schedule: sigmoid, sine", s => s.Kind, (s, v) => s.Become(v)),
        SettingFactory.Number<SparsitySchedule>("mag1", "height of the first phase of the schedule, a fraction", s => s.Mag1, (s, v) => s with { Mag1 = v }),
        Sigmoid("trans1", "midpoint of the first phase, a fraction of its length", s => s.Trans1, (s, v) => s with { Trans1 = v }),
        SettingFactory.Number<SparsitySchedule>("scale1", "width of the first phase in epochs (sine: period as a multiple of the run)", s => s.Scale1, (s, v) => s with { Scale1 = v })
            with { Stretch = (s, factor) => s.Kind == ScheduleKind.Sine ? s : s with { Scale1 = s.Scale1 * factor } },
        SettingFactory.Integer<SparsitySchedule>("rest", "epochs of the first phase (default: all)", s => s.Rest, (s, v) => s with { Rest = v }) with
        {
            Stretch = (s, factor) => s with { Rest = s.Rest is { } rest ? Math.Max(1, (int)Math.Round(rest * factor)) : null },
            Needs = [s_sigmoid],
        },
        Second("mag2", "height of the second phase", s => s.Mag2, (s, v) => s with { Mag2 = v }),
        Second("trans2", "midpoint of the second phase", s => s.Trans2, (s, v) => s with { Trans2 = v }),
        Second("scale2", "width of the second phase", s => s.Scale2, (s, v) => s with { Scale2 = v }) with { Stretch = (s, factor) => s with { Scale2 = s.Scale2 * factor } },
        SettingFactory.Number<SparsitySchedule>("exponent", "exponent of the sine schedule", s => s.Exponent, (s, v) => s with { Exponent = v })
            with { Needs = [new("schedule", "sine", s => s.Kind == ScheduleKind.Sine)] },
    ];

    /// <inheritdoc/>
    /// <remarks>Never falls: pruned weights stay pruned.</remarks>
    public double GetSparsity(double epoch, int epochs) => Math.Clamp(Highest(Math.Max(0, epoch), epochs), 0, 1);

    /// <summary>The sparsity of the delivered network: nothing is pruned after the last epoch, so S(E - 2); 0 for a single epoch.</summary>
    public double GetFinalSparsity(int epochs) => epochs < 2 ? 0 : GetSparsity(epochs - 2, epochs);

    /// <summary>The same schedule with Mag1 (and Mag2 in proportion) chosen so that <see cref="GetFinalSparsity"/> is <paramref name="sparsity"/>.</summary>
    /// <exception cref="UsageException">No height of it gives this sparsity in so many epochs.</exception>
    public SparsitySchedule WithFinalSparsity(double sparsity, int epochs)
    {
        if (!(sparsity is >= 0 and < 1)) throw new UsageException($"sparsity {sparsity} is not in [0, 1); 0.97 keeps 3 % of the weights.");
        if (sparsity == 0) return this with { Mag1 = 0, Mag2 = 0 };
        if (epochs < 2) throw new UsageException($"a sparsity of {sparsity} needs at least 2 epochs: nothing is pruned after the last one.");
        SparsitySchedule unit = this with { Mag1 = 1, Mag2 = Mag1 > 0 ? Mag2 / Mag1 : Mag2 };
        double reached = unit.Highest(epochs - 2, epochs);
        if (!(reached > 0)) throw new UsageException("the schedule never rises above 0 before the last epoch; change its trans and scale.");
        double factor = sparsity / reached;
        return unit with { Mag1 = factor, Mag2 = unit.Mag2 * factor };
    }

    /// <summary>Checks the shape for a run of so many epochs, whatever its height.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    public void ValidateShape(int epochs)
    {
        if (Rest is < 1 || Rest > epochs) throw new UsageException($"the schedule's rest of {Rest} epochs is not in 1 .. {epochs}.");
        if (!(Scale1 > 0) || !(Scale2 > 0)) throw new UsageException($"schedule scales ({Scale1}, {Scale2}) must be above 0.");
        if (Kind == ScheduleKind.Sine && !(Scale1 >= LeastSineScale))
            throw new UsageException($"a sine schedule's scale1 of {Scale1} makes {0.5 / Scale1:0} waves of one run; at least {LeastSineScale} is needed.");
        if (!(Exponent >= 0)) throw new UsageException($"the sine's exponent {Exponent} must not be negative.");
    }

    /// <summary>Checks shape and height.</summary>
    /// <inheritdoc cref="ValidateShape"/>
    public void Validate(int epochs)
    {
        ValidateShape(epochs);
        if (!(Mag1 >= 0) || !(Mag2 >= 0)) throw new UsageException($"schedule magnitudes ({Mag1}, {Mag2}) must not be negative.");
        if (!(GetFinalSparsity(epochs) < 1)) throw new UsageException($"the schedule prunes everything (S = {GetFinalSparsity(epochs):0.###}); lower mag1 or mag2.");
    }

    /// <summary>
    /// The same as another kind. A sine's scale is no number of epochs: one that was meant for a sigmoid gives way to 2, where the sine is at its top at the end.
    /// </summary>
    private SparsitySchedule Become(ScheduleKind kind) =>
        kind == ScheduleKind.Sine && Kind != ScheduleKind.Sine ? this with { Kind = kind, Scale1 = 2 } : this with { Kind = kind };

    private static Setting<SparsitySchedule> Sigmoid(string key, string summary, Func<SparsitySchedule, double?> get, Func<SparsitySchedule, double, SparsitySchedule> set) =>
        SettingFactory.Number(key, summary, get, set) with { Needs = [s_sigmoid] };

    private static Setting<SparsitySchedule> Second(string key, string summary, Func<SparsitySchedule, double?> get, Func<SparsitySchedule, double, SparsitySchedule> set) =>
        SettingFactory.Number(key, summary, get, set) with { Needs = [s_sigmoid, new("rest", "below the number of epochs", s => s.Rest is not null)] };

    /// <summary>
    /// The highest value at this epoch and the whole epochs before it: pruned weights stay pruned, so where the formula falls (a sine past its top) the target stays.
    /// Sigmoids never fall; a sine is highest beside the tops of its waves.
    /// </summary>
    private double Highest(double epoch, int epochs)
    {
        double highest = Math.Max(Raw(0, epochs), Raw(epoch, epochs));
        if (Kind != ScheduleKind.Sine) return highest;
        for (double top = Scale1 * epochs / 2; Math.Floor(top) < epoch; top += 2 * Math.Max(Scale1, LeastSineScale) * epochs)
        {
            highest = Math.Max(highest, Raw(Math.Floor(top), epochs));
            if (Math.Ceiling(top) < epoch) highest = Math.Max(highest, Raw(Math.Ceiling(top), epochs));
        }
        return highest;
    }

    private double Raw(double e, int epochs)
    {
        if (Kind == ScheduleKind.Sine)
        {
            double s = Math.Sin(Math.PI * e / (Scale1 * epochs));
            return Mag1 * Math.Pow(Math.Max(0, s), Exponent);
        }
        int rest = Rest ?? epochs;
        if (e < rest) return First(e, rest);
        return First(rest - 1, rest) + Mag2 * Logistic((e - rest - Trans2 * (epochs - rest)) / Scale2);
    }

    private double First(double e, int rest) => Mag1 * Logistic((e - Trans1 * rest) / Scale1);

    private static double Logistic(double x) => 1 / (1 + Math.Exp(-x));
}
