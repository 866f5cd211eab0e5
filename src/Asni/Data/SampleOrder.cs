using Asni.Tensors;

namespace Asni.Data;

/// <summary>
/// The order of an epoch, a function of (seed, epoch), and each image's augmentation, a function of (seed, epoch, image index): threads,
/// devices and interruptions change nothing.
/// </summary>
internal sealed class SampleOrder(int count, Augmentation augmentation, bool shuffle, ulong seed)
{
    private const ulong OrderPurpose = 1, AugmentationPurpose = 2, PartPurpose = 3;

    private readonly int[] _order = new int[count];
    private readonly SampleDraw[] _draws = new SampleDraw[count];
    private readonly SplitMix64 _random = new(0);

    /// <summary>Valid until the next call.</summary>
    public SampleDraw[] Epoch(int epoch)
    {
        for (int i = 0; i < _order.Length; i++) _order[i] = i;
        if (shuffle) SplitMix64.Fork(seed, OrderPurpose, (ulong)epoch).Shuffle(_order.AsSpan());
        ulong stream = SplitMix64.Fork(seed, AugmentationPurpose, (ulong)epoch).State;
        for (int i = 0; i < _order.Length; i++) _draws[i] = Draw(_order[i], stream);
        return _draws;
    }

    /// <summary>The stream that chooses the parts of an epoch's images.</summary>
    public ulong Parts(int epoch) => SplitMix64.Fork(seed, PartPurpose, (ulong)epoch).State;

    private SampleDraw Draw(int index, ulong stream)
    {
        _random.State = SampleStream.At(stream, index);
        int padding = augmentation.CropPadding;
        int top = padding == 0 ? 0 : _random.Next(2 * padding + 1) - padding;
        int left = padding == 0 ? 0 : _random.Next(2 * padding + 1) - padding;
        return new SampleDraw(index, top, left, augmentation.Flip && _random.Next(2) == 1);
    }
}
