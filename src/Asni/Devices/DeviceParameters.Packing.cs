using Asni.Tensors;

namespace Asni.Devices;

internal abstract partial class DeviceParameters
{
    private readonly (int Version, Mask? Mask)[] _known = [.. parameters.Select(_ => (-1, (Mask?)null))];

    /// <summary>
    /// Copies a slot's numbers of the parameters' live elements, of all elements with <paramref name="dense"/>, in an order of the device's own: with the same masks the same on every device
    /// of its kind.
    /// </summary>
    /// <param name="to">As many as are live, or all.</param>
    public abstract void Pack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, Span<float> to);

    /// <summary>Puts numbers back where <see cref="Pack"/> took them from. What pruned elements then have is undefined, unless it is a slot that follows the mask.</summary>
    public abstract void Unpack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ReadOnlySpan<float> from);

    /// <summary>Numbers that <see cref="Pack"/> copies.</summary>
    public long PackedLength(ReadOnlySpan<int> parameters, bool dense)
    {
        long length = 0;
        foreach (int p in parameters) length += dense ? Parameters[p].Elements : Live(p);
        return length;
    }

    /// <exception cref="ArgumentException">The parameters have another number of such elements.</exception>
    protected void RequirePackedLength(ReadOnlySpan<int> parameters, bool dense, int length)
    {
        if (PackedLength(parameters, dense) is var expected && expected != length) throw new ArgumentException($"{expected} elements are packed, {length} were given");
    }

    /// <summary>The mask, fetched from the device once while it stays as it is.</summary>
    private Mask? KnownMask(int parameter)
    {
        if (_known[parameter].Version != MaskVersion(parameter)) _known[parameter] = (MaskVersion(parameter), GetMask(parameter));
        return _known[parameter].Mask;
    }
}
