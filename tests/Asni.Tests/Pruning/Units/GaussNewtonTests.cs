using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning.Units;

/// <summary>Scores by the Gauss-Newton matrix, against derivatives that are taken by hand.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class GaussNewtonTests(DeviceCase device) : DeviceTests
{
    private const int Inputs = 4, Hidden = 5, Classes = 3, Images = 7;

    private static readonly Network s_network = new NetworkBuilder("n", new Chw(Inputs, 1, 1)).Linear("a", Hidden).Relu("r").Linear("b", Classes).Build();
    private static readonly DatasetSplit s_data = BlobDataset.Split(30, new Chw(Inputs, 1, 1), Classes);
    private static readonly TrainedNetwork s_model = new(s_network, [.. s_network.Parameters.Select(p => Values.Random(20 + (ulong)p.Index, p.Elements))], [.. new Mask?[s_network.Parameters.Length]]);

    [Test]
    public void A_label_is_drawn_by_its_probability()
    {
        float[] logits = [0, MathF.Log(3)], gradient = new float[2];
        Assert.That(GaussNewton.LogLikelihood(logits, 0.2, gradient), Is.EqualTo(-Math.Log(0.25)).Within(1e-6));
        Assert.That(gradient, Is.EqualTo((float[])[-0.75f, 0.75f]).Within(1e-6f));
        Assert.That(GaussNewton.LogLikelihood(logits, 0.3, gradient), Is.EqualTo(-Math.Log(0.75)).Within(1e-6));
        Assert.That(gradient, Is.EqualTo((float[])[0.25f, -0.25f]).Within(1e-6f));
    }

    [TestCase(UnitCriterion.SospI)]
    [TestCase(UnitCriterion.Obd)]
    public void It_equals_what_products_of_single_gradients_give(UnitCriterion criterion)
    {
        using Workbench bench = device.Open();
        var calibration = new Calibration(s_data.Train, new ImageBatches(1, Images), 9, bench.Device, default);
        double[] scores = new UnitSelection { Criterion = criterion }.Score(s_model, PrunableGroups.Find(s_network).Groups, calibration).Single();
        var drawn = SplitMix64.Fork(9, 12);
        int[] indices = calibration.Draw().Indices;
        Assert.That(indices, Has.Length.EqualTo(Images));
        // Of each image and unit: gradients by its filter and bias, of a drawn label and of the image's own.
        double[][][] sampled = [.. indices.Select(i => Gradients(i, drawn.NextDouble()))], own = [.. indices.Select(i => Gradients(i, null))];
        double[] expected = [.. Enumerable.Range(0, Hidden).Select(u => criterion == UnitCriterion.Obd
            ? sampled.Average(g => g[u].Zip(Made(u), (d, w) => d * w * d * w).Sum()) / 2
            : Math.Abs(own.Average(g => Product(g, u))) + Enumerable.Range(0, Hidden).Sum(v => Math.Abs(sampled.Average(g => Product(g, u) * Product(g, v)))) / 2)];
        Assert.That(scores, Is.EqualTo(expected).Within((bench.Device.HasReducedPrecision ? 0.05 : 1e-4) * scores.Max()));
        Assert.That(expected, Is.Unique);
    }

    private static double Product(double[][] gradients, int unit) => gradients[unit].Zip(Made(unit), (d, w) => d * w).Sum();

    /// <summary>The numbers that make a unit.</summary>
    private static IEnumerable<double> Made(int unit) => [.. s_model.Values[0].Skip(unit * Inputs).Take(Inputs).Select(w => (double)w), s_model.Values[1][unit]];

    /// <param name="at">Draws the label; null: the image's own.</param>
    private static double[][] Gradients(int image, double? at)
    {
        var pixels = new byte[Inputs];
        s_data.Train.Read(image, pixels);
        Normalization normalization = s_data.Train.Normalization;
        double[] x = [.. pixels.Select((p, c) => (p / 255.0 - normalization.Mean[c]) / normalization.Std[c])];
        double[] sums = [.. Enumerable.Range(0, Hidden).Select(u => s_model.Values[1][u] + Enumerable.Range(0, Inputs).Sum(i => s_model.Values[0][u * Inputs + i] * x[i]))];
        double[] logits = [.. Enumerable.Range(0, Classes).Select(c => s_model.Values[3][c] + Enumerable.Range(0, Hidden).Sum(u => s_model.Values[2][c * Hidden + u] * Math.Max(0, sums[u])))];
        double[] p = [.. logits.Select(z => Math.Exp(z - logits.Max()))];
        p = [.. p.Select(e => e / p.Sum())];
        int label = at is { } point ? Enumerable.Range(0, Classes).First(c => c == Classes - 1 || point < p.Take(c + 1).Sum()) : s_data.Train.GetLabel(image);
        return [.. Enumerable.Range(0, Hidden).Select(u =>
        {
            double back = sums[u] <= 0 ? 0 : Enumerable.Range(0, Classes).Sum(c => (p[c] - (c == label ? 1 : 0)) * s_model.Values[2][c * Hidden + u]);
            return (double[])[.. x.Select(v => v * back), back];
        })];
    }
}
