namespace Asni.Training.Policies;

/// <summary>When a policy acts: between epochs, or at step First, then every so many steps, and at step Last.</summary>
internal sealed record Cadence(int? EverySteps, long First = 0, long Last = long.MaxValue)
{
    /// <summary>Between all epochs.</summary>
    public static readonly Cadence EachEpoch = new((int?)null);

    /// <param name="done">Steps done in the phase, at least 1.</param>
    public bool IsDue(long done) => EverySteps is { } every && done >= First && done <= Last && ((done - First) % every == 0 || done == Last);
}
