namespace Asni.Tests;

public class ReadBudgetTests
{
    private static ReadBudget Create(long bytes) => new(bytes, what => new AsniException(what));

    [TestCase(0, ReadBudget.Free)]
    [TestCase(1000, ReadBudget.Free)]
    [TestCase(100L << 20, 3200L << 20)]
    [TestCase(long.MaxValue, long.MaxValue)]
    public void It_is_in_proportion_to_the_file(long bytes, long expected) => Assert.That(Create(bytes).Left, Is.EqualTo(expected));

    [Test]
    public void It_is_used_up()
    {
        ReadBudget budget = Create(0);
        budget.Take(ReadBudget.Free / 4, 4, "all");
        Assert.That(budget.Left, Is.Zero);
        budget.Take(0, 4, "nothing");
        Assert.That(() => budget.Take(1, 1, "a byte"), Throws.TypeOf<AsniException>().With.Message.StartsWith("a byte would take more memory than a file of 0 bytes"));
    }

    [TestCase("340282366920938463463374607431768211455")]
    [TestCase("18446744073709551616")]
    [TestCase("67108865")]
    public void Numbers_too_large_for_it_do_not_overflow(string elements) =>
        Assert.That(() => Create(0).Take(UInt128.Parse(elements), 4, "it"), Throws.TypeOf<AsniException>());
}
