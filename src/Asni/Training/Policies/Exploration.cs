using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>Which weights have been live at some time since training began (in-time over-parameterization: Liu et al. 2021, arXiv 2102.02887).</summary>
internal sealed class Exploration
{
    private readonly Model _model;
    private readonly Mask?[] _ever;

    /// <param name="model">Under the mask that training begins with.</param>
    public Exploration(Model model)
    {
        _model = model;
        _ever = new Mask?[model.Network.Parameters.Length];
        Add();
    }

    /// <summary>Rs: those weights, of all.</summary>
    public double Share => _model.Network.Weights.Sum(p => _ever[p.Index]!.Live) / (double)_model.Network.WeightCount;

    /// <summary>Counts the weights that live now.</summary>
    public void Add()
    {
        foreach (Parameter p in _model.Network.Weights)
        {
            Mask now = _model.Parameters.GetMask(p.Index) ?? new Mask(p.Elements);
            if (_ever[p.Index] is { } before) before.Add(now);
            else _ever[p.Index] = now;
        }
    }

    public PolicyState Save() => new([.. _ever.Select(m => m?.Clone())], ImmutableSortedDictionary<string, float[]>.Empty);

    public void Restore(PolicyState state)
    {
        for (int i = 0; i < _ever.Length; i++) _ever[i] = state.Ever[i]?.Clone() ?? _ever[i];
    }
}
