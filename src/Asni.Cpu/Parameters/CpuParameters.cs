using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu;

/// <summary>
/// A network's parameters in one flat buffer a slot, the same offsets in all, each parameter on a multiple of 64 floats. Mask bits lie in one flat
/// array in the device's own order, so that word i covers floats 64 i .. 64 i + 63; bits behind a parameter's end are 0. Invariant: a pruned
/// element's value and state are bitwise +0.
/// </summary>
internal sealed unsafe partial class CpuParameters : DeviceParameters
{
    private readonly Workers _workers;
    private readonly long[] _offsets;
    private readonly long[] _live;
    private readonly bool[] _masked;
    private readonly bool[] _chosen;
    private readonly long _length;
    private readonly Segments _list;
    private readonly LiveIndices _liveIndices;
    private readonly CpuBuffer _values, _gradients;
    private readonly CpuBuffer?[] _others = new CpuBuffer?[Enum.GetValues<ParameterSlot>().Length];
    private CpuBuffer? _state0, _state1, _masks;

    public CpuParameters(ImmutableArray<Parameter> parameters, Workers workers) : base(parameters)
    {
        _workers = workers;
        _offsets = new long[parameters.Length];
        _live = new long[parameters.Length];
        _masked = new bool[parameters.Length];
        _chosen = new bool[parameters.Length];
        _list = new Segments(parameters.Length);
        _liveIndices = new LiveIndices(parameters.Length);
        _counts = new long[parameters.Length * workers.Count];
        _own = new float[parameters.Length];
        _ties = new long[parameters.Max(p => p.Filter.Out)];
        _signStatistics = new SignStatistics[parameters.Length * workers.Count];
        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].Index != i) throw new ArgumentException($"parameter {i} has index {parameters[i].Index}", nameof(parameters));
            _offsets[i] = _length;
            _live[i] = parameters[i].Elements;
            _length += Segments.RoundUp(parameters[i].Elements);
        }
        _values = new CpuBuffer(_length * sizeof(float));
        _gradients = new CpuBuffer(_length * sizeof(float));
        _search = new ThresholdSearch(workers);
    }

    public override ParameterTensor Value(int parameter) => new(_values, _offsets[parameter] * sizeof(float), Parameters[parameter]);
    public override ParameterTensor Gradient(int parameter) => new(_gradients, _offsets[parameter] * sizeof(float), Parameters[parameter]);

    public override void Upload(int parameter, ParameterSlot slot, ReadOnlySpan<float> values)
    {
        _values.Changed();
        Parameter p = Require(parameter, slot, values.Length);
        if (slot.FollowsMask()) ScatterState(parameter);
        fixed (float* source = values)
            Transposition.ToOutputsLast(_workers, source, p.Filter.Out, p.Filter.In, p.Filter.Height * p.Filter.Width, Slot(slot, true) + _offsets[parameter]);
        if (_masked[parameter] && slot.FollowsMask()) ClearPruned(parameter);
    }

    public override void Download(int parameter, ParameterSlot slot, Span<float> values)
    {
        Parameter p = Require(parameter, slot, values.Length);
        if (slot.FollowsMask()) ScatterState(parameter);
        float* source = Slot(slot, false);
        if (source == null)
        {
            values.Clear();
            return;
        }
        fixed (float* target = values)
            Transposition.ToOutputsFirst(_workers, source + _offsets[parameter], p.Filter.Out, p.Filter.In, p.Filter.Height * p.Filter.Width, target);
    }

    public override long Live(int parameter) => _live[parameter];

    public override void ResetState()
    {
        Clear(_state0);
        Clear(_state1);
    }

    public override void Dispose()
    {
        _values.Dispose();
        _gradients.Dispose();
        _state0?.Dispose();
        _state1?.Dispose();
        foreach (CpuBuffer? other in _others) other?.Dispose();
        _masks?.Dispose();
        _kept?.Dispose();
        _grown?.Dispose();
        _search.Dispose();
        base.Dispose();
    }

    private float* Values => (float*)_values.Pointer;
    private float* Gradients => (float*)_gradients.Pointer;
    private float* State0 => _state0 == null ? null : (float*)_state0.Pointer;
    private float* State1 => _state1 == null ? null : (float*)_state1.Pointer;
    private ulong* Masks => _masks == null ? null : (ulong*)_masks.Pointer;

    private CpuBuffer NewSlot() => new(_length * sizeof(float));

    /// <summary>A slot's buffer. What nobody has used yet is null, unless it is to be written.</summary>
    private float* Slot(ParameterSlot slot, bool write)
    {
        if (write && slot == ParameterSlot.State0) _state0 ??= NewSlot();
        if (write && slot == ParameterSlot.State1) _state1 ??= NewSlot();
        if (write && slot > ParameterSlot.State1) _others[(int)slot] ??= NewSlot();
        return slot switch
        {
            ParameterSlot.Value => Values,
            ParameterSlot.Gradient => Gradients,
            ParameterSlot.State0 => State0,
            ParameterSlot.State1 => State1,
            _ => _others[(int)slot] is { } other ? (float*)other.Pointer : null,
        };
    }

    private Parameter Require(int parameter, ParameterSlot slot, long length)
    {
        Parameter p = Parameters[parameter];
        if (!p.IsTrained && slot != ParameterSlot.Value) throw new ArgumentException($"{p.Name} is not trained and has no {slot}", nameof(slot));
        if (length != p.Elements) throw new ArgumentException($"{p.Name} has {p.Elements} elements, {length} were given");
        return p;
    }

    private static void Clear(CpuBuffer? buffer)
    {
        if (buffer != null) NativeMemory.Clear(buffer.Pointer, (nuint)buffer.Bytes);
    }

    /// <summary>Fills the work list with these parameters by ascending index, which is the order of ties.</summary>
    private void List(ReadOnlySpan<int> parameters)
    {
        Array.Clear(_chosen);
        foreach (int p in parameters)
        {
            if (_chosen[p]) throw new ArgumentException($"{Parameters[p].Name} was given twice", nameof(parameters));
            _chosen[p] = true;
        }
        _list.Clear();
        for (int p = 0; p < _chosen.Length; p++)
            if (_chosen[p]) _list.Add(Parameters[p], _offsets[p], _masked[p]);
    }
}
