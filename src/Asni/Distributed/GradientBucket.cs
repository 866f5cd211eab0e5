using Asni.Devices;
using Asni.Networks;

namespace Asni.Distributed;

/// <summary>Gradients, or running statistics, that ranks add up at once.</summary>
/// <param name="parameters">All trained, or none.</param>
/// <param name="step">Of the plan: all gradients are there after its backward pass. -1: after the whole.</param>
internal sealed class GradientBucket(DeviceParameters device, Parameter[] parameters, bool dense, int step)
{
    public ParameterSlot Slot { get; } = parameters[0].IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value;

    public int Step => step;

    /// <summary>Where the ranks exchange them; longer by what makes its parts equal.</summary>
    public Memory<float> Numbers { get; set; }

    public int[] Parameters { get; } = [.. parameters.Select(p => p.Index)];

    /// <summary>Whether they are gradients.</summary>
    public bool IsTrained => Slot == ParameterSlot.Gradient;

    public int Length { get; } = checked((int)device.PackedLength([.. parameters.Select(p => p.Index)], dense));

    public void Pack() => device.Pack(Parameters, Slot, dense, Numbers.Span[..Length]);

    public void Unpack() => device.Unpack(Parameters, Slot, dense, Numbers.Span[..Length]);
}
