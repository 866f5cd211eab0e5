using Asni.Engine;
using Asni.Tensors;

namespace Asni.Tests.Engine;

public class ArenaTests
{
    [Test]
    public void Blocks_that_never_live_together_share_memory()
    {
        (long[] offsets, long bytes) = Arena.Place([new Lifetime(1000, 0, 1), new Lifetime(1000, 2, 3)]);
        Assert.That(offsets, Is.EqualTo(new long[] { 0, 0 }));
        Assert.That(bytes, Is.EqualTo(1000));
    }

    [Test]
    public void A_block_goes_into_a_gap_that_fits()
    {
        // The large block dies before the two small ones overlap, so both fit where it was.
        (long[] offsets, long bytes) = Arena.Place([new Lifetime(4096, 0, 1), new Lifetime(1024, 2, 4), new Lifetime(1024, 3, 4)]);
        Assert.That(bytes, Is.EqualTo(4096));
        Assert.That(offsets[1], Is.Not.EqualTo(offsets[2]));
    }

    [Test]
    public void Random_blocks_that_live_together_never_overlap()
    {
        var random = new SplitMix64(9);
        var blocks = Enumerable.Range(0, 120).Select(_ =>
        {
            int from = random.Next(50);
            return new Lifetime(1 + random.Next(5000), from, from + random.Next(20));
        }).ToList();
        (long[] offsets, long bytes) = Arena.Place(blocks);
        for (int a = 0; a < blocks.Count; a++)
        {
            Assert.That(offsets[a] + blocks[a].Bytes, Is.LessThanOrEqualTo(bytes));
            for (int b = 0; b < a; b++)
                if (blocks[a].Overlaps(blocks[b]))
                    Assert.That(offsets[a] + blocks[a].Bytes <= offsets[b] || offsets[b] + blocks[b].Bytes <= offsets[a], Is.True, $"blocks {a} and {b}");
        }
        Assert.That(bytes, Is.LessThan(blocks.Sum(b => b.Bytes)));
    }
}
