using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Moves the masks of a sparse network: in each layer the n = floor(f L) of its L live weights that have the smallest magnitude are dropped, and n dead ones grow, so that
/// every layer keeps its number (Mocanu et al. 2018, arXiv 1707.04780; Evci et al. 2020, arXiv 1911.11134). What grows starts from 0, with optimizer state 0; a weight
/// that is dropped and grows again at once keeps both. A layer of which all weights live has nothing to exchange.
/// </summary>
/// <param name="fraction">f.</param>
internal sealed class Exchange(Model model, Growth growth, ExchangeFraction fraction, Cadence cadence) : IMaskPolicy
{
    private readonly Cadence _cadence = growth.NeedsDenseGradient && cadence.EverySteps is null
        ? throw new ArgumentException("no gradient is at hand between epochs", nameof(cadence)) : cadence;

    private readonly ImmutableArray<Parameter> _weights = [.. model.Network.Weights];

    /// <summary>A step that exchanges makes no update of the optimizer (RigL); else the exchange comes after the update.</summary>
    public bool ReplacesUpdate { get; init; }

    /// <summary>Counts which weights have been live; null: nobody asks.</summary>
    public Exploration? Exploration { get; init; }

    public double? EverLive => Exploration?.Share;

    /// <summary>Another policy prunes before the exchange of the same step, so that live weights cannot be counted before the step.</summary>
    public bool FollowsCuts { get; init; }

    public StepNeeds BeforeStep(in StepPoint at)
    {
        long done = at.Done;
        return _cadence.IsDue(done) && (FollowsCuts || _weights.Any(p => Moves(p, done))) ? new(growth.NeedsDenseGradient, ReplacesUpdate) : default;
    }

    public PruneOutcome? AfterStep(in StepPoint at) => _cadence.IsDue(at.Done) ? Apply(at.Done) : null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => _cadence.EverySteps is null ? Apply(at.Done) : null;

    public PolicyState? Save() => Exploration?.Save();

    public void Restore(PolicyState state) => Exploration?.Restore(state);

    private PruneOutcome Apply(long done)
    {
        DeviceParameters parameters = model.Parameters;
        Parameter[] moving = [.. _weights.Where(p => Moves(p, done))];
        Ranking ranking = growth.Score(done).Write(model, moving);
        foreach (Parameter p in moving)
        {
            long n = Moved(p, done);
            parameters.Exchange(p.Index, n, n, ranking);
        }
        Exploration?.Add();
        return new PruneOutcome(null, _weights.Sum(p => parameters.Live(p.Index)));
    }

    private bool Moves(Parameter p, long done) => model.Parameters.Live(p.Index) < p.Elements && Moved(p, done) > 0;

    private long Moved(Parameter p, long done) => (long)(fraction.At(done) * model.Parameters.Live(p.Index));
}
