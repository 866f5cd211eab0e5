using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>
/// Draws whole units to 0 while a network trains, so that it can do without them. With w_u all live parameters that make unit u (filters, biases, batch-norms), n_u of them:
/// <list type="bullet">
/// <item>slimming adds lambda sign(gamma) to the gradient of each batch-norm weight gamma (Liu et al. 2017, arXiv 1708.06519);</item>
/// <item>lasso makes w_u max(0, 1 - lr lambda sqrt(n_u) / |w_u|) of w_u after each update, the proximal step of lambda sum_u sqrt(n_u) |w_u|
/// (Wen et al. 2016, arXiv 1608.03665; Yuan, Lin 2006, equation 2.1);</item>
/// <item>growing adds lambda 2^(4 (max - |w_u|) / (max - min)) w_u to the gradient, with the largest and the smallest norm of the group (Fang et al. 2023, arXiv 2301.12900).</item>
/// </list>
/// </summary>
internal sealed class UnitPenalty : IMaskPolicy
{
    private const double GrowingExponent = 4;

    private readonly Model _model;
    private readonly UnitPenaltyKind _kind;
    private readonly double _lambda;
    private readonly LearningRate _rate;

    /// <summary>By ascending index.</summary>
    private readonly int[] _parameters;

    /// <summary>Of each output of these parameters: the unit that it makes, numbered over all groups.</summary>
    private readonly int[] _unitOf;

    /// <summary>First unit of each group, and the end.</summary>
    private readonly int[] _firsts;

    /// <summary>n_u.</summary>
    private readonly double[] _sizes;

    private readonly double[] _squares, _norms, _factorOf;
    private readonly float[] _factors;

    /// <param name="groups">With at least one batch-norm for slimming.</param>
    /// <param name="rate">lr, of the phase.</param>
    public UnitPenalty(Model model, ImmutableArray<PrunableGroup> groups, UnitPenaltyKind kind, double lambda, LearningRate rate)
    {
        (_model, _kind, _lambda, _rate) = (model, kind, lambda, rate);
        _firsts = PrunableGroup.Firsts(groups);
        (Parameter Of, int First)[] all = [.. groups.SelectMany((group, g) => Drawn(group, kind).Select(p => (Of: p, First: _firsts[g]))).OrderBy(d => d.Of.Index)];
        _parameters = [.. all.Select(d => d.Of.Index)];
        _unitOf = [.. all.SelectMany(d => Enumerable.Range(d.First, d.Of.Filter.Out))];
        _sizes = new double[_firsts[^1]];
        foreach ((Parameter of, int first) in all)
            for (int o = 0; o < of.Filter.Out; o++) _sizes[first + o] += CountLive(model.Parameters.GetMask(of.Index), o, of.Filter.FanIn);
        (_norms, _factorOf) = (new double[_sizes.Length], new double[_sizes.Length]);
        (_squares, _factors) = (new double[_unitOf.Length], new float[_unitOf.Length]);
    }

    public void AfterBackward(in StepPoint at)
    {
        if (_kind == UnitPenaltyKind.Lasso || _lambda == 0) return;
        Measure();
        if (_kind == UnitPenaltyKind.Growing) Grow();
        for (int o = 0; o < _factors.Length; o++)
            _factors[o] = (float)(_kind == UnitPenaltyKind.Growing ? _factorOf[_unitOf[o]] : _squares[o] == 0 ? 0 : _lambda / Math.Sqrt(_squares[o]));
        _model.Parameters.CombineOutputs(_parameters, _factors, ParameterSlot.Gradient, 1);
    }

    public PruneOutcome? AfterStep(in StepPoint at)
    {
        if (_kind != UnitPenaltyKind.Lasso || _lambda == 0) return null;
        Measure();
        double step = _rate.GetRate(at.Epoch, at.Epochs) * _lambda;
        for (int u = 0; u < _norms.Length; u++) _factorOf[u] = _norms[u] == 0 ? 0 : Math.Max(0, 1 - step * Math.Sqrt(_sizes[u]) / _norms[u]);
        for (int o = 0; o < _factors.Length; o++) _factors[o] = (float)_factorOf[_unitOf[o]];
        _model.Parameters.CombineOutputs(_parameters, _factors, ParameterSlot.Value);
        return null;
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    /// <summary>Squares of each output's numbers, and norms of the units.</summary>
    private void Measure()
    {
        _model.Parameters.SumOutputSquares(_parameters, _squares);
        Array.Clear(_norms);
        for (int o = 0; o < _squares.Length; o++) _norms[_unitOf[o]] += _squares[o];
        for (int u = 0; u < _norms.Length; u++) _norms[u] = Math.Sqrt(_norms[u]);
    }

    private void Grow()
    {
        for (int g = 1; g < _firsts.Length; g++)
        {
            ReadOnlySpan<double> norms = _norms.AsSpan(_firsts[g - 1].._firsts[g]);
            double most = double.NegativeInfinity, least = double.PositiveInfinity;
            foreach (double norm in norms) (most, least) = (Math.Max(most, norm), Math.Min(least, norm));
            for (int u = 0; u < norms.Length; u++)
                _factorOf[_firsts[g - 1] + u] = _lambda * (most == least ? 1 : Math.Pow(2, GrowingExponent * (most - norms[u]) / (most - least)));
        }
    }

    private static int CountLive(Mask? mask, int output, int each) => mask is null ? each : Enumerable.Range(output * each, each).Count(i => mask[i]);

    /// <summary>What is drawn to 0 of a group.</summary>
    private static IEnumerable<Parameter> Drawn(PrunableGroup group, UnitPenaltyKind kind)
    {
        // A bias before batch-norm changes nothing, and no backward pass writes its gradient, which what is added would pile up in.
        HashSet<int> idle = [.. group.Members.OfType<WeightedNode>().Where(m => m.Bias is not null && group.Members.OfType<BatchNormNode>().Any(n => n.Source == m.Id)).Select(m => m.Bias!.Index)];
        return group.Parameters.Where(p => kind switch { UnitPenaltyKind.Slimming => p.Kind == ParameterKind.NormWeight, UnitPenaltyKind.Growing => !idle.Contains(p.Index), _ => true });
    }
}
