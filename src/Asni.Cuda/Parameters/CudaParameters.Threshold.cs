using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    private const int Bins = 2048, StateBytes = 16;
    private static readonly int[] s_shifts = [20, 10, 0];

    /// <summary>The search's state, then its histogram.</summary>
    private CudaBuffer? _selection;

    /// <summary>Ties of each chunk, then live elements of each segment.</summary>
    private CudaBuffer? _cut;

    public override MagnitudeThreshold FindThreshold(ReadOnlySpan<int> parameters, long keep)
    {
        long live = 0;
        foreach (int p in parameters) live += _live[p];
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, live);
        ChunkList list = List(parameters);
        _selection ??= new CudaBuffer(_stream, StateBytes + Bins * sizeof(uint));
        Span<SelectionState> state = [new SelectionState(keep, 0, 0)];
        _stream.Upload<SelectionState>(_selection.Pointer, state);
        _stream.Fill32(_selection.Pointer + StateBytes, 0, Bins);
        // Enough blocks to fill the GPU; each keeps a histogram in shared memory over all its chunks.
        int blocks = Math.Min(list.Count, _stream.Context.MultiprocessorCount * 4);
        foreach (int shift in s_shifts)
        {
            var histogram = new HistogramArgs
            {
                Arena = _arena,
                Chunks = list.Pointer,
                State = _selection.Pointer,
                Histogram = _selection.Pointer + StateBytes,
                Count = list.Count,
                Shift = shift,
                First = shift == s_shifts[0] ? 1 : 0,
            };
            Launch("threshold_histogram", blocks, in histogram);
            var select = new SelectArgs { State = histogram.State, Histogram = histogram.Histogram, Shift = shift };
            Launch("threshold_select", 1, in select);
        }
        _stream.Download(state, _selection.Pointer);
        if (state[0].Nan != 0) throw new AsniException($"{NotANumber(parameters)} has a weight that is not a number; lower the learning rate");
        return keep == 0
            ? new MagnitudeThreshold(float.PositiveInfinity, 0)
            : new MagnitudeThreshold(BitConverter.UInt32BitsToSingle(state[0].Prefix), state[0].Keep);
    }

    public override void ApplyThreshold(ReadOnlySpan<int> parameters, MagnitudeThreshold threshold, Span<long> live)
    {
        ChunkList list = List(parameters);
        long ties = Math.Max(1, list.Count) * sizeof(long);
        long bytes = ties + Parameters.Length * sizeof(int);
        if (_cut is null || _cut.Bytes < bytes)
        {
            _cut?.Dispose();
            _cut = new CudaBuffer(_stream, bytes);
        }
        _stream.Fill32(_cut.Pointer + (ulong)ties, 0, Parameters.Length);
        var args = new CutArgs
        {
            Arena = _arena,
            Chunks = list.Pointer,
            Ties = _cut.Pointer,
            Live = _cut.Pointer + (ulong)ties,
            KeepEqual = threshold.KeepEqual,
            Magnitude = BitConverter.SingleToUInt32Bits(threshold.Magnitude),
            Count = list.Count,
        };
        Launch("threshold_ties", list.Count, in args);
        Launch("threshold_scan", 1, in args);
        Launch("threshold_prune", list.Count, in args);
        var counts = new int[Parameters.Length];
        _stream.Download<int>(counts, args.Live);
        for (int i = 0; i < parameters.Length; i++) live[i] = _live[parameters[i]] = counts[parameters[i]];
    }

    private string NotANumber(ReadOnlySpan<int> parameters)
    {
        foreach (int p in parameters)
        {
            var values = new float[Parameters[p].Elements];
            Download(p, ParameterSlot.Value, values);
            if (values.Any(float.IsNaN)) return Parameters[p].Name;
        }
        return "a parameter";
    }

    private readonly record struct SelectionState(long Keep, uint Prefix, int Nan);

    private struct HistogramArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, State, Histogram;
        public int Count, Shift, First;
    }

    private struct SelectArgs
    {
        public ulong State, Histogram;
        public int Shift;
    }

    private struct CutArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Ties, Live;
        public long KeepEqual;
        public uint Magnitude;
        public int Count;
    }
}
