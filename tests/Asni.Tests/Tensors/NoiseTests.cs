using Asni.Tensors;

namespace Asni.Tests.Tensors;

public class NoiseTests
{
    [TestCase(1_000_003)]
    public void Normal_numbers_have_their_moments_and_quantiles(int count)
    {
        var x = new float[count];
        Noise.FillNormal(SplitMix64.Fork(3), x);
        Assert.That(x.Average(v => (double)v), Is.Zero.Within(5e-3));
        Assert.That(x.Average(v => (double)v * v), Is.EqualTo(1).Within(5e-3));
        Assert.That(x.Average(v => Math.Pow(v, 4)), Is.EqualTo(3).Within(0.05));
        Assert.That(x.Count(v => v > 1.6448536f) / (double)count, Is.EqualTo(0.05).Within(1e-3));
        Assert.That(x.Zip(x.Skip(1)).Average(p => (double)p.First * p.Second), Is.Zero.Within(5e-3), "neighbours do not hang together");
    }

    [TestCase(1_000_003)]
    public void Logistic_numbers_have_their_quantiles(int count)
    {
        var x = new float[count];
        Noise.FillLogistic(SplitMix64.Fork(4), x);
        Assert.That(x.All(float.IsFinite));
        foreach (double share in (double[])[0.01, 0.5, 0.9])
            Assert.That(x.Count(v => v < Math.Log(share / (1 - share))) / (double)count, Is.EqualTo(share).Within(2e-3));
    }

    [Test]
    public void A_number_does_not_hang_on_how_many_follow()
    {
        float[] few = new float[13], many = new float[40];
        Noise.FillLogistic(SplitMix64.Fork(5), few);
        Noise.FillLogistic(SplitMix64.Fork(5), many);
        Assert.That(many[..13], Is.EqualTo(few));
    }
}
