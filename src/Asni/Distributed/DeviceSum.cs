using Asni.Devices;

namespace Asni.Distributed;

/// <summary>A device that may exchange numbers with those of other ranks itself.</summary>
internal interface IExchangingDevice
{
    /// <summary>Finds the devices of the other ranks, the first time. All ranks call it.</summary>
    /// <returns>By what they exchange, in words; null on every rank: numbers are to go through the host's memory.</returns>
    string? Join(Communicator ranks);

    /// <summary>Once the ranks have joined.</summary>
    /// <param name="most">Numbers at a time.</param>
    DeviceSum CreateSum(DeviceParameters parameters, SumOrder order, long most);
}

/// <summary>Sums over ranks of numbers that stay on the devices. What is given to the device afterwards happens after them.</summary>
internal abstract class DeviceSum
{
    /// <summary>Makes what <see cref="Run"/> needs for these parameters with the masks that they have now.</summary>
    public abstract void Prepare(ReadOnlySpan<int> parameters, bool dense);

    /// <summary>Puts the sum over ranks 0 to <paramref name="having"/> - 1 in place of a slot's numbers, on every rank. May be recorded.</summary>
    /// <param name="dense">Numbers of pruned elements too.</param>
    public abstract void Run(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, int having);
}
