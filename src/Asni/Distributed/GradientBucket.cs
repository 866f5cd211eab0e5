using Asni.Devices;
using Asni.Networks;

namespace Asni.Distributed;

/// <summary>Gradients, or running statistics, that ranks add up at once.</summary>
/// <param name="parameters">All trained, or none.</param>
/// <param name="lengths">Numbers of each that count: of the live elements, or of all.</param>
/// <param name="step">Of the plan: all gradients are there after its backward pass. -1: after the whole.</param>
internal sealed class GradientBucket(DeviceParameters device, Parameter[] parameters, int[] lengths, bool dense, int step)
{
    public int Step => step;

    /// <summary>Where the ranks exchange them; longer by what makes its parts equal.</summary>
    public Memory<float> Numbers { get; set; }

    public int Length { get; } = lengths.Sum();

    /// <summary>Of trained parameters.</summary>
    public int[] Trained { get; } = [.. parameters.Where(p => p.IsTrained).Select(p => p.Index)];

    public void Pack()
    {
        int at = 0;
        for (int i = 0; i < parameters.Length; at += lengths[i++]) device.Pack(parameters[i].Index, SlotOf(parameters[i]), dense, Numbers.Span.Slice(at, lengths[i]));
    }

    public void Unpack()
    {
        int at = 0;
        for (int i = 0; i < parameters.Length; at += lengths[i++]) device.Unpack(parameters[i].Index, SlotOf(parameters[i]), dense, Numbers.Span.Slice(at, lengths[i]));
    }

    private static ParameterSlot SlotOf(Parameter p) => p.IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value;
}
