using System.Collections.Immutable;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>A device with what a test needs to lay things on it; frees all of it at the end, and then lets go of the device.</summary>
/// <param name="release">How; null: it is disposed.</param>
internal sealed class Workbench(Device device, Action? release = null) : IDisposable
{
    /// <summary>Tensors start here in their buffers, so that an operation that forgets the offset is caught.</summary>
    private const int Offset = 192;

    private readonly Stack<IDisposable> _owned = [];

    public Device Device { get; } = device;

    public T Own<T>(T item) where T : IDisposable
    {
        _owned.Push(item);
        return item;
    }

    /// <summary>Activations on the device with these values (N, C, H, W).</summary>
    public DeviceTensor Tensor(int batch, Chw shape, ReadOnlySpan<float> values)
    {
        DeviceBuffer buffer = Own(Device.Allocate(Offset + Device.ActivationBytes(batch, shape)));
        var tensor = new DeviceTensor(buffer, Offset, batch, shape);
        Device.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Activations that an operation must overwrite: anything left over shows as NaN.</summary>
    public DeviceTensor Unwritten(int batch, Chw shape) => Tensor(batch, shape, Values.Constant(batch * shape.Elements, float.NaN));

    public DeviceBuffer Labels(params ReadOnlySpan<int> labels)
    {
        DeviceBuffer buffer = Own(Device.Allocate(labels.Length * sizeof(int)));
        Device.UploadLabels(labels, buffer);
        return buffer;
    }

    public DeviceParameters Parameters(params ReadOnlySpan<(ParameterKind Kind, FilterShape Filter)> kinds)
    {
        var parameters = new List<Parameter>();
        foreach ((ParameterKind kind, FilterShape filter) in kinds)
        {
            Shape shape = kind == ParameterKind.Weight
                ? new Shape(filter.Out, filter.In, filter.Height, filter.Width)
                : new Shape(filter.Out);
            parameters.Add(new Parameter(parameters.Count, $"p{parameters.Count}", kind, shape, filter));
        }
        return Parameters([.. parameters]);
    }

    public DeviceParameters Parameters(ImmutableArray<Parameter> parameters) => Own(Device.CreateParameters(parameters));

    public float[] Read(DeviceTensor tensor)
    {
        var values = new float[tensor.Elements];
        Device.Download(tensor, values);
        return values;
    }

    public static float[] Read(DeviceParameters parameters, int parameter, ParameterSlot slot)
    {
        var values = new float[parameters.Parameters[parameter].Elements];
        parameters.Download(parameter, slot, values);
        return values;
    }

    /// <summary>The mask of a parameter; the contract gives null for one that is all live.</summary>
    public static Mask MaskOf(DeviceParameters parameters, int parameter) =>
        parameters.GetMask(parameter) ?? new Mask(parameters.Parameters[parameter].Elements);

    public void Dispose()
    {
        while (_owned.TryPop(out IDisposable? item)) item.Dispose();
        (release ?? Device.Dispose)();
    }
}

/// <summary>Repeatable numbers for tests.</summary>
internal static class Values
{
    /// <summary>Uniform in (-scale, scale) around <paramref name="centre"/>.</summary>
    public static float[] Random(ulong seed, long count, float scale = 1, float centre = 0)
    {
        var random = SplitMix64.Fork(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++) values[i] = centre + scale * (2 * random.NextSingle() - 1);
        return values;
    }

    public static float[] Constant(long count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        return values;
    }

    /// <summary>A mask whose elements live with probability <paramref name="density"/>.</summary>
    public static Mask Mask(ulong seed, long count, double density)
    {
        var random = SplitMix64.Fork(seed);
        var mask = new Mask(count);
        for (long i = 0; i < count; i++) mask[i] = random.NextDouble() < density;
        return mask;
    }
}
