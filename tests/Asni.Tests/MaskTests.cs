using Asni.Tensors;

namespace Asni.Tests;

public class MaskTests
{
    [Test]
    public void A_new_mask_is_all_live_and_its_tail_is_clear()
    {
        var mask = new Mask(70);
        Assert.That(mask.Live, Is.EqualTo(70));
        mask[69] = false;
        Assert.That(mask.Live, Is.EqualTo(69));
    }
}
