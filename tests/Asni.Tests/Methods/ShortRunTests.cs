using Asni.Methods;
using Asni.Optimizers;
using Asni.Pruning;

namespace Asni.Tests.Methods;

public class ShortRunTests
{
    private static readonly Recipe s_recipe = new()
    {
        Epochs = 90,
        BatchSize = 128,
        Optimizer = new OptimizerSettings { Kind = OptimizerKind.Momentum },
        LearningRate = new LearningRate { Initial = 0.128 },
    };

    [Test]
    public void A_small_network_keeps_its_recipe_and_all_images() =>
        Assert.That(ShortRun.For(macs: 1000, weights: 6_000_000, s_recipe, threads: 1, available: 50_000), Is.EqualTo(new ShortRun(50_000, 90, 128, 0.128)));

    [Test]
    public void A_large_network_gets_fewer_epochs_images_and_smaller_batches_with_the_rate_in_proportion()
    {
        ShortRun run = ShortRun.For(macs: 300_000_000, weights: 1_000_000, s_recipe, threads: 2, available: 50_000);
        Assert.That(run.Epochs, Is.InRange(6, 20));
        Assert.That(run.Images, Is.InRange(256, 2048));
        Assert.That(run.BatchSize, Is.InRange(8, 64));
        Assert.That(run.Images % run.BatchSize, Is.Zero, "no small rest for batch-norm");
        Assert.That(run.LearningRate, Is.EqualTo(0.001 * run.BatchSize).Within(1e-12));
    }

    [Test]
    public void Networks_of_millions_of_weights_learn_more_slowly()
    {
        ShortRun run = ShortRun.For(300_000_000, 6_000_000, s_recipe, threads: 2, available: 50_000);
        Assert.That(run.LearningRate, Is.EqualTo(0.0003 * run.BatchSize).Within(1e-12));
    }

    [Test]
    public void More_threads_do_more_and_nothing_goes_below_its_floor()
    {
        long Work(int threads)
        {
            ShortRun run = ShortRun.For(30_000_000, 1_000_000, s_recipe, threads, 50_000);
            return (long)run.Images * run.Epochs;
        }
        Assert.That(Work(8), Is.GreaterThan(Work(2)));
        ShortRun huge = ShortRun.For(long.MaxValue / 1000, 6_000_000, s_recipe, 1, 50_000);
        Assert.That((huge.Images, huge.Epochs, huge.BatchSize), Is.EqualTo((256, 6, 8)));
    }

    [Test]
    public void Adam_keeps_its_rate()
    {
        ShortRun run = ShortRun.For(300_000_000, 6_000_000, s_recipe with { Optimizer = new OptimizerSettings() }, 2, 50_000);
        Assert.That(run.BatchSize, Is.LessThan(128));
        Assert.That(run.LearningRate, Is.EqualTo(0.128));
    }
}
