using Asni.Devices;

namespace Asni.Engine;

/// <summary>
/// Adds up what the lanes of a step leave behind, in one binary tree over their numbers, whose sums are of 1, 2, 4 ... neighbouring lanes: the bits of the result depend on the number of lanes alone.
/// Of gradients it is the sum; of running statistics, with which each lane begins as the step did, the mean.
/// </summary>
internal sealed class LaneTree
{
    /// <summary>As many as the slots for sums reach.</summary>
    public const int MaxLanes = 2 << (ParameterSlot.Lanes32 - ParameterSlot.Lanes1);

    private readonly DeviceParameters _parameters;
    private readonly int[] _trained;
    private readonly bool _runs;
    private int _lanes;

    public LaneTree(DeviceParameters parameters)
    {
        _parameters = parameters;
        _trained = [.. parameters.Parameters.Where(p => p.IsTrained).Select(p => p.Index)];
        _runs = _trained.Length < parameters.Parameters.Length;
    }

    /// <summary>Before the first lane of a step.</summary>
    public void Begin()
    {
        _lanes = 0;
        if (_runs) _parameters.CombineRunning(ParameterSlot.Value, ParameterSlot.Gradient);
    }

    /// <summary>After the backward pass of a lane that is not the last: those of the next may be computed.</summary>
    /// <param name="dense">Gradients of pruned weights count too.</param>
    public void Add(bool dense)
    {
        int level = 0;
        for (; Has(level); level++)
        {
            AddGradients(level, _trained, dense);
            AddRunning(level);
        }
        Keep(Slot(level), dense);
        _lanes++;
    }

    /// <summary>After the backward pass of the last lane: the sums are left.</summary>
    /// <inheritdoc cref="Add"/>
    public void AddLast(bool dense)
    {
        AddLast(_trained, dense);
        AddLastRunning();
    }

    /// <summary>Leaves the sums of these gradients alone, once the last lane's are there.</summary>
    /// <inheritdoc cref="Add"/>
    public void AddLast(ReadOnlySpan<int> trained, bool dense)
    {
        for (int level = 0; _lanes >> level != 0; level++)
            if (Has(level)) AddGradients(level, trained, dense);
    }

    /// <summary>Leaves the sums of running statistics, after the last lane.</summary>
    public void AddLastRunning()
    {
        for (int level = 0; _lanes >> level != 0; level++)
            if (Has(level)) AddRunning(level);
    }

    /// <summary>After the last lane, here or on other ranks: sums of running statistics become means.</summary>
    /// <param name="lanes">Of which they are sums.</param>
    public void End(int lanes)
    {
        if (_runs && lanes > 1) _parameters.CombineRunning(ParameterSlot.Value, ParameterSlot.Value, a: 1f / lanes);
    }

    private void Keep(ParameterSlot slot, bool dense)
    {
        _parameters.Combine(_trained, ElementFunction.Identity, ParameterSlot.Gradient, slot, dense: dense);
        if (!_runs) return;
        _parameters.CombineRunning(ParameterSlot.Value, slot);
        _parameters.CombineRunning(ParameterSlot.Gradient, ParameterSlot.Value);
    }

    private void AddGradients(int level, ReadOnlySpan<int> trained, bool dense) =>
        _parameters.Combine(trained, ElementFunction.Identity, Slot(level), ParameterSlot.Gradient, b: 1, dense: dense);

    private void AddRunning(int level)
    {
        if (_runs) _parameters.CombineRunning(Slot(level), ParameterSlot.Value, b: 1);
    }

    private bool Has(int level) => (_lanes >> level & 1) != 0;

    private static ParameterSlot Slot(int level) => ParameterSlot.Lanes1 + level;
}
