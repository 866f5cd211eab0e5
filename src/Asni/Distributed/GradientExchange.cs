using Asni.Devices;
using Asni.Networks;

namespace Asni.Distributed;

/// <summary>Adds the gradients of all ranks, and what their running statistics became, in the order of the ranks.</summary>
internal sealed class GradientExchange
{
    private readonly DeviceParameters _parameters;
    private readonly OrderedSum _sum;
    private readonly float[] _numbers;

    public GradientExchange(DeviceParameters parameters, Communicator ranks)
    {
        _parameters = parameters;
        _sum = new OrderedSum(ranks);
        _numbers = new float[parameters.Parameters.Sum(p => p.Elements)];
    }

    /// <param name="ranks">The first of them have some; the others only take the sums.</param>
    public void Run(int ranks)
    {
        foreach ((Parameter p, int at) in Places()) _parameters.Download(p.Index, SlotOf(p), _numbers.AsSpan(at, (int)p.Elements));
        _sum.Run(_numbers, ranks);
        foreach ((Parameter p, int at) in Places()) _parameters.Upload(p.Index, SlotOf(p), _numbers.AsSpan(at, (int)p.Elements));
    }

    private IEnumerable<(Parameter Parameter, int At)> Places()
    {
        int at = 0;
        foreach (Parameter p in _parameters.Parameters)
        {
            yield return (p, at);
            at += (int)p.Elements;
        }
    }

    private static ParameterSlot SlotOf(Parameter p) => p.IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value;
}
