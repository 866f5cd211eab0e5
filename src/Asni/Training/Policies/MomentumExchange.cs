using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Sparse momentum (Dettmers, Zettlemoyer 2019, arXiv 1907.04840): between epochs each layer drops its live weights of smallest magnitude, and as many as all layers dropped
/// grow where the gradient, smoothed over the steps, is largest; layers grow in proportion to the mean of |smoothed gradient| over what lives of them. The gradient is dense in
/// every step of an epoch that an exchange follows.
/// </summary>
/// <param name="fraction">Share of a layer's live weights that it drops.</param>
/// <param name="smoothing">b in m = b m + (1 - b) g.</param>
internal sealed class MomentumExchange(Model model, ExchangeFraction fraction, double smoothing) : IMaskPolicy
{
    private readonly ImmutableArray<Parameter> _weights = [.. model.Network.Weights];
    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];
    private readonly SlotState _momentum = new(model, ParameterSlot.Score, "momentum", model.Network.Weights);

    public StepNeeds BeforeStep(in StepPoint at) => new(DenseGradient: IsFollowed(at), ReplacesUpdate: false);

    public void AfterBackward(in StepPoint at)
    {
        // Before the first step the scores are those that the mask was made by.
        if (IsFollowed(at)) model.Parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Gradient, ParameterSlot.Score, (float)(1 - smoothing), at.Done == 1 ? 0 : (float)smoothing, dense: true);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at)
    {
        DeviceParameters parameters = model.Parameters;
        long[] live = [.. _weights.Select(p => parameters.Live(p.Index))];
        Redistribution moved = Redistribution.Compute(fraction.At(at.Done), [.. _weights.Select(p => p.Elements)], live, [.. _weights.Select(MeanOfLive)]);
        // By magnitude, whatever its sign; the next step writes gradients anew.
        parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Gradient, dense: true);
        for (int i = 0; i < _indices.Length; i++)
            if (moved.Drop[i] + moved.Grow[i] > 0) parameters.Exchange(_indices[i], moved.Drop[i], moved.Grow[i], Ranking.Gradient);
        return new PruneOutcome(null, live.Sum());
    }

    public PolicyState? Save() => _momentum.Save();

    public void Restore(PolicyState state) => _momentum.Restore(state);

    private static bool IsFollowed(in StepPoint at) => at.Epoch < at.Epochs - 1;

    /// <summary>Mean of |m|; 0 where nothing lives.</summary>
    private double MeanOfLive(Parameter p)
    {
        float[] momentum = model.Parameters.DownloadLive(p.Index, ParameterSlot.Score);
        double sum = 0;
        foreach (float m in momentum) sum += Math.Abs(m);
        return double.IsFinite(sum) ? sum / Math.Max(1, momentum.Length) : throw DeviceParameters.CreateUnrankable(p, Ranking.Gradient);
    }
}
