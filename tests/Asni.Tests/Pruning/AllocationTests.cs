using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Cpu;

namespace Asni.Tests.Pruning;

public class AllocationTests
{
    private readonly CpuDevice _device = new(1);

    [OneTimeTearDown]
    public void Release() => _device.Dispose();

    [TestCase("lenet300", 0.9, 0.0796, 0.2302, 1)]
    [TestCase("lenet300", 0.95, 0.0385, 0.1113, 0.9185)]
    [TestCase("lenet300", 0.98, 0.0154, 0.0445, 0.3674)]
    [TestCase("conv6", 0.95, 0.725, 0.0624, 0.0461, 0.0305, 0.0227, 0.0151, null, null, 1)]
    public void Erk_has_the_densities_of_its_definition(string name, double sparsity, params object?[] expected)
    {
        ImmutableArray<Parameter> weights = [.. NetworkZoo.Create(name, name == "conv6" ? new Chw(3, 32, 32) : new Chw(1, 28, 28), 10).Weights];
        double[] densities = Erk.Densities(weights, Quota.At(sparsity, weights));
        Assert.That(densities, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < densities.Length; i++)
            if (expected[i] is { } density) Assert.That(densities[i], Is.EqualTo(Convert.ToDouble(density)).Within(5e-5), weights[i].Name);
    }

    /// <summary>Computed elsewhere from the definition.</summary>
    [Test]
    public void Er_counts_no_kernels()
    {
        ImmutableArray<Parameter> weights = [.. NetworkZoo.Create("conv6", new Chw(3, 32, 32), 10).Weights];
        double[] expected = [1, 0.1893, 0.1420, 0.0947, 0.0710, 0.0473, 0.0251, 0.0473, 0.6294];
        Assert.That(Erk.Densities(weights, Quota.At(0.95, weights), kernel: false), Is.EqualTo(expected).Within(5e-5));
    }

    /// <summary>K = 113,059 of 2,261,184: 1,728 of the first, 512 of the last 2,560, and the rest for 2,256,896. At 70 % 20 % of the last is no more than of the others.
    /// At 99.95 % K = 1,131, and 2,240 of the exceptions leave the others half of K / N at K = 2,240 / (1 - 2,256,896 / 2 / 2,261,184) = 4,471.5: all have 0.252934 of what they have there.</summary>
    [TestCase("conv6", 0.95, 0.0491024, 1, 0.2)]
    [TestCase("conv6", 0.7, 0.2994646, 1, 0.2994646)]
    [TestCase("conv6", 0.9995, 0.0002501, 0.2529341, 0.0505868)]
    [TestCase("lenet300", 0.95, 0.0494344, 0.0494344, 0.2)]
    public void Uniform_plus_excepts_the_first_convolution_and_the_last_layer(string name, double sparsity, double others, double first, double last)
    {
        ImmutableArray<Parameter> weights = [.. NetworkZoo.Create(name, name == "conv6" ? new Chw(3, 32, 32) : new Chw(1, 28, 28), 10).Weights];
        double[] densities = UniformPlus.Densities(weights, Quota.At(sparsity, weights));
        Assert.That(densities, Is.EqualTo((double[])[first, .. Enumerable.Repeat(others, weights.Length - 2), last]).Within(1e-6));
    }

    /// <summary>Gradual pruning sees all of them in turn, and no weight returns.</summary>
    [TestCase("conv6")]
    [TestCase("mobilenet_v2")]
    [TestCase("lenet300")]
    public void No_density_of_uniform_plus_rises_or_vanishes_as_fewer_stay(string name)
    {
        ImmutableArray<Parameter> weights = [.. NetworkZoo.Create(name, name == "lenet300" ? new Chw(1, 28, 28) : new Chw(3, 32, 32), 10).Weights];
        long total = weights.Sum(p => p.Elements);
        double[] before = UniformPlus.Densities(weights, total);
        Assert.That(before, Is.All.EqualTo(1).Within(1e-12));
        for (int n = 1; n < 4000; n++)
        {
            long keep = (long)(total * Math.Pow(0.998, n));
            double[] densities = UniformPlus.Densities(weights, keep);
            Assert.That(densities.Zip(weights, (d, p) => d * p.Elements).Sum(), Is.EqualTo((double)keep).Within(1e-6 * keep));
            for (int i = 0; i < densities.Length; i++)
            {
                Assert.That(densities[i], Is.InRange(0.499 * keep / total, before[i] + 1e-12), $"{weights[i].Name}, {keep} of {total}");
                Assert.That(before[i] - densities[i], Is.LessThan(0.02), $"{weights[i].Name}, {keep} of {total}: a jump");
            }
            before = densities;
        }
    }

    [TestCase(new[] { 1f, 2, 3, 4 }, new[] { 1 / 30.0, 4 / 29.0, 9 / 25.0, 1 })]
    [TestCase(new[] { 0.5f, 0.5f, 0.5f }, new[] { 1 / 3.0, 1 / 2.0, 1 })]
    [TestCase(new[] { 0f, 0, 2 }, new[] { 0.0, 0, 1 })]
    [TestCase(new[] { 0f, 0 }, new[] { 0.0, 0 })]
    public void Lamp_has_the_scores_of_its_definition(float[] magnitudes, double[] expected) => Assert.That(new Lamp().Rescale(magnitudes), Is.EqualTo(expected).Within(1e-15));

    [TestCase(new[] { 0f, 3, 4 }, new[] { 0, 0.6, 0.8 })]
    [TestCase(new[] { 0f, 0 }, new[] { 0.0, 0 })]
    public void The_norm_of_a_layer_divides_its_magnitudes(float[] magnitudes, double[] expected) =>
        Assert.That(new Normalized().Rescale(magnitudes), Is.EqualTo(expected).Within(1e-15));

    /// <summary>
    /// By hand. LAMP: 1/30, 4/29, 9/25, 1 of (1, -2, 3, -4) and 1/3, 1/2, 1 of three equal ones; norms: 0.18, 0.37, 0.55, 0.73 and three times 0.58. Raw: 1 to 4 and three times 0.5.
    /// </summary>
    [TestCase("lamp", 2, new[] { 1, 1 })]
    [TestCase("lamp", 3, new[] { 1, 2 })]
    [TestCase("lamp", 4, new[] { 2, 2 })]
    [TestCase("lamp", 5, new[] { 2, 3 })]
    [TestCase("normalized", 1, new[] { 1, 0 })]
    [TestCase("normalized", 2, new[] { 1, 1 })]
    [TestCase("normalized", 4, new[] { 1, 3 })]
    [TestCase("normalized", 5, new[] { 2, 3 })]
    [TestCase("pooled", 4, new[] { 4, 0 })]
    public void A_rescaled_cut_is_one_over_all_layers(string name, int keep, int[] expected)
    {
        using DeviceParameters parameters = _device.CreateParameters([Matrix(0, 2, 3), Matrix(1, 1, 3)]);
        // Two of the first are pruned already, and count for nothing.
        var mask = new Mask(6) { [0] = false, [4] = false };
        parameters.Upload(0, ParameterSlot.Value, [0, 3, 1, -4, 0, -2]);
        parameters.Upload(1, ParameterSlot.Value, [0.5f, -0.5f, 0.5f]);
        parameters.SetMask(0, mask);
        var selection = new Selection(parameters, Ranking.Magnitude);
        IAllocation allocation = name == "lamp" ? new Lamp() : name == "normalized" ? new Normalized() : new Pooled();
        foreach (Quota quota in allocation.Quotas(parameters.Parameters, 1 - keep / 9.0, selection)) selection.Keep(quota.Tensors, quota.Kept);
        Assert.That(parameters.Parameters.Select(selection.Live), Is.EqualTo(expected));
    }

    /// <summary>Of lenet300's 235,200, 30,000 and 1,000 weights. For K = 26,620 the last is dense, and the others share 25,620 as 4,704 and 3,000.</summary>
    [TestCase("0.02,0.1,0.4", 8104, new long[] { 4704, 3000, 400 })]
    [TestCase("0.02,0.1,0.4", 4052, new long[] { 2352, 1500, 200 })]
    [TestCase("0.02,0.1,0.4", 26620, new long[] { 15643, 9977, 1000 })]
    [TestCase("0.1,0,1", 1000, new long[] { 959, 0, 41 })]
    [TestCase("0,0,1", 1100, new long[] { 50, 50, 1000 }, Description = "more than those that may have some")]
    [TestCase("1,1,1", 0, new long[] { 0, 0, 0 })]
    public void Layers_keep_given_densities_scaled_to_K(string densities, long keep, long[] expected)
    {
        ImmutableArray<Parameter> weights = [Matrix(0, 300, 784), Matrix(1, 100, 300), Matrix(2, 10, 100)];
        using DeviceParameters parameters = _device.CreateParameters(weights);
        IEnumerable<Quota> quotas = LayerDensities.Parse(densities).Allocation.Quotas(weights, 1 - keep / 266_200.0, new Selection(parameters, Ranking.Magnitude));
        Assert.That(quotas.Select(q => q.Kept), Is.EqualTo(expected));
    }

    [Test]
    public void Densities_are_those_of_a_run()
    {
        using var folder = new TemporaryFolder();
        string path = folder["layers.csv"];
        File.WriteAllText(path, "layer,shape,weights,kept,sparsity,c_plus,c_minus,macs,live_macs,effective\n1.weight,2x4,8,2,0.75,,,8,2,1\n\"a, \"\"b\"\"\",2x2,4,1,0.75,0.5,-0.5,4,1,1\n");
        Assert.That(LayerDensities.Parse(path), Is.EqualTo(LayerDensities.Parse("0.25,0.25")));
        File.WriteAllText(path, "layer,shape,weights,kept,sparsity,c_plus,c_minus,macs,live_macs,effective\n1.weight,2x4,8\n");
        Assert.That(() => LayerDensities.Parse(path), Throws.TypeOf<FormatException>(), "cut off");
        Assert.That(() => LayerDensities.Parse(folder["none.csv"]), Throws.TypeOf<FormatException>());
    }

    [TestCase("")]
    [TestCase("0,0")]
    [TestCase("0.5,1.1")]
    [TestCase("0.5,-0.1")]
    [TestCase("0.5;0.1")]
    [TestCase("NaN,0.1")]
    public void What_is_no_density_is_refused(string text) => Assert.That(() => LayerDensities.Parse(text), Throws.TypeOf<FormatException>());

    [Test]
    public void Lamp_empties_no_layer()
    {
        ImmutableArray<Parameter> weights = [.. NetworkZoo.Create("lenet300", new Chw(1, 28, 28), 10).Weights];
        ImmutableArray<Parameter> tensors = [.. weights.Select((p, i) => Matrix(i, p.Shape[0], p.Shape[1]))];
        using DeviceParameters parameters = _device.CreateParameters(tensors);
        // The second is far smaller than the others.
        foreach (Parameter p in tensors) parameters.Upload(p.Index, ParameterSlot.Value, [.. CpuTest.Random(p.Elements, (ulong)p.Index).Select(v => p.Index == 1 ? v / 1000 : v)]);
        var selection = new Selection(parameters, Ranking.Magnitude);
        foreach (int keep in (int[])[3, 10, 266])
            Assert.That(new Lamp().Quotas(tensors, 1 - keep / 266_200.0, selection).Select(q => q.Kept), Is.All.GreaterThan(0), $"{keep}");
        new Selection(parameters, Ranking.Magnitude).Keep(tensors, 266);
        Assert.That(selection.Live(tensors[1]), Is.Zero, "by raw magnitudes it is emptied");
    }

    private static readonly TestCaseData[] s_exact =
    [
        new TestCaseData(new Uniform()).SetArgDisplayNames("uniform"), new TestCaseData(new UniformPlus()).SetArgDisplayNames("uniformplus"),
        new TestCaseData(new Erk()).SetArgDisplayNames("erk"), new TestCaseData(new Erk(kernel: false)).SetArgDisplayNames("er"),
        new TestCaseData(new Lamp()).SetArgDisplayNames("lamp"), new TestCaseData(new Normalized()).SetArgDisplayNames("normalized"),
        new TestCaseData(new Pooled()).SetArgDisplayNames("pooled"),
    ];

    [TestCaseSource(nameof(s_exact))]
    public void The_sum_of_what_is_kept_is_K_for_any_shapes(object allocation)
    {
        var random = new SplitMix64(1);
        for (int n = 0; n < 1000; n++)
        {
            using DeviceParameters parameters = Random(random);
            // Every other time all are 0, and equal.
            if (n % 2 == 0) Fill(parameters);
            double sparsity = n % 10 == 0 ? 0 : n % 10 == 1 ? 1 : random.NextDouble();
            Quota[] quotas = [.. ((IAllocation)allocation).Quotas(parameters.Parameters, sparsity, new Selection(parameters, Ranking.Magnitude))];
            Assert.That(quotas.Sum(q => q.Kept), Is.EqualTo(Quota.At(sparsity, parameters.Parameters)));
            Assert.That(quotas.All(q => q.Kept >= 0 && q.Kept <= q.Tensors.Sum(p => p.Elements)));
            Assert.That(quotas.SelectMany(q => q.Tensors), Is.EqualTo(parameters.Parameters));
        }
    }

    [TestCaseSource(nameof(s_exact))]
    public void The_sum_stays_K_when_the_sparsity_rises_bit_by_bit(object allocation)
    {
        var random = new SplitMix64(2);
        for (int n = 0; n < 100; n++)
        {
            using DeviceParameters parameters = Random(random);
            Fill(parameters);
            var selection = new Selection(parameters, Ranking.Magnitude);
            for (double sparsity = 0; sparsity < 1; sparsity += 0.01)
            {
                Quota[] quotas = [.. ((IAllocation)allocation).Quotas(parameters.Parameters, sparsity, selection)];
                foreach (Quota quota in quotas) selection.Keep(quota.Tensors, quota.Kept);
                Assert.That(selection.Live(parameters.Parameters), Is.EqualTo(Quota.At(sparsity, parameters.Parameters)));
            }
        }
    }

    [Test]
    public void Uniform_gives_each_tensor_the_same_density_and_the_rest_to_the_largest_fractions()
    {
        using DeviceParameters parameters = _device.CreateParameters([Matrix(0, 2, 5), Matrix(1, 3, 5), Matrix(2, 1, 5)]);
        // K = 10 of 30: 3.33, 5, 1.67.
        IEnumerable<Quota> quotas = new Uniform().Quotas(parameters.Parameters, 2 / 3.0, new Selection(parameters, Ranking.Magnitude));
        Assert.That(quotas.Select(q => q.Kept), Is.EqualTo(new[] { 3, 5, 2 }));
    }

    private DeviceParameters Random(SplitMix64 random)
    {
        var tensors = ImmutableArray.CreateBuilder<Parameter>();
        for (int count = 1 + random.Next(7), i = 0; i < count; i++)
        {
            tensors.Add(random.Next(2) == 0
                ? Matrix(i, 1 + random.Next(20), 1 + random.Next(20))
                : CpuTest.Filter(i, 1 + random.Next(9), 1 + random.Next(9), 3, 3));
        }
        return _device.CreateParameters(tensors.ToImmutable());
    }

    private static void Fill(DeviceParameters parameters)
    {
        foreach (Parameter p in parameters.Parameters) parameters.Upload(p.Index, ParameterSlot.Value, CpuTest.Random(p.Elements, (ulong)p.Index));
    }

    private static Parameter Matrix(int index, int outputs, int inputs) =>
        new(index, $"layer{index}.weight", ParameterKind.Weight, new Shape(outputs, inputs), new FilterShape(outputs, inputs, 1, 1));
}
