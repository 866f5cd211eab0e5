using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cuda;

/// <summary>All parameters of a network in one arena; every operation is one launch, or a few, over a list of chunks.</summary>
internal sealed partial class CudaParameters : DeviceParameters
{
    private const int SegmentAlignment = 64;

    private readonly CudaStream _stream;
    private readonly CudaKernels _kernels;
    private readonly long[] _offsets, _live;
    private readonly long _total;
    private readonly CudaBuffer _values, _gradients, _state0, _state1, _masks, _segments;
    private readonly CudaBuffer? _copies;
    private readonly ArenaArgs _arena;
    private readonly ChunkList _trained;
    private readonly Dictionary<string, ChunkList> _lists = [];
    private readonly CudaBuffer?[] _others = new CudaBuffer?[Enum.GetValues<ParameterSlot>().Length];
    private PinnedMemory? _fetched;

    public CudaParameters(ImmutableArray<Parameter> parameters, CudaStream stream, CudaKernels kernels, CudaPrecision precision) : base(parameters)
    {
        (_stream, _kernels) = (stream, kernels);
        _offsets = new long[parameters.Length];
        _live = [.. parameters.Select(p => p.Elements)];
        foreach (Parameter p in parameters)
        {
            _offsets[p.Index] = _total;
            _total += (p.Elements + SegmentAlignment - 1) / SegmentAlignment * SegmentAlignment;
        }
        long bytes = Math.Max(1, _total) * sizeof(float);
        (_values, _gradients) = (new CudaBuffer(stream, bytes), new CudaBuffer(stream, bytes));
        (_state0, _state1) = (new CudaBuffer(stream, bytes), new CudaBuffer(stream, bytes));
        _masks = new CudaBuffer(stream, Math.Max(1, _total) / 8 + sizeof(uint));
        stream.Fill32(_masks.Pointer, uint.MaxValue, _total / 32);
        if (precision == CudaPrecision.Bf16) _values.Copies = _copies = new CudaBuffer(stream, Math.Max(1, _total) * sizeof(ushort));
        SegmentArgs[] segments = [.. parameters.Select(Segment)];
        _segments = new CudaBuffer(stream, Math.Max(1, segments.Length) * 32L);
        if (segments.Length > 0) stream.Upload<SegmentArgs>(_segments.Pointer, segments);
        _arena = new ArenaArgs
        {
            Values = _values.Pointer,
            Gradients = _gradients.Pointer,
            State0 = _state0.Pointer,
            State1 = _state1.Pointer,
            Masks = _masks.Pointer,
            Copies = _copies?.Pointer ?? 0,
            Segments = _segments.Pointer,
        };
        _trained = new ChunkList(this, [.. parameters.Where(p => p.IsTrained).Select(p => p.Index)], byOutput: false);
        _rule = new CudaBuffer(stream, 64);
    }

    /// <summary>Where the products find a parameter's value: the bf16 copy where there is one.</summary>
    public static ulong Weights(ParameterTensor parameter)
    {
        var buffer = (CudaBuffer)parameter.Buffer;
        return buffer.Copies is { } copies ? copies.Pointer + (ulong)parameter.ByteOffset / 2 : buffer.Pointer + (ulong)parameter.ByteOffset;
    }

    public override ParameterTensor Value(int parameter) => Tensor(_values, parameter);
    public override ParameterTensor Gradient(int parameter) => Tensor(_gradients, parameter);

    public override void Upload(int parameter, ParameterSlot slot, ReadOnlySpan<float> values)
    {
        Parameter p = Parameters[parameter];
        ReadOnlySpan<float> ordered = values[..(int)p.Elements];
        if (!KeepsOrder(p))
        {
            var moved = new float[p.Elements];
            int[] indices = DeviceIndices(p);
            for (int filter = 0, j = 0; j < moved.Length; filter += indices.Length)
                foreach (int place in indices) moved[filter + place] = values[j++];
            ordered = moved;
        }
        _stream.Upload(Slot(slot).Pointer + (ulong)_offsets[parameter] * sizeof(float), ordered);
        if (slot == ParameterSlot.Value) ApplyMasks(parameter);
    }

    public override void Download(int parameter, ParameterSlot slot, Span<float> values)
    {
        Parameter p = Parameters[parameter];
        Span<float> ordered = KeepsOrder(p) ? values[..(int)p.Elements] : new float[p.Elements];
        _stream.Download(ordered, Slot(slot).Pointer + (ulong)_offsets[parameter] * sizeof(float));
        if (KeepsOrder(p)) return;
        int[] indices = DeviceIndices(p);
        for (int filter = 0, j = 0; j < ordered.Length; filter += indices.Length)
            foreach (int place in indices) values[j++] = ordered[filter + place];
    }

    protected override void SetMaskCore(int parameter, Mask? mask)
    {
        Parameter p = Parameters[parameter];
        var words = new uint[(p.Elements + 31) / 32];
        if (mask is null) Array.Fill(words, uint.MaxValue);
        else
        {
            int[] indices = DeviceIndices(p);
            for (long filter = 0, j = 0; j < p.Elements; filter += indices.Length)
                foreach (int place in indices)
                    if (mask[j++]) words[(filter + place) >> 5] |= 1u << (int)((filter + place) & 31);
        }
        _stream.Upload<uint>(_masks.Pointer + (ulong)_offsets[parameter] / 8, words);
        _live[parameter] = mask?.Live ?? p.Elements;
        ApplyMasks(parameter);
    }

    public override Mask? GetMask(int parameter)
    {
        Parameter p = Parameters[parameter];
        if (_live[parameter] == p.Elements) return null;
        uint[] words = FetchMask(p);
        var mask = new Mask(p.Elements, live: false);
        int[] indices = DeviceIndices(p);
        for (long filter = 0, j = 0; j < p.Elements; filter += indices.Length)
            foreach (int place in indices)
                mask[j++] = (words[(filter + place) >> 5] >> (int)((filter + place) & 31) & 1) != 0;
        return mask;
    }

    public override long Live(int parameter) => _live[parameter];

    /// <summary>Where the mask's bits lie, in the order of the values; 0 when all elements live.</summary>
    public ulong MaskAddress(int parameter) =>
        _live[parameter] == Parameters[parameter].Elements ? 0 : _masks.Pointer + (ulong)_offsets[parameter] / 8;

    public override void ResetState()
    {
        _stream.Fill32(_state0.Pointer, 0, _total);
        _stream.Fill32(_state1.Pointer, 0, _total);
    }

    public override void Dispose()
    {
        foreach (RowLayout layout in _layouts.Values) layout.Dispose();
        foreach (ChunkList list in _lists.Values) list.Dispose();
        _trained.Dispose();
        foreach (CudaBuffer? buffer in (CudaBuffer?[])[_values, _gradients, _state0, _state1, _masks, _segments, _copies, .. _others, _rule, _selection, _candidates, _cut, _moreMasks, _signStatistics, _allLive, _own, _outputNumbers, _row]) buffer?.Dispose();
        _fetched?.Dispose();
        base.Dispose();
    }

    /// <summary>Whether a parameter's elements lie in PyTorch's order.</summary>
    private static bool KeepsOrder(Parameter p) => p.Filter.In == 1 || p.Filter.Height * p.Filter.Width == 1;

    /// <summary>Where each element of a filter lies within it: (input, position), PyTorch's order, becomes (position, input).</summary>
    private static int[] DeviceIndices(Parameter p)
    {
        int positions = p.Filter.Height * p.Filter.Width, inputs = p.Filter.In;
        var indices = new int[p.Filter.FanIn];
        for (int input = 0, j = 0; input < inputs; input++)
            for (int position = 0; position < positions; position++) indices[j++] = position * inputs + input;
        return indices;
    }

    private SegmentArgs Segment(Parameter p) => new()
    {
        Offset = _offsets[p.Index],
        Count = p.Elements,
        Inputs = p.Filter.In,
        Positions = p.Filter.Height * p.Filter.Width,
        Decays = p.IsWeight ? 1 : 0,
        Index = p.Index,
    };

    private ParameterTensor Tensor(CudaBuffer buffer, int parameter) => new(buffer, _offsets[parameter] * sizeof(float), Parameters[parameter]);

    private CudaBuffer Slot(ParameterSlot slot) => slot switch
    {
        ParameterSlot.Value => _values,
        ParameterSlot.Gradient => _gradients,
        ParameterSlot.State0 => _state0,
        ParameterSlot.State1 => _state1,
        _ => _others[(int)slot] ??= new CudaBuffer(_stream, Math.Max(1, _total) * sizeof(float)),
    };

    private void ApplyMasks(int parameter)
    {
        ChunkList list = List([parameter]);
        var args = new ChunksArgs { Arena = _arena, Chunks = list.Pointer };
        Launch("apply_masks", list.Count, in args);
    }

    /// <summary>Memory of at least so many bytes, kept from call to call.</summary>
    private ulong Grown(ref CudaBuffer? buffer, long bytes)
    {
        if (buffer is null || buffer.Bytes < bytes)
        {
            _stream.Synchronize();
            buffer?.Dispose();
            buffer = new CudaBuffer(_stream, bytes);
        }
        return buffer.Pointer;
    }

    /// <summary>Waits for a few results; the host's memory that they lie in is used again by the next call.</summary>
    private ReadOnlySpan<T> Fetch<T>(ulong from, int count) where T : unmanaged
    {
        long bytes = (long)count * Unsafe.SizeOf<T>();
        if (_fetched is null || _fetched.Bytes < bytes)
        {
            _fetched?.Dispose();
            _fetched = new PinnedMemory(_stream.Context, Math.Max(bytes, 256));
        }
        _stream.Download(_fetched, from, bytes);
        _stream.Synchronize();
        return _fetched.Span<T>()[..count];
    }

    private void Launch<T>(string kernel, int blocks, in T args) where T : unmanaged
    {
        if (blocks > 0) _kernels.Get(kernel).Launch(_stream, blocks, ChunkArgs.Threads, 0, in args);
    }

    private struct ChunksArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks;
    }
}
