using Asni.Devices;
using Asni.Engine;

namespace Asni.Inference;

/// <summary>
/// Plans of one model for callers at the same time: the first is there from the beginning, others are made when a caller finds none free, and kept. Beyond the
/// largest number, or where the device takes one caller at a time, callers wait. Disposing waits for calls that run; those that wait, and later ones, are refused.
/// </summary>
internal sealed class PlanPool : IDisposable
{
    private readonly Model _model;
    private readonly Plan _first;
    private readonly List<Device> _devices = [];
    private readonly List<Plan> _plans;
    private readonly object _gate = new();

    /// <summary>The plan used last on top: what it works on is in the caches.</summary>
    private readonly Stack<Plan> _free;

    private int _max, _made = 1, _running;
    private bool _closed;

    /// <param name="model">Its weights and masks stay as they are.</param>
    /// <param name="max">Plans at most.</param>
    public PlanPool(Model model, int batch, int max)
    {
        (_model, _max) = (model, max);
        _first = new Plan(model, batch, training: false);
        _first.TakeMasks();
        (_plans, _free) = ([_first], new([_first]));
    }

    public int BatchSize => _first.BatchSize;

    /// <returns>A plan that is the caller's until it gives it back, as it must.</returns>
    /// <exception cref="ObjectDisposedException">The pool is disposed of.</exception>
    public Plan Take()
    {
        lock (_gate)
        {
            while (true)
            {
                ObjectDisposedException.ThrowIf(_closed, typeof(SparseModel));
                if (_free.TryPop(out Plan? free))
                {
                    _running++;
                    return free;
                }
                if (_made < _max) break;
                Monitor.Wait(_gate);
            }
            _made++;
            _running++;
        }
        return Make() ?? Take();
    }

    public void GiveBack(Plan plan)
    {
        lock (_gate)
        {
            _free.Push(plan);
            Left();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
            while (_running > 0) Monitor.Wait(_gate);
        }
        // Those that share another's lists first.
        for (int i = _plans.Count - 1; i >= 0; i--) _plans[i].Dispose();
        foreach (Device device in _devices) device.Dispose();
        _plans.Clear();
        _devices.Clear();
    }

    /// <summary>One more plan; null where the device has none for another caller.</summary>
    private Plan? Make()
    {
        Device? device = null;
        Plan? plan = null;
        try
        {
            device = _model.Device.ForAnotherCaller();
            return plan = device is null ? null : _first.ForAnotherCaller(device);
        }
        finally
        {
            if (plan is null) device?.Dispose();
            lock (_gate)
            {
                if (plan is not null)
                {
                    _plans.Add(plan);
                    _devices.Add(device!);
                }
                else
                {
                    _made--;
                    if (device is null) _max = 1;
                    Left();
                }
            }
        }
    }

    /// <summary>A caller has left. Whoever waits may be another caller or who disposes of the pool.</summary>
    private void Left()
    {
        _running--;
        if (_closed) Monitor.PulseAll(_gate);
        else Monitor.Pulse(_gate);
    }
}
