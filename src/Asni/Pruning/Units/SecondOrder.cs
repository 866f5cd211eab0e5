using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning.Units;

/// <summary>
/// |w_u' g| + |w_u' (H w)_u| / 2, with w all parameters of units that may go, g and H the loss's derivatives by them, and _u those that make unit u: filters, biases, batch-norms
/// (Nonnenmacher, Pfeil, Steinwart, Reeb 2022, arXiv 2110.11395: SOSP-H). All units of all groups take one product with H: two gradients beside the first.
/// </summary>
internal sealed class SecondOrder : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration)
    {
        using var on = new Model(model.Network, calibration.Device);
        on.Load(model);
        ScoringImages images = calibration.Draw();
        using var gradient = new LossGradient(on, images, calibration.Images.Size) { Cancellation = calibration.Cancellation };
        Parameter[] own = [.. groups.SelectMany(g => g.Parameters)];
        int[] indices = [.. own.Select(p => p.Index)];
        on.Parameters.ResetState();
        gradient.AddTo(ParameterSlot.State0, indices, 1);
        Dictionary<int, float[]> first = Read(ParameterSlot.State0);
        on.Parameters.Combine(indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.State0);
        double factor = SecondDerivatives.AddTimesDirection(on, gradient, own);
        Dictionary<int, float[]> second = Read(ParameterSlot.State1);
        return [.. groups.Select(g => Enumerable.Range(0, g.Units).Select(u => Math.Abs(Product(g, u, first)) + Math.Abs(Product(g, u, second) * factor) / 2).ToArray())];

        Dictionary<int, float[]> Read(ParameterSlot slot)
        {
            var all = own.ToDictionary(p => p.Index, p => new float[p.Elements]);
            foreach ((int index, float[] numbers) in all) on.Parameters.Download(index, slot, numbers);
            return all;
        }

        // With w, over what makes the unit.
        double Product(PrunableGroup group, int unit, Dictionary<int, float[]> with)
        {
            double sum = 0;
            foreach (int index in group.Parameters.Select(p => p.Index))
            {
                int each = with[index].Length / group.Units;
                for (int i = unit * each; i < (unit + 1) * each; i++) sum += (double)model.Values[index][i] * with[index][i];
            }
            return sum;
        }
    }
}
