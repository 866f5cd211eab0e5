using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// dw(tap, i, o) = sum over positions of x * dy. Workers take parts of the batch and add up their own sums, which are then combined in
/// the order of the workers; when there is more weight than activation they take panels of the result instead.
/// </summary>
internal sealed unsafe class WeightGradient : IDisposable
{
    /// <summary>Positions at a time: their dy panel stays in the second-level cache while all taps pass by.</summary>
    private const int BlockPositions = 256;

    /// <summary>Floats of a position that are packed together, for neighbouring panels: memory is read in longer pieces.</summary>
    private const int PackedColumns = 64;

    private readonly Windows _windows;
    private readonly Workers _workers;
    private readonly Panel[][] _together;
    private readonly bool _splitPanels;
    private readonly int _channels;
    private readonly int _groupChannels;
    private readonly long _weights;
    private readonly long _macs;
    private readonly bool _packs;
    private readonly bool _leavesTapsOut;
    private readonly CpuBuffer _scratch;
    private readonly CpuBuffer? _partials;
    private readonly int _packStride;

    /// <param name="windows">Of the forward convolution; not owned.</param>
    public WeightGradient(in ConvolutionSpec spec, Windows windows, Workers workers)
    {
        _windows = windows;
        _workers = workers;
        _channels = spec.Filter.Out;
        _groupChannels = spec.Filter.In;
        _weights = (long)spec.Filter.Out * spec.Filter.FanIn;
        WindowPhase phase = windows.Phases[0];
        int lanes = Simd.Width / 32;
        _macs = (long)spec.Batch * spec.Macs;
        long activations = (long)spec.Batch * phase.Positions * (_channels + (long)phase.Taps * _groupChannels / Math.Max(1, phase.Runs.Count));
        _splitPanels = workers.Count > 1 && _weights > activations && _channels / spec.Groups >= lanes * workers.Count;
        Panel[] panels = Panels.Cut(_channels, spec.Groups, lanes, _splitPanels ? workers.Count : 1);
        _together = Neighbours(panels, lanes);
        // A single panel of whole vectors lies in dy as it would be packed.
        _packs = panels.Length > 1 || panels[0].Columns != panels[0].Vectors * lanes;
        _leavesTapsOut = phase.Taps < spec.Filter.Height * spec.Filter.Width;
        _packStride = _packs ? BlockPositions * PackedColumns : 0;
        _scratch = new CpuBuffer(workers.Count * ScratchStride * sizeof(float));
        if (!_splitPanels && workers.Count > 1) _partials = new CpuBuffer((workers.Count - 1) * _weights * sizeof(float));
    }

    private long WindowScratch => (_windows.ScratchSize + 64 + 15) / 16 * 16;
    private long ScratchStride => WindowScratch + _packStride;

    public void Run(float* x, float* dy, int batch, float* dw)
    {
        _workers.Vectorize(_macs / 4, new Body { Gradient = this, X = x, Dy = dy, Batch = batch, Dw = dw });
        // A small convolution ran on the caller alone and left no partial sums.
        if (_partials is not null && _macs / 4 >= WorkersExtensions.SmallestParallel)
            _workers.Vectorize(_weights * _workers.Count, new Combine { Partials = (float*)_partials.Pointer, Count = _workers.Count - 1, Length = _weights, Dw = dw });
    }

    public void Dispose()
    {
        _scratch.Dispose();
        _partials?.Dispose();
    }

    private struct Combine : IVectorBody
    {
        public float* Partials, Dw;
        public int Count;
        public long Length;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long from, long to) = Partition.Range(Length, worker, workers, 16);
            for (int part = 0; part < Count; part++)
            {
                float* add = Partials + part * Length;
                long i = from;
                for (; i <= to - L.Count; i += L.Count) L.Store(L.Add(L.Load(Dw + i), L.Load(add + i)), Dw + i);
                for (; i < to; i++) Dw[i] += add[i];
            }
        }
    }

    private struct Body : IVectorBody
    {
        public WeightGradient Gradient;
        public float* X, Dy, Dw;
        public int Batch;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            WeightGradient g = Gradient;
            Windows windows = g._windows;
            long total = (long)Batch * windows.GridRows;
            bool byPanel = g._splitPanels && workers > 1;
            (long row, long end) = byPanel ? (0, total) : Partition.Range(total, worker, workers);
            float* dw = byPanel || worker == 0 ? Dw : (float*)g._partials!.Pointer + (worker - 1) * g._weights;
            float* scratch = (float*)g._scratch.Pointer + worker * g.ScratchStride;
            if (!byPanel && (row == end || g._leavesTapsOut)) NativeMemory.Clear(dw, (nuint)(g._weights * sizeof(float)));
            if (byPanel && worker == 0 && g._leavesTapsOut) g.ClearDeadTaps(dw);
            bool first = !g._leavesTapsOut || byPanel;
            while (row < end)
            {
                Chunk chunk = windows.Next(row, end);
                row += Windows.GlobalRows(chunk);
                float* source = windows.Prepare(X, chunk, scratch);
                RunChunk<L, V>(chunk, source, dw, scratch + g.WindowScratch, byPanel ? worker : -1, first);
                first = false;
            }
        }

        private readonly void RunChunk<L, V>(in Chunk chunk, float* source, float* dw, float* pack, int owner, bool first)
            where L : struct, ILanes<V> where V : struct
        {
            WeightGradient g = Gradient;
            WindowPhase phase = g._windows.Phases[0];
            int positions = Windows.Positions(phase, chunk);
            float* dy = Dy + (long)chunk.Image * g._windows.TargetElements + (long)chunk.Row * phase.TargetRowStep;
            for (int p = 0; p < positions; p += BlockPositions)
            {
                int count = Math.Min(BlockPositions, positions - p);
                // A chunk's positions lie one after the other in dy, across images too.
                float* rows = dy + (long)p * g._channels;
                foreach (Panel[] panels in g._together)
                {
                    if (owner >= 0 && panels[0].Owner != owner) continue;
                    if (g._packs) Pack<L, V>(rows, g._channels, count, panels, pack);
                    float* packed = g._packs ? pack : rows;
                    foreach (Panel panel in panels)
                    {
                        int ldd = panel.Vectors * L.Count;
                        RunPanel<L, V>(phase, panel, source + panel.Group * g._groupChannels, phase.Source.Pointer + p, packed, ldd, count, dw, first && p == 0);
                        packed += count * ldd;
                    }
                }
            }
        }

        private readonly void RunPanel<L, V>(WindowPhase phase, in Panel panel, float* source, int* offsets, float* dy, int ldd, int count, float* dw, bool first)
            where L : struct, ILanes<V> where V : struct
        {
            WeightGradient g = Gradient;
            float* tile = stackalloc float[InnerTiles.MaximumRows * InnerTiles.Stride + 16];
            tile = (float*)(((nint)tile + 63) & ~63);
            int tileRows = InnerTiles.Rows(panel.Vectors, L.Count == 16);
            var epilogue = new Epilogue(panel.Columns, null, !first);
            foreach (TapRun run in phase.Runs)
            {
                int length = run.Taps.Length * g._groupChannels;
                float* x = source + g._windows.OffsetOf(run);
                float* to = dw + (long)run.Taps[0] * g._groupChannels * g._channels + panel.Start;
                for (int k = 0; k < length; k += tileRows)
                {
                    int rows = Math.Min(tileRows, length - k);
                    float* sums = to + (long)k * g._channels;
                    if (!first) Prefetch.Rows(sums, rows, g._channels, panel.Columns);
                    // The last tile may read past the run; those rows are not stored.
                    OuterTiles.Run<L, V>(panel.Vectors, x + k, offsets, dy, ldd, count, tile);
                    for (int r = 0; r < rows; r++) epilogue.Store<L, V>(tile + r * InnerTiles.Stride, sums + (long)r * g._channels);
                }
            }
        }

        /// <summary>Panel after panel, each with columns up to whole vectors.</summary>
        private static void Pack<L, V>(float* from, int stride, int count, ReadOnlySpan<Panel> panels, float* to) where L : struct, ILanes<V> where V : struct
        {
            for (int p = 0; p < count; p++, from += stride)
            {
                float* place = to;
                foreach (Panel panel in panels)
                {
                    int whole = panel.Columns / L.Count * L.Count, width = panel.Vectors * L.Count;
                    float* source = from + panel.Start, target = place + p * width;
                    for (int n = 0; n < whole; n += L.Count) L.Store(L.Load(source + n), target + n);
                    for (int n = whole; n < width; n++) target[n] = n < panel.Columns ? source[n] : 0;
                    place += count * width;
                }
            }
        }
    }

    /// <summary>Neighbouring panels of one worker, as many as are packed together.</summary>
    private static Panel[][] Neighbours(Panel[] panels, int lanes)
    {
        var together = new List<Panel[]>();
        for (int first = 0, next; first < panels.Length; first = next)
        {
            int width = 0;
            for (next = first; next < panels.Length && panels[next].Owner == panels[first].Owner && (width += panels[next].Vectors * lanes) <= PackedColumns;) next++;
            together.Add(panels[first..next]);
        }
        return [.. together];
    }

    private void ClearDeadTaps(float* dw)
    {
        var live = _windows.Phases[0].Runs.SelectMany(r => r.Taps).ToHashSet();
        long perTap = (long)_groupChannels * _channels;
        for (int tap = 0; tap < _weights / perTap; tap++)
            if (!live.Contains(tap)) NativeMemory.Clear(dw + tap * perTap, (nuint)(perTap * sizeof(float)));
    }
}
