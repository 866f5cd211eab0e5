using Asni.Methods;
using Asni.Optimizers;

namespace Asni.Tests.Optimizers;

public class LearningRateTests
{
    [Test]
    public void A_stretched_cosine_follows_the_authors_formula()
    {
        var cosine = new LearningRate { Kind = LearningRateKind.Cosine, Initial = 0.05, CosineStretch = 1.06 };
        Assert.That(cosine.GetRate(0, 160), Is.EqualTo(0.05).Within(1e-12));
        Assert.That(cosine.GetRate(80, 160), Is.EqualTo(0.025 * (1 + Math.Cos(Math.PI * 80 / (1.06 * 160)))).Within(1e-12));
        Assert.That(cosine.GetRate(159, 160), Is.GreaterThan(0));
    }

    [Test]
    public void Multistep_multiplies_at_each_step()
    {
        var steps = new LearningRate { Kind = LearningRateKind.Multistep, Initial = 1, Steps = [2, 4], Gamma = 0.1 };
        double[] rates = [.. Enumerable.Range(0, 6).Select(e => steps.GetRate(e, 6))];
        Assert.That(rates, Is.EqualTo(new[] { 1, 1, 0.1, 0.1, 0.01, 0.01 }).Within(1e-12));
    }

    [Test]
    public void A_warm_up_rises_linearly_and_the_policy_starts_after_it()
    {
        var warm = new LearningRate { Kind = LearningRateKind.Cosine, Initial = 0.4, WarmupEpochs = 4 };
        Assert.That(warm.GetRate(0, 14), Is.EqualTo(0.1).Within(1e-12));
        Assert.That(warm.GetRate(3, 14), Is.EqualTo(0.4).Within(1e-12));
        Assert.That(warm.GetRate(4, 14), Is.EqualTo(0.4).Within(1e-12));
        Assert.That(warm.GetRate(9, 14), Is.EqualTo(0.2).Within(1e-12));
    }

    [TestCase(0, 0, new[] { 1, 0.75, 0.5, 0.25 })]
    [TestCase(2, 0, new[] { 1, 1, 1, 0.5 })]
    [TestCase(0, 2, new[] { 0.5, 1, 1, 0.5 })]
    [TestCase(9, 0, new[] { 1, 1, 1, 1.0 }, Description = "never")]
    public void A_line_falls_to_0_at_the_end(int from, int warmup, double[] expected)
    {
        var line = new LearningRate { Kind = LearningRateKind.Linear, Initial = 1, LinearFrom = from, WarmupEpochs = warmup };
        Assert.That(Enumerable.Range(0, 4).Select(e => line.GetRate(e, 4)), Is.EqualTo(expected).Within(1e-12));
    }

    [TestCase(120, 80)]
    [TestCase(80, 80)]
    [TestCase(0, 80)]
    public void Steps_that_do_not_ascend_from_1_are_refused(int first, int second) =>
        Assert.That(() => new LearningRate { Steps = [first, second] }.Validate(),
            Throws.TypeOf<UsageException>().With.Message.EqualTo($"the learning rate's steps {first},{second} must be epochs from 1 on in ascending order."));

    [Test]
    public void A_warm_up_longer_than_a_phase_is_refused()
    {
        var recipe = new Recipe { Epochs = 5, LearningRate = new LearningRate { WarmupEpochs = 5 }, Method = new OneShot { Retraining = new Retraining { Epochs = 5 } } };
        Assert.That(recipe.Validate, Throws.Nothing);
        recipe = recipe with { Method = new OneShot { Retraining = new Retraining { Epochs = 4 } } };
        Assert.That(recipe.Validate, Throws.TypeOf<UsageException>().With.Message.EqualTo("a warm-up of 5 epochs is longer than the 4 epochs of oneshot."));
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(double.NaN)]
    [TestCase(double.PositiveInfinity)]
    public void A_rate_that_is_no_positive_number_is_refused(double rate) =>
        Assert.That(() => new LearningRate { Initial = rate }.Validate(), Throws.TypeOf<UsageException>().With.Message.Contains("learning rate"));
}
