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

    private static readonly TestCaseData[] s_exact =
    [
        new TestCaseData(new Uniform()).SetArgDisplayNames("uniform"), new TestCaseData(new Erk()).SetArgDisplayNames("erk"),
    ];

    [TestCaseSource(nameof(s_exact))]
    public void The_sum_of_what_is_kept_is_K_for_any_shapes(object allocation)
    {
        var random = new SplitMix64(1);
        for (int n = 0; n < 1000; n++)
        {
            using DeviceParameters parameters = Random(random);
            double sparsity = n % 10 == 0 ? 0 : n % 10 == 1 ? 1 : random.NextDouble();
            Quota[] quotas = [.. ((IAllocation)allocation).Quotas(parameters.Parameters, sparsity, new Selection(parameters, Ranking.Magnitude))];
            Assert.That(quotas.Sum(q => q.Kept), Is.EqualTo(Quota.At(sparsity, parameters.Parameters)));
            Assert.That(quotas.All(q => q.Kept >= 0 && q.Kept <= q.Tensors.Single().Elements));
            Assert.That(quotas.Select(q => q.Tensors.Single()), Is.EqualTo(parameters.Parameters));
        }
    }

    [TestCaseSource(nameof(s_exact))]
    public void The_sum_stays_K_when_the_sparsity_rises_bit_by_bit(object allocation)
    {
        var random = new SplitMix64(2);
        for (int n = 0; n < 100; n++)
        {
            using DeviceParameters parameters = Random(random);
            foreach (Parameter p in parameters.Parameters) parameters.Upload(p.Index, ParameterSlot.Value, CpuTest.Random(p.Elements, (ulong)p.Index));
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

    private static Parameter Matrix(int index, int outputs, int inputs) =>
        new(index, $"layer{index}.weight", ParameterKind.Weight, new Shape(outputs, inputs), new FilterShape(outputs, inputs, 1, 1));
}
