using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning.Units;

/// <summary>
/// Second-order scores with the Gauss-Newton matrix in place of second derivatives: H = mean over images of g g', where g is the gradient of -log p(y) and y is drawn from the
/// network's own p. With w_u the parameters that make unit u (filters, biases, batch-norms):
/// <list type="bullet">
/// <item>|w_u' dL/dw_u| + 1/2 sum_v |w_u' H w_v| over the units v of all groups (Nonnenmacher, Pfeil, Steinwart, Reeb 2022, arXiv 2110.11395: SOSP-I);</item>
/// <item>1/2 sum_i w_i^2 H_ii over the numbers i of w_u (LeCun, Denker, Solla 1990, equation 3: optimal brain damage, of a unit).</item>
/// </list>
/// Batch-norm takes its running statistics. One image at a time.
/// </summary>
/// <param name="diagonal">The second.</param>
internal sealed class GaussNewton(bool diagonal) : IUnitScore
{
    /// <summary>Of random numbers.</summary>
    private const ulong Purpose = 12;

    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration)
    {
        ScoringImages images = calibration.Draw();
        var drawn = SplitMix64.Fork(calibration.Seed, Purpose);
        int[] firsts = PrunableGroup.Firsts(groups);
        double[] first = new double[firsts[^1]], second = new double[firsts[^1]];
        var sampled = new double[diagonal ? 0 : images.Indices.Length][];
        using var on = new Gradients(model, groups, calibration);
        for (int n = 0; n < images.Indices.Length; n++)
        {
            calibration.Cancellation.ThrowIfCancellationRequested();
            double[] own = on.Products(images, n, (logits, _, gradient) => LogLikelihood(logits, drawn.NextDouble(), gradient), squared: diagonal);
            if (diagonal)
            {
                for (int u = 0; u < own.Length; u++) second[u] += own[u] / images.Indices.Length;
                continue;
            }
            sampled[n] = own;
            double[] labelled = on.Products(images, n, LogitLosses.CrossEntropy(temperature: 1, images: 1), squared: false);
            for (int u = 0; u < first.Length; u++) first[u] += labelled[u] / images.Indices.Length;
        }
        if (!diagonal) AddCorrelations(sampled, second, calibration.Cancellation);
        return [.. groups.Select((group, g) => Enumerable.Range(firsts[g], group.Units).Select(u => Math.Abs(first[u]) + second[u] / 2).ToArray())];
    }

    /// <summary>sum_v |mean over images of (w_u' g) (w_v' g)|.</summary>
    private static void AddCorrelations(double[][] products, double[] to, CancellationToken cancellation) => Parallel.For(0, to.Length, new ParallelOptions { CancellationToken = cancellation }, u =>
    {
        for (int v = 0; v < to.Length; v++)
        {
            double sum = 0;
            foreach (double[] of in products) sum += of[u] * of[v];
            to[u] += Math.Abs(sum / products.Length);
        }
    });

    /// <summary>-log p of the class at which the sum of probabilities passes a number in [0, 1).</summary>
    internal static double LogLikelihood(ReadOnlySpan<float> logits, double at, Span<float> gradient) =>
        LogitLosses.CrossEntropy(temperature: 1, images: 1)(logits, [Draw(logits, at)], gradient);

    private static int Draw(ReadOnlySpan<float> logits, double at)
    {
        double max = double.NegativeInfinity, sum = 0, passed = 0;
        foreach (float logit in logits) max = Math.Max(max, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - max);
        for (int c = 0; c < logits.Length; c++)
        {
            passed += Math.Exp(logits[c] - max) / sum;
            if (at < passed) return c;
        }
        return logits.Length - 1;
    }

    /// <summary>A network on the device, whose gradients are multiplied with its parameters, unit by unit.</summary>
    private sealed class Gradients : IDisposable
    {
        private readonly Model _model;
        private readonly GradientPlan _plan;
        private readonly Batch _batch;
        private readonly TrainedNetwork _trained;
        private readonly (Parameter Of, int First)[] _own;
        private readonly float[][] _gradients;
        private readonly int _units;

        public Gradients(TrainedNetwork trained, ImmutableArray<PrunableGroup> groups, Calibration calibration)
        {
            _trained = trained;
            _model = new Model(trained.Network, calibration.Device);
            _model.Load(trained);
            try
            {
                _plan = new GradientPlan(_model, 1);
            }
            catch
            {
                _model.Dispose();
                throw;
            }
            _batch = new Batch(1, calibration.Data.Shape);
            int[] firsts = PrunableGroup.Firsts(groups);
            _own = [.. groups.SelectMany((group, g) => group.Parameters.Select(p => (p, firsts[g])))];
            _gradients = [.. _own.Select(o => new float[o.Of.Elements])];
            _units = firsts[^1];
        }

        /// <summary>w_u' g of each unit, or the sum of the squares of its terms.</summary>
        public double[] Products(ScoringImages images, int image, LogitLoss loss, bool squared)
        {
            images.Fill(_batch, image);
            _plan.Load(_batch, images.Data.Normalization);
            _plan.Run(loss);
            var products = new double[_units];
            for (int k = 0; k < _own.Length; k++)
            {
                (Parameter of, int first) = _own[k];
                float[] w = _trained.Values[of.Index], g = _gradients[k];
                _model.Parameters.Download(of.Index, ParameterSlot.Gradient, g);
                if (_trained.Masks[of.Index] is { } mask)
                    for (int i = 0; i < g.Length; i++)
                        if (!mask[i]) g[i] = 0;
                for (int i = 0; i < w.Length; i++)
                {
                    double term = (double)w[i] * g[i];
                    products[first + i / of.Filter.FanIn] += squared ? term * term : term;
                }
            }
            return products;
        }

        public void Dispose()
        {
            _plan.Dispose();
            _model.Dispose();
        }
    }
}
