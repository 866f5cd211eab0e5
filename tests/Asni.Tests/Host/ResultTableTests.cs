using Asni.Host.Display;
using Asni.Training;

namespace Asni.Tests.Host;

public class ResultTableTests
{
    [Test]
    public void The_dense_cost_is_told_from_the_dense_epochs_own_speed()
    {
        string? told = ResultTable.DenseCost([Epoch(0, 2, 500), Epoch(0.02, 1, 1000), Epoch(0.05, 1, 1000), Epoch(0.5, 2, 1000), Epoch(0.9, 1, 2000), Epoch(0.97, 0.5, 4000)]);
        Assert.That(told, Does.Contain("took 7.5 s").And.Contain("(1,000 images/s").And.Contain("would have taken 9.0 s").And.Contain("4,000 images/s"));
    }

    [Test]
    public void Without_a_dense_epoch_or_without_pruning_nothing_is_told()
    {
        Assert.That(ResultTable.DenseCost([Epoch(0.9, 1, 2000)]), Is.Null);
        Assert.That(ResultTable.DenseCost([Epoch(0, 1, 2000)]), Is.Null);
        Assert.That(ResultTable.DenseCost([]), Is.Null);
    }

    [Test]
    public void A_difference_within_the_noise_is_not_told()
    {
        EpochRecord[] steady = [Epoch(0, 1, 1000), Epoch(0, 1, 1010), Epoch(0.05, 1, 990), Epoch(0.97, 1, 1200)];
        EpochRecord[] noisy = [Epoch(0, 1, 1000), Epoch(0, 1, 1500), Epoch(0.05, 1, 700), Epoch(0.97, 1, 1200)];
        Assert.That(ResultTable.DenseCost(steady), Is.Not.Null);
        Assert.That(ResultTable.DenseCost(noisy), Is.Null);
        Assert.That(ResultTable.DenseCost([Epoch(0, 1, 1000), Epoch(0.97, 1, 2000)]), Is.Null, "one dense epoch has warmed up");
        Assert.That(ResultTable.DenseCost([.. steady.Select(e => e with { Seconds = 0.01 })]), Is.Null, "too short");
    }

    private static EpochRecord Epoch(double sparsity, double seconds, double imagesPerSecond) =>
        new("asni1", 0, 4, 0.1, 1, 1, 0.5, 0.9, sparsity, 100, null, seconds, imagesPerSecond);
}
