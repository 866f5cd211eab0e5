using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Networks;

public class InitializationTests
{
    private const double Unit = 1 / 4294967296.0;

    private static float[] Fill(Parameter parameter, ulong seed)
    {
        var values = new float[parameter.Elements];
        Initialization.Fill(parameter, seed, values);
        return values;
    }

    private static Parameter Weight(string network, string name) => NetworkZoo.Create(network).Parameters.Single(p => p.Name == name);

    [TestCase("conv6", "16.weight", 4096)]
    [TestCase("resnet18", "layer3.0.conv2.weight", 2304)]
    [TestCase("lenet300", "1.weight", 784)]
    public void Weights_are_normal_with_variance_two_over_fan_in(string network, string name, int fanIn)
    {
        float[] values = Fill(Weight(network, name), 1);
        double deviation = Math.Sqrt(2.0 / fanIn), n = values.Length;
        double Moment(int power) => values.Sum(v => Math.Pow(v / deviation, power)) / n;

        // Five standard errors of the moments of a standard normal sample.
        Assert.That(Moment(1), Is.EqualTo(0).Within(5 / Math.Sqrt(n)));
        Assert.That(Moment(2), Is.EqualTo(1).Within(5 * Math.Sqrt(2 / n)));
        Assert.That(Moment(3), Is.EqualTo(0).Within(5 * Math.Sqrt(15 / n)));
        Assert.That(Moment(4), Is.EqualTo(3).Within(5 * Math.Sqrt(96 / n)));
        double beyondTwo = values.Count(v => Math.Abs(v) > 2 * deviation) / n;
        Assert.That(beyondTwo, Is.EqualTo(0.0455).Within(5 * Math.Sqrt(0.0455 / n)));
    }

    [Test]
    public void Neighbours_and_the_two_values_of_a_draw_are_uncorrelated()
    {
        float[] values = Fill(Weight("lenet300", "1.weight"), 3);
        double variance = values.Sum(v => (double)v * v);
        foreach (int lag in new[] { 1, 16, 32, 784 })
        {
            double covariance = 0;
            for (int i = lag; i < values.Length; i++) covariance += (double)values[i] * values[i - lag];
            Assert.That(covariance / variance, Is.EqualTo(0).Within(5 / Math.Sqrt(values.Length)), $"lag {lag}");
        }
    }

    [Test]
    public void Values_are_box_muller_of_the_parameters_own_stream()
    {
        Parameter weight = Weight("lenet300", "5.weight");
        float[] values = Fill(weight, 42);
        var random = SplitMix64.Fork(42, 0x696E6974, (ulong)weight.Index);
        double deviation = Math.Sqrt(2.0 / 100);
        for (int block = 0; block + 32 <= values.Length; block += 32)
            for (int i = 0; i < 16; i++)
            {
                ulong draw = random.NextUInt64();
                double radius = deviation * Math.Sqrt(-2 * Math.Log(((draw >> 32) + 1) * Unit)), angle = 2 * Math.PI * (uint)draw * Unit;
                Assert.That(values[block + i], Is.EqualTo(radius * Math.Cos(angle)).Within(1e-6));
                Assert.That(values[block + 16 + i], Is.EqualTo(radius * Math.Sin(angle)).Within(1e-6));
            }
    }

    [Test]
    public void A_length_that_no_block_divides_is_filled_to_its_end()
    {
        // 1000 elements are 31 blocks of 32 and 8 more.
        float[] values = Fill(Weight("lenet300", "5.weight"), 5);
        Assert.That(values.Length % 32, Is.EqualTo(8));
        Assert.That(values[^8..], Has.None.EqualTo(0f).And.Unique);
    }

    [Test]
    public void The_same_seed_gives_the_same_bits_and_another_seed_others()
    {
        Network network = NetworkZoo.Create("resnet20");
        var first = Initialization.Create(network, 7);
        var again = Initialization.Create(network, 7);
        var other = Initialization.Create(network, 8);
        foreach (Parameter p in network.Parameters)
        {
            Assert.That(again[p.Index], Is.EqualTo(first[p.Index]), p.Name);
            Assert.That(Fill(p, 7), Is.EqualTo(first[p.Index]), p.Name);
            if (p.IsWeight) Assert.That(other[p.Index], Is.Not.EqualTo(first[p.Index]), p.Name);
        }
    }

    [Test]
    public void Parameters_of_one_shape_get_different_values()
    {
        Network network = NetworkZoo.Create("resnet20");
        var values = Initialization.Create(network, 7);
        var same = network.Weights.Where(p => p.Shape == new Shape(16, 16, 3, 3)).Select(p => values[p.Index][0]);
        Assert.That(same, Is.Unique);
    }

    [Test]
    public void Everything_else_starts_at_zero_or_one()
    {
        Network network = NetworkZoo.Create("vgg11");
        var values = Initialization.Create(network, 1);
        foreach (Parameter p in network.Parameters.Where(p => !p.IsWeight))
        {
            float expected = p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance ? 1 : 0;
            Assert.That(values[p.Index], Is.All.EqualTo(expected), p.Name);
        }
    }

    [Test]
    public void A_buffer_of_another_length_is_refused()
    {
        Parameter weight = Weight("lenet300", "5.weight");
        Assert.That(() => Initialization.Fill(weight, 1, new float[999]),
            Throws.ArgumentException.With.Message.Contains("1000 elements, not 999"));
    }
}
