using System.Collections.Immutable;

namespace Asni.Optimizers;

public enum LearningRateKind { Constant, Cosine, Multistep, Linear }

/// <summary>
/// The learning rate of each epoch e = 0 .. E - 1, with an optional linear warm-up of w epochs before any policy: lr0 * (e + 1) / w.
/// After the warm-up e and E count from its end. Cosine: lr0 * (1 + cos(pi * e / (k * E))) / 2; multistep: lr0 * gamma^(steps passed);
/// linear: lr0 up to an epoch f, from there on lr0 * (E - e) / (E - f).
/// </summary>
public sealed record LearningRate
{
    public LearningRateKind Kind { get; init; } = LearningRateKind.Constant;

    /// <summary>lr0.</summary>
    public double Initial { get; init; } = 1e-3;

    /// <summary>k of the cosine: above 1 the rate ends above 0.</summary>
    public double CosineStretch { get; init; } = 1;

    /// <summary>Epochs at which multistep multiplies the rate, counted from the start of training.</summary>
    public ImmutableArray<int> Steps { get; init; } = [];
    public double Gamma { get; init; } = 0.1;

    /// <summary>f of the line, counted from the start of training: before it the rate stays.</summary>
    public int LinearFrom { get; init; }
    public int WarmupEpochs { get; init; }

    /// <summary>The schedule begins again after so many epochs; null: it does not.</summary>
    internal int? Period { get; init; }

    public double GetRate(int epoch, int epochs)
    {
        if (Period is { } period) (epoch, epochs) = (epoch % period, period);
        if (epoch < WarmupEpochs) return Initial * (epoch + 1) / WarmupEpochs;
        return Kind switch
        {
            LearningRateKind.Cosine =>
                Initial * 0.5 * (1 + Math.Cos(Math.PI * (epoch - WarmupEpochs) / (CosineStretch * Math.Max(1, epochs - WarmupEpochs)))),
            LearningRateKind.Multistep => Initial * Math.Pow(Gamma, Steps.Count(s => s <= epoch)),
            LearningRateKind.Linear => Initial * Math.Min(1, (double)(epochs - epoch) / Math.Max(1, epochs - Math.Max(LinearFrom, WarmupEpochs))),
            _ => Initial,
        };
    }

    public void Validate()
    {
        if (!(Initial > 0) || !double.IsFinite(Initial)) throw new UsageException($"learning rate {Initial} must be a number above 0.");
        if (!(CosineStretch > 0)) throw new UsageException($"the cosine's stretch {CosineStretch} must be above 0.");
        if (!(Gamma > 0)) throw new UsageException($"the multistep gamma {Gamma} must be above 0.");
        if (LinearFrom < 0) throw new UsageException($"the learning rate's line from epoch {LinearFrom} must not begin before epoch 0.");
        if (WarmupEpochs < 0) throw new UsageException($"warm-up of {WarmupEpochs} epochs must not be negative.");
        for (int i = 0; i < Steps.Length; i++)
        {
            if (Steps[i] < 1 || (i > 0 && Steps[i] <= Steps[i - 1]))
                throw new UsageException($"the learning rate's steps {string.Join(",", Steps)} must be epochs from 1 on in ascending order.");
        }
    }

    /// <summary>For a phase of so many epochs: a longer warm-up would never reach the rate.</summary>
    /// <exception cref="UsageException">It makes no sense.</exception>
    internal void Validate(string phase, int epochs)
    {
        Validate();
        if (WarmupEpochs > epochs) throw new UsageException($"a warm-up of {WarmupEpochs} epochs is longer than the {epochs} epochs of {phase}.");
    }
}
