using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Where the second derivatives of the loss are taken from.</summary>
public enum CurvatureKind
{
    /// <summary>Mean squares of the gradients of small batches: the diagonal of the empirical Fisher matrix.</summary>
    Fisher,
    /// <summary>Means of v (H v), v of random signs, H v by differences of the gradients of small batches (Hutchinson 1990).</summary>
    Hutchinson,
}

/// <summary>h w^2 / 2, h the diagonal of the second derivatives: what the loss rises by when one weight is taken away at a minimum (LeCun, Denker, Solla 1989).</summary>
/// <param name="batches">Gradients of the mean loss of small batches of the same model.</param>
/// <param name="seed">Of random signs.</param>
internal sealed class OptimalBrainDamage(IReadOnlyList<IGradient> batches, CurvatureKind curvature, ulong seed) : IScore
{
    private const ulong Purpose = 12;

    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        Parameter[] tensors = [.. parameters];
        int[] indices = [.. tensors.Select(p => p.Index)];
        if (curvature == CurvatureKind.Fisher) WriteFisher(model, indices);
        else WriteHutchinson(model, tensors);
        model.Parameters.Combine(indices, ElementFunction.Product, ParameterSlot.Score, ParameterSlot.Score, 0.5f);
        model.Parameters.Combine(indices, ElementFunction.Product, ParameterSlot.Score, ParameterSlot.Score);
        model.Parameters.ResetState();
        return Ranking.Score;
    }

    private void WriteFisher(Model model, int[] indices)
    {
        for (int k = 0; k < batches.Count; k++)
        {
            model.Parameters.ResetState();
            batches[k].AddTo(ParameterSlot.State0, indices, 1);
            model.Parameters.Combine(indices, ElementFunction.Square, ParameterSlot.State0, ParameterSlot.Score, 1f / batches.Count, k == 0 ? 0 : 1);
        }
    }

    private void WriteHutchinson(Model model, Parameter[] tensors)
    {
        float[][] sums = [.. tensors.Select(p => new float[p.Elements])];
        for (int k = 0; k < batches.Count; k++)
        {
            model.Parameters.ResetState();
            float[][] signs = [.. tensors.Select(p => Signs(p, k))];
            foreach ((Parameter p, float[] v) in tensors.Zip(signs)) model.Parameters.Upload(p.Index, ParameterSlot.State0, v);
            float factor = SecondDerivatives.AddTimesDirection(model, batches[k], tensors) / batches.Count;
            foreach (((Parameter p, float[] v), float[] sum) in tensors.Zip(signs).Zip(sums))
            {
                var product = new float[p.Elements];
                model.Parameters.Download(p.Index, ParameterSlot.State1, product);
                for (int i = 0; i < sum.Length; i++) sum[i] += v[i] * product[i] * factor;
            }
        }
        foreach ((Parameter p, float[] sum) in tensors.Zip(sums)) model.Parameters.Upload(p.Index, ParameterSlot.Score, sum);
    }

    /// <summary>A pure function of seed, parameter, element and batch.</summary>
    private float[] Signs(Parameter p, int batch)
    {
        var random = SplitMix64.Fork(seed, Purpose, (ulong)p.Index, (ulong)batch);
        var signs = new float[p.Elements];
        for (int i = 0; i < signs.Length; i++) signs[i] = (long)random.NextUInt64() < 0 ? -1 : 1;
        return signs;
    }
}
