using Asni.Tensors;

namespace Asni.Tests.Tensors;

public class SplitMix64Tests
{
    [Test]
    public void The_stream_of_seed_1234567_is_the_published_one()
    {
        // Reference outputs of the authors' C code for this seed.
        var random = new SplitMix64(1234567);
        Assert.That(random.NextUInt64(), Is.EqualTo(6457827717110365317UL));
        Assert.That(random.NextUInt64(), Is.EqualTo(3203168211198807973UL));
        Assert.That(random.NextUInt64(), Is.EqualTo(9817491932198370423UL));
    }

    [Test]
    public void A_restored_state_continues_the_stream()
    {
        var random = SplitMix64.Fork(5, 1, 2);
        random.NextNormal();
        var copy = new SplitMix64(random.State);
        Assert.That(copy.NextUInt64(), Is.EqualTo(random.NextUInt64()));
    }

    [Test]
    public void Streams_of_different_purposes_differ()
    {
        Assert.That(SplitMix64.Fork(5, 1).NextUInt64(), Is.Not.EqualTo(SplitMix64.Fork(5, 2).NextUInt64()));
        Assert.That(SplitMix64.Fork(5, 1).NextUInt64(), Is.Not.EqualTo(SplitMix64.Fork(6, 1).NextUInt64()));
    }

    [Test]
    public void A_shuffle_keeps_every_item_and_normals_have_mean_0_and_variance_1()
    {
        var random = new SplitMix64(3);
        int[] items = [.. Enumerable.Range(0, 1000)];
        random.Shuffle(items.AsSpan());
        Assert.That(items, Is.Not.Ordered);
        Assert.That(items, Is.EquivalentTo(Enumerable.Range(0, 1000)));
        double[] normals = [.. Enumerable.Range(0, 100_000).Select(_ => random.NextNormal())];
        Assert.That(normals.Average(), Is.EqualTo(0).Within(0.02));
        Assert.That(normals.Average(x => x * x), Is.EqualTo(1).Within(0.03));
    }
}
