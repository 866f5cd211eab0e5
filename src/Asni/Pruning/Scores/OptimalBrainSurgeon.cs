using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Settings of the empirical Fisher matrix.</summary>
/// <param name="Block">Neighbouring elements of a tensor that the matrix relates to each other; of others it is 0.</param>
/// <param name="Damp">What is added to its diagonal.</param>
internal readonly record struct FisherShape(int Block, double Damp);

/// <summary>
/// w_q^2 / (2 [F^-1]_qq), F the empirical Fisher matrix in blocks: what the loss rises by when a weight is taken away and the others of its block are moved to make up for it
/// (Hassibi, Stork 1992; Singh, Alistarh 2020, arXiv 2004.14340). Weights that are pruned have no part in F.
/// </summary>
/// <param name="batches">Gradients of the mean loss of small batches of the same model.</param>
internal sealed class OptimalBrainSurgeon(IReadOnlyList<IGradient> batches, FisherShape fisher) : IScore
{
    /// <summary>Gradients that are kept in memory at a time: 1 GiB.</summary>
    private const long MostNumbers = 1L << 28;

    private readonly long _numbers = MostNumbers;
    private Cut? _cut;

    /// <param name="numbers">Gradients that are kept in memory at a time.</param>
    internal OptimalBrainSurgeon(IReadOnlyList<IGradient> batches, FisherShape fisher, long numbers) : this(batches, fisher) => _numbers = numbers;

    /// <summary>What <see cref="Write"/> saw; and the gradients, where all were in memory.</summary>
    private sealed record Cut(TrainedNetwork Before, ImmutableArray<ImmutableArray<TensorRange>> Groups, GradientRows? Gradients);

    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        Parameter[] tensors = [.. parameters];
        TrainedNetwork before = model.TakeSnapshot();
        ImmutableArray<ImmutableArray<TensorRange>> groups = [.. GradientRows.Groups(tensors, batches.Count, fisher.Block, _numbers)];
        GradientRows? gradients = null;
        var scores = new float[before.Values.Length][];
        foreach (Parameter p in tensors) scores[p.Index] = new float[p.Elements];
        foreach (ImmutableArray<TensorRange> group in groups)
        {
            gradients = GradientRows.Read(model, batches, group);
            gradients.ForEachBlock(fisher.Block, (p, i) => before.Masks[p.Index]?[i] ?? true, (p, places, g) =>
            {
                double[] inverse = new FisherBlock(g, batches.Count, fisher.Damp).InverseDiagonal();
                for (int i = 0; i < places.Length; i++)
                {
                    double w = before.Values[p.Index][places[i]];
                    scores[p.Index][places[i]] = (float)(w * w / (2 * inverse[i]));
                }
            });
        }
        foreach (Parameter p in tensors) model.Parameters.Upload(p.Index, ParameterSlot.Score, scores[p.Index]);
        _cut = new Cut(before, groups, groups.Length == 1 ? gradients : null);
        return Ranking.Score;
    }

    /// <summary>Moves the weights that stay to make up for all that were pruned since <see cref="Write"/> together.</summary>
    public void Compensate(Model model)
    {
        (TrainedNetwork before, ImmutableArray<ImmutableArray<TensorRange>> groups, GradientRows? kept) = _cut ?? throw new InvalidOperationException("nothing was scored");
        ImmutableArray<Mask?> masks = [.. model.Network.Parameters.Select(p => model.Parameters.GetMask(p.Index))];
        float[][] values = [.. before.Values.Select(v => (float[])v.Clone())];
        if (kept is null) model.Load(before);
        foreach (ImmutableArray<TensorRange> group in groups)
        {
            (kept ?? GradientRows.Read(model, batches, group)).ForEachBlock(fisher.Block, (p, i) => before.Masks[p.Index]?[i] ?? true, (p, places, g) =>
            {
                bool[] stays = [.. places.Select(i => masks[p.Index]?[i] ?? true)];
                float[] w = [.. places.Select(i => before.Values[p.Index][i])];
                double[] change = new FisherBlock(g, batches.Count, fisher.Damp).Compensation(w, stays);
                for (int i = 0; i < places.Length; i++) values[p.Index][places[i]] = (float)(w[i] + change[i]);
            });
        }
        model.Load(new TrainedNetwork(model.Network, [.. values], masks));
        _cut = null;
    }
}
