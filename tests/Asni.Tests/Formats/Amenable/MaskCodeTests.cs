using Asni.Formats.Amenable;
using Asni.Tensors;

namespace Asni.Tests.Formats.Amenable;

internal class MaskCodeTests
{
    [TestCase(0.5)]
    [TestCase(0.6)]
    [TestCase(0.7)]
    [TestCase(0.8)]
    [TestCase(0.9)]
    [TestCase(0.95)]
    [TestCase(0.97)]
    [TestCase(0.99)]
    [TestCase(0.999)]
    public void A_random_mask_takes_at_most_5_percent_more_than_its_entropy(double sparsity)
    {
        const int elements = 1_000_000;
        Mask mask = Random(elements, 1 - sparsity, seed: 1);
        CodedMask coded = MaskCode.Encode(mask, elements);
        double p = (double)mask.Live / elements, entropy = -(p * Math.Log2(p) + (1 - p) * Math.Log2(1 - p)) * elements / 8;
        Assert.That(coded.Bytes.Length, Is.InRange(0.97 * entropy, 1.05 * entropy));
        ExpectBack(mask, coded);
    }

    [Test]
    public void Every_mask_comes_back([Values(0, 0.0005, 0.01, 0.3, 0.5, 0.7, 0.99, 0.9995, 1)] double density,
        [Values(1, 63, 64, 65, 4099)] int elements)
    {
        Mask mask = Random(elements, density, seed: 2);
        ExpectBack(mask, MaskCode.Encode(mask, elements));
    }

    [TestCase(MaskCoding.LiveGaps, new[] { 0, 1, 900 })]
    [TestCase(MaskCoding.LiveGaps, new int[0])]
    public void Few_live_elements_are_listed(MaskCoding coding, int[] live)
    {
        var mask = new Mask(1000, live: false);
        foreach (int i in live) mask[i] = true;
        Assert.That(MaskCode.Encode(mask, 1000).Coding, Is.EqualTo(coding));
    }

    [Test]
    public void Few_pruned_elements_are_listed_and_none_take_nothing()
    {
        var mask = new Mask(1000);
        Assert.That(MaskCode.Encode(mask, 1000), Has.Property(nameof(CodedMask.Coding)).EqualTo(MaskCoding.AllLive));
        Assert.That(MaskCode.Encode(null, 1000).Bytes, Is.Empty);
        mask[500] = false;
        Assert.That(MaskCode.Encode(mask, 1000).Coding, Is.EqualTo(MaskCoding.PrunedGaps));
    }

    [Test]
    public void The_bytes_of_a_small_mask_are_those_of_the_document()
    {
        // Live at 2, 9 and 10 of 16: gaps 2, 6, 0. With k = 1: 2 = 1 0|0, 6 = 111 0|0, 0 = 0|0 in the order of reading; the first bit is the lowest.
        var mask = new Mask(16, live: false);
        mask[2] = mask[9] = mask[10] = true;
        CodedMask coded = MaskCode.Encode(mask, 16);
        Assert.That((coded.Coding, coded.Parameter, coded.Live), Is.EqualTo((MaskCoding.LiveGaps, (byte)1, 3L)));
        Assert.That(coded.Bytes, Is.EqualTo(new byte[] { 0b0011_1001, 0b0000_0000 }));
    }

    [TestCase(MaskCoding.AllLive, 0, 15, new byte[0])]
    [TestCase(MaskCoding.AllLive, 0, 16, new byte[] { 0 })]
    [TestCase(MaskCoding.Bits, 0, 3, new byte[] { 7 })]
    [TestCase(MaskCoding.Bits, 0, 4, new byte[] { 7, 0 })]
    [TestCase(MaskCoding.LiveGaps, 0, 3, new byte[] { 0xFF, 0xFF, 0xFF })]
    [TestCase(MaskCoding.LiveGaps, 0, 17, new byte[] { 0, 0, 0 })]
    [TestCase(MaskCoding.LiveGaps, 0, 9, new byte[] { 0 })]
    [TestCase(MaskCoding.LiveGaps, 0, 1, new byte[] { 0, 0 })]
    [TestCase(MaskCoding.LiveGaps, 0, 1, new byte[] { 2 })]
    [TestCase(MaskCoding.LiveGaps, 31, 1, new byte[] { 0, 0, 0, 0 })]
    [TestCase((MaskCoding)4, 0, 16, new byte[0])]
    public void A_code_that_is_none_is_refused(MaskCoding coding, int parameter, int live, byte[] bytes) =>
        Assert.That(() => MaskCode.Decode(coding, parameter, live, bytes, 16, what => new AsniException(what)), Throws.TypeOf<AsniException>());

    private static void ExpectBack(Mask mask, CodedMask coded)
    {
        Mask? back = MaskCode.Decode(coded.Coding, coded.Parameter, coded.Live, coded.Bytes, mask.Length, what => new AsniException(what));
        if (mask.Live == mask.Length) Assert.That(back, Is.Null);
        else Assert.That(back!.Words.ToArray(), Is.EqualTo(mask.Words.ToArray()));
    }

    private static Mask Random(int elements, double density, int seed)
    {
        var random = new Random(seed);
        var mask = new Mask(elements, live: false);
        for (int i = 0; i < elements; i++)
            if (random.NextDouble() < density) mask[i] = true;
        return mask;
    }
}
