using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// Greedy forward selection (Ye et al. 2020, arXiv 2003.01794) of the units of a group: again and again the one that leaves the smallest
/// ||g(H) - g(H_S)||^2 over calibration images. g is affine, so with K the inner products of what each two units add to its output, that error is the sum of K
/// over pairs of units that are out, and a candidate costs one row sum.
/// </summary>
internal sealed class GreedySelection
{
    /// <summary>Output positions that the error is taken over, spread over the images; and values of one product with itself.</summary>
    private const int Sites = 2048, MaxValues = 1 << 24;

    private readonly TrainedNetwork _model;
    private readonly PrunableGroup _group;
    private readonly Device _device;
    private readonly FilterShape _filter;
    private readonly float[] _byInput;

    public GreedySelection(TrainedNetwork model, PrunableGroup group, Device device)
    {
        (_model, _group, _device) = (model, group, device);
        _filter = group.Consumer.Weight.Filter;
        (float[] weights, _) = ISpaSP.Folded(_model, _group);
        // (unit and tap, output), so that what one value adds to all outputs lies together.
        _byInput = new float[weights.Length];
        for (int o = 0; o < _filter.Out; o++)
            for (int i = 0; i < _filter.FanIn; i++) _byInput[i * _filter.Out + o] = weights[o * _filter.FanIn + i];
    }

    /// <returns>The kept units, ascending.</returns>
    public int[] Select(int keep, Calibration calibration)
    {
        double[] products = Products(calibration);
        int units = _group.Units;
        var row = new double[units];
        for (int u = 0; u < units; u++)
            for (int v = 0; v < units; v++) row[u] += products[u * units + v];
        var rest = Enumerable.Range(0, units).ToList();
        while (rest.Count > units - keep)
        {
            int best = rest.MaxBy(u => 2 * row[u] - products[u * units + u]);
            rest.Remove(best);
            foreach (int u in rest) row[u] -= products[u * units + best];
        }
        return [.. Enumerable.Range(0, units).Except(rest)];
    }

    /// <summary>
    /// The same from the other end, one unit after another that goes: the one after which those that are gone have added least to the output, in squares (Luo, Wu, Lin 2017, arXiv 1707.06342:
    /// ThiNet). Those that stay are then scaled so that their sum is nearest to that of all.
    /// </summary>
    /// <returns>The kept units, ascending, and their scales.</returns>
    public (int[] Units, double[] Scales) SelectByRemoval(int keep, Calibration calibration)
    {
        double[] products = Products(calibration);
        int units = _group.Units;
        // Of each unit, its products with those that are gone.
        var row = new double[units];
        var kept = Enumerable.Range(0, units).ToList();
        while (kept.Count > keep)
        {
            int gone = kept.MinBy(u => 2 * row[u] + products[u * units + u]);
            kept.Remove(gone);
            foreach (int u in kept) row[u] += products[u * units + gone];
        }
        return ([.. kept], LeastSquares(products, units, kept));
    }

    /// <summary>s with the least |sum over kept units of s_u x_u - sum of all x|^2, from the products of every two x: K_SS s = K_S 1.</summary>
    private static double[] LeastSquares(double[] products, int units, List<int> kept)
    {
        // Units that put out nothing, or the same as others, have no scale of their own: they stay near 1.
        double ridge = 1e-6 * kept.Average(u => products[u * units + u]);
        if (!(ridge > 0)) return [.. kept.Select(_ => 1.0)];
        double[] scales = [.. kept.Select(u => ridge + Enumerable.Range(0, units).Sum(v => products[u * units + v]))];
        new SymmetricMatrix([.. kept.SelectMany(u => kept.Select(v => products[u * units + v]))], ridge).Solve(scales);
        return scales;
    }

    /// <summary>K of every two units.</summary>
    public double[] Products(Calibration calibration)
    {
        int units = _group.Units, each = Math.Max(1, Sites / (calibration.Images.Count * calibration.Images.Size)), elements = _group.Hidden.Output.Elements;
        int room = Math.Clamp(MaxValues / (units * _filter.Out), 1, each * calibration.Images.Count * calibration.Images.Size), filled = 0;
        using var product = new SelfProduct(units, room * _filter.Out, _device);
        var added = new float[(long)units * room * _filter.Out];
        var sum = new double[units * units];
        var random = SplitMix64.Fork(calibration.Seed, (ulong)_group.Producer.Id);
        calibration.Push(_model, _group.Hidden, (activations, images) =>
        {
            for (int i = 0; i < images; i++)
                for (int n = 0; n < each; n++)
                {
                    Add(activations.Slice(i * elements, elements), random.Next(_group.Consumer.Output.Positions), added, room, filled);
                    if (++filled == room) Flush();
                }
        });
        if (filled > 0) Flush();
        return sum;

        void Flush()
        {
            product.AddTo(sum, added);
            Array.Clear(added);
            filled = 0;
        }
    }

    /// <summary>What each unit of an image adds to an output position.</summary>
    private void Add(ReadOnlySpan<float> image, int position, float[] added, int room, int slot)
    {
        Chw from = _group.Hidden.Output, to = _group.Consumer.Output;
        (int stride, int padding) = _group.Consumer is ConvolutionNode c ? (c.Stride, c.Padding) : (1, 0);
        (int top, int left) = (position / to.Width * stride - padding, position % to.Width * stride - padding);
        int outputs = _filter.Out, plane = _filter.Height * _filter.Width;
        for (int u = 0; u < _group.Units; u++)
        {
            Span<float> sums = added.AsSpan((u * room + slot) * outputs, outputs);
            for (int k = 0; k < plane; k++)
            {
                (int y, int x) = (top + k / _filter.Width, left + k % _filter.Width);
                if ((uint)y >= (uint)from.Height || (uint)x >= (uint)from.Width) continue;
                float h = image[(u * from.Height + y) * from.Width + x];
                if (h == 0) continue;
                ReadOnlySpan<float> w = _byInput.AsSpan((u * plane + k) * outputs, outputs);
                for (int o = 0; o < sums.Length; o++) sums[o] += h * w[o];
            }
        }
    }

    /// <summary>A A^T on a device, as a linear layer whose weights are its inputs.</summary>
    private sealed class SelfProduct : IDisposable
    {
        private readonly Device _device;
        private readonly ConvolutionOperation _layer;
        private readonly DeviceParameters _parameters;
        private readonly DeviceBuffer _memory;
        private readonly DeviceTensor _x, _y;
        private readonly float[] _result;

        public SelfProduct(int rows, int columns, Device device)
        {
            _device = device;
            var filter = new FilterShape(rows, columns, 1, 1);
            var spec = new ConvolutionSpec(rows, new Chw(columns, 1, 1), filter, 1, 0, 1, false, Activation.None, true, false);
            _layer = device.CreateConvolution(spec);
            _parameters = device.CreateParameters([new Parameter(0, "rows", ParameterKind.Weight, new Shape(rows, columns), filter)]);
            long input = (device.ActivationBytes(rows, spec.Input) + 255) / 256 * 256;
            _memory = device.Allocate(input + device.ActivationBytes(rows, spec.Output));
            _x = new DeviceTensor(_memory, 0, rows, spec.Input);
            _y = new DeviceTensor(_memory, input, rows, spec.Output);
            _result = new float[rows * rows];
        }

        public void AddTo(double[] sum, float[] rows)
        {
            _parameters.Upload(0, ParameterSlot.Value, rows);
            _device.Upload(rows, _x);
            _layer.Forward(_x, _parameters.Value(0), default, _y);
            _device.Download(_y, _result);
            for (int i = 0; i < sum.Length; i++) sum[i] += _result[i];
        }

        public void Dispose()
        {
            _layer.Dispose();
            _parameters.Dispose();
            _memory.Dispose();
        }
    }
}
