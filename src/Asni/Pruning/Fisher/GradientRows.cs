using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Some neighbouring elements of a tensor.</summary>
internal readonly record struct TensorRange(Parameter Tensor, int First, int Length);

/// <summary>The gradients of several batches, of some elements of the weights, in host memory.</summary>
internal sealed class GradientRows
{
    private readonly ImmutableArray<(TensorRange Range, float[][] Rows)> _parts;

    private GradientRows(ImmutableArray<(TensorRange, float[][])> parts) => _parts = parts;

    /// <summary>Divides tensors into groups of ranges such that a group's gradients are at most so many numbers, or those of one block.</summary>
    /// <param name="gradients">Of each element.</param>
    /// <param name="block">Ranges begin at multiples of it.</param>
    public static IEnumerable<ImmutableArray<TensorRange>> Groups(IEnumerable<Parameter> tensors, int gradients, int block, long numbers)
    {
        long most = Math.Max(1, numbers / gradients / block) * block;
        var group = ImmutableArray.CreateBuilder<TensorRange>();
        long taken = 0;
        foreach (Parameter p in tensors)
        {
            for (long first = 0; first < p.Elements;)
            {
                long length = Math.Min(p.Elements - first, (most - taken) / block * block);
                if (length > 0) group.Add(new TensorRange(p, (int)first, (int)length));
                (first, taken) = (first + length, taken + length);
                if (length > 0 && first == p.Elements) continue;
                yield return group.ToImmutable();
                group.Clear();
                taken = 0;
            }
        }
        if (group.Count > 0) yield return group.ToImmutable();
    }

    /// <summary>Computes the gradients where the model's weights are now.</summary>
    public static GradientRows Read(Model model, IReadOnlyList<IGradient> batches, ImmutableArray<TensorRange> ranges)
    {
        ImmutableArray<(TensorRange Range, float[][] Rows)> parts = [.. ranges.Select(r => (r, new float[batches.Count][]))];
        int[] indices = [.. ranges.Select(r => r.Tensor.Index).Distinct()];
        for (int k = 0; k < batches.Count; k++)
        {
            model.Parameters.ResetState();
            batches[k].AddTo(ParameterSlot.State0, indices, 1);
            foreach (var ofTensor in parts.GroupBy(p => p.Range.Tensor))
            {
                var whole = new float[ofTensor.Key.Elements];
                model.Parameters.Download(ofTensor.Key.Index, ParameterSlot.State0, whole);
                foreach ((TensorRange range, float[][] rows) in ofTensor) rows[k] = whole[range.First..(range.First + range.Length)];
            }
        }
        model.Parameters.ResetState();
        return new GradientRows(parts);
    }

    /// <summary>Calls back, on many threads, with the weights of each block of so many elements that live, by their places in the tensor, and their gradients in double precision.</summary>
    /// <param name="live">By parameter and element.</param>
    public void ForEachBlock(int block, Func<Parameter, int, bool> live, Action<Parameter, int[], double[]> call)
    {
        foreach ((TensorRange range, float[][] rows) in _parts)
        {
            Parallel.For(0, (int)((range.Length + (long)block - 1) / block), b =>
            {
                int first = b * block, end = Math.Min(range.Length, first + block);
                int[] places = [.. Enumerable.Range(first, end - first).Where(i => live(range.Tensor, range.First + i))];
                if (places.Length == 0) return;
                var gradients = new double[rows.Length * places.Length];
                for (int k = 0; k < rows.Length; k++)
                    for (int i = 0; i < places.Length; i++) gradients[k * places.Length + i] = rows[k][places[i]];
                call(range.Tensor, [.. places.Select(i => range.First + i)], gradients);
            });
        }
    }
}
