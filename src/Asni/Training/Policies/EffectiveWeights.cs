using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Trains weights w of which the network computes with v = f(w, s): each step maps values before its forward pass and gradients after its backward pass, so that the optimizer
/// moves w. Between steps the model holds w. At the end v takes its place, and the mask is what was learned, or the K weights of largest margin.
/// </summary>
/// <param name="kept">K; null for as many as were learned.</param>
/// <param name="note">Told of layers close to empty.</param>
internal abstract class EffectiveWeights(Model model, long? kept, Action<TrainingNote> note) : IMaskPolicy
{
    private readonly SparseLayerNotes _sparse = new();
    private ElementMap _map;

    protected Model Model { get; } = model;

    protected ImmutableArray<Parameter> Weights { get; } = [.. model.Network.Weights];

    /// <summary>Of <see cref="Weights"/>.</summary>
    protected int[] Indices { get; } = [.. model.Network.Weights.Select(p => p.Index)];

    /// <summary>t of each weight tensor, where the function has one.</summary>
    protected virtual float[] Own => [];

    public long? Counted { get; private set; }

    public StepNeeds BeforeStep(in StepPoint at)
    {
        _map = Trained(at);
        WriteNoise(at);
        Model.Parameters.MapValues(Indices, _map, Own);
        return default;
    }

    public void AfterBackward(in StepPoint at)
    {
        Model.Parameters.MapGradients(Indices, _map, Own);
        Update(at);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public virtual PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public void BeforeEvaluation(in StepPoint at)
    {
        ElementMap map = Evaluated(at);
        Counted = Weights.Select((p, k) => Margins(map, p, k).LongCount(m => m > 0)).Sum();
        Model.Parameters.MapValues(Indices, map, Own);
    }

    public void AfterEvaluation() => Model.Parameters.RestoreValues(Indices);

    public PruneOutcome? Finish(in StepPoint at)
    {
        ElementMap map = Evaluated(at);
        for (int k = 0; k < Indices.Length; k++) Model.Parameters.Upload(Indices[k], ParameterSlot.Score, Margins(map, Weights[k], k));
        Model.Parameters.MapValues(Indices, map, Own);
        var live = new long[Indices.Length];
        if (kept is { } most) Model.Parameters.Prune(Indices, most, live, Ranking.Score);
        else Model.Parameters.ApplyThreshold(Indices, new Threshold(0, 0, Ranking.Score), live);
        for (int k = 0; k < live.Length; k++) _sparse.Tell(Weights[k], live[k], note);
        // A margin is no magnitude that records could give.
        return new PruneOutcome(null, live.Sum());
    }

    public virtual PolicyState? Save() => null;

    public virtual void Restore(PolicyState state) { }

    /// <summary>f in the step that ends there.</summary>
    protected abstract ElementMap Trained(in StepPoint at);

    /// <summary>f without noise.</summary>
    protected abstract ElementMap Evaluated(in StepPoint at);

    /// <summary>How far a weight is from being pruned: above 0 it is kept. Of two of all the weights, the one with the larger margin is kept first.</summary>
    /// <param name="w">Value.</param>
    /// <param name="s">Gate.</param>
    /// <param name="tensor">Place in <see cref="Weights"/>.</param>
    protected abstract float Margin(float w, float s, int tensor);

    /// <summary>Updates what is trained beside the weights, from its gradients.</summary>
    protected virtual void Update(in StepPoint at) { }

    /// <summary>Uploads x of the function, where it has one.</summary>
    protected virtual void WriteNoise(in StepPoint at) { }

    private float[] Margins(in ElementMap map, Parameter p, int tensor)
    {
        float[] values = Download(p, ParameterSlot.Value), gates = map.ReadsGate ? Download(p, ParameterSlot.Gate) : [];
        for (int i = 0; i < values.Length; i++) values[i] = Margin(values[i], map.ReadsGate ? gates[i] : 0, tensor);
        return values;
    }

    protected float[] Download(Parameter p, ParameterSlot slot)
    {
        var numbers = new float[p.Elements];
        Model.Parameters.Download(p.Index, slot, numbers);
        return numbers;
    }
}
