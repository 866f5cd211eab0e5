using System.Numerics;
using Asni.Tensors;

namespace Asni.Devices;

internal abstract partial class DeviceParameters
{
    private readonly (int Version, Mask? Mask)[] _known = [.. parameters.Select(_ => (-1, (Mask?)null))];

    /// <summary>
    /// Copies a slot's numbers of the live elements, all of them with <paramref name="dense"/>, in an order of the device's own: with the same mask the same on every device of its kind.
    /// </summary>
    /// <param name="to">As many as are live, or all.</param>
    public virtual void Pack(int parameter, ParameterSlot slot, bool dense, Span<float> to)
    {
        if (dense || KnownMask(parameter) is null) Download(parameter, slot, to);
        else DownloadLive(parameter, slot).CopyTo(to);
    }

    /// <summary>Puts numbers back where <see cref="Pack"/> took them from. What pruned elements then have is undefined, unless it is a slot that follows the mask.</summary>
    public virtual void Unpack(int parameter, ParameterSlot slot, bool dense, ReadOnlySpan<float> from)
    {
        if (dense || KnownMask(parameter) is not { } mask)
        {
            Upload(parameter, slot, from);
            return;
        }
        var numbers = new float[mask.Length];
        int live = 0;
        for (int i = 0; i < mask.Words.Length; i++)
            for (ulong word = mask.Words[i]; word != 0; word &= word - 1) numbers[i * 64 + BitOperations.TrailingZeroCount(word)] = from[live++];
        Upload(parameter, slot, numbers);
    }

    /// <summary>The mask, fetched from the device once while it stays as it is.</summary>
    private Mask? KnownMask(int parameter)
    {
        if (_known[parameter].Version != MaskVersion(parameter)) _known[parameter] = (MaskVersion(parameter), GetMask(parameter));
        return _known[parameter].Mask;
    }
}
