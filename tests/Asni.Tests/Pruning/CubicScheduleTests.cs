using Asni.Pruning;

namespace Asni.Tests.Pruning;

public class CubicScheduleTests
{
    /// <summary>Zhu and Gupta's cubic from 0 to 0.95 at tenths of the time between its ends, in double precision.</summary>
    [TestCase(0, 0)]
    [TestCase(10, 0.25745)]
    [TestCase(25, 0.54921875)]
    [TestCase(50, 0.83125)]
    [TestCase(75, 0.93515625)]
    [TestCase(100, 0.95)]
    public void The_cubic_is_Zhu_and_Guptas(double percent, double sparsity)
    {
        var whole = new CubicSchedule { Final = 0.95, Begin = 0, End = 1 };
        Assert.That(whole.GetSparsity(percent - 1, 100), Is.EqualTo(sparsity).Within(1e-12));
        var part = new CubicSchedule { Final = 0.95, Begin = 0.2, End = 0.6 };
        Assert.That(part.GetSparsity(200 + 4 * percent - 1, 1000), Is.EqualTo(sparsity).Within(1e-12));
        Assert.That(part.GetSparsity(100, 1000), Is.Zero);
        Assert.That(part.GetSparsity(800, 1000), Is.EqualTo(0.95));
    }
}
