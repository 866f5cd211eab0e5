using Asni.Tensors;

namespace Asni.Tests.Tensors;

public class MaskTests
{
    [Test]
    public void A_new_mask_is_all_live_and_its_tail_is_clear()
    {
        var mask = new Mask(70);
        Assert.That(mask.Live, Is.EqualTo(70));
        Assert.That(mask.Words[1], Is.EqualTo(0b111111UL));
        mask[69] = false;
        Assert.That(mask.Live, Is.EqualTo(69));
        Assert.That(mask[69], Is.False);
        Assert.That(mask[68], Is.True);
    }

    [Test]
    public void Live_elements_of_a_range_are_counted_across_words()
    {
        var mask = new Mask(200, live: false);
        for (int i = 0; i < 200; i += 3) mask[i] = true;
        foreach (int start in (int[])[0, 1, 62, 63, 64, 65, 127, 128, 199])
            for (int count = 0; start + count <= 200; count++)
                Assert.That(mask.LiveIn(start, count), Is.EqualTo(Enumerable.Range(start, count).Count(i => mask[i])), $"{count} from {start}");
    }

    [Test]
    public void A_mask_with_fewer_live_elements_is_a_subset()
    {
        var big = new Mask(130);
        Mask small = big.Clone();
        small[64] = false;
        Assert.That(small.IsSubsetOf(big), Is.True);
        Assert.That(big.IsSubsetOf(small), Is.False);
        Assert.That(new Mask(131).IsSubsetOf(big), Is.False);
    }
}
