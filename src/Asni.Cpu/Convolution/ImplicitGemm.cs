using Asni.Cpu.Sparse;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// y(position, n) = sum over taps and channels of x * B: forward convolution and data gradient alike. Each worker takes grid rows (or, when
/// there is more weight than activation, panels), pads a chunk into its scratch, and runs register tiles over the chunk's positions.
/// </summary>
internal sealed unsafe class ImplicitGemm : IDisposable
{
    /// <summary>Parts of the grid rows that are queued: so many a worker, and of so many positions.</summary>
    private const int PartsPerWorker = 8, PartPositions = 96;

    /// <summary>Rows of B at a time: 64 columns of them stay in the first-level cache's reach while all positions of a chunk pass by.</summary>
    private const int BlockRows = 512;

    /// <summary>Rows of B from which on all panels go by before the next positions; shorter sums were slower that way.</summary>
    private const int EnoughRows = 32;

    /// <summary>Panels whose descriptions a worker's stack holds.</summary>
    private const int MostPanels = 256;

    private readonly Windows _windows;
    private readonly Workers _workers;
    private readonly WeightPacking? _packing;
    private readonly bool _ownsPacking;
    private readonly InnerRun[][][] _blocks;
    private readonly CpuBuffer? _scratch;
    private readonly Panel[] _panels;
    private readonly bool _splitPanels, _acrossPanels;
    private readonly int _channels, _positions;
    private readonly int _groupChannels;
    private readonly long _macs;

    /// <param name="channels">N, columns of B in all groups.</param>
    /// <param name="transposed">B is the transposed filter (data gradient): always packed.</param>
    /// <param name="like">The same product of another caller, who lends the packed weights.</param>
    public ImplicitGemm(in ConvolutionSpec spec, Windows windows, int channels, bool transposed, Workers workers, ImplicitGemm? like = null)
    {
        _windows = windows;
        _workers = workers;
        _channels = channels;
        _groupChannels = windows.Source.Channels / spec.Groups;
        int lanes = Simd.Width / 32;
        long inner = (long)windows.Phases.Sum(p => p.Taps) * _groupChannels;
        long activations = (long)spec.Batch * windows.Source.Elements, weights = inner * channels;
        _macs = (long)spec.Batch * windows.Phases.Sum(p => (long)p.Positions * p.Taps) * _groupChannels * (channels / spec.Groups);
        _splitPanels = workers.Count > 1 && weights > activations && channels / spec.Groups >= lanes * workers.Count;
        _positions = windows.Phases.Max(p => p.Positions);
        long rows = (long)spec.Batch * _positions;
        _panels = Panels.Cut(channels, spec.Groups, lanes, _splitPanels ? workers.Count : 1, oneRow: rows == 1);
        bool contiguous = _panels.Length == 1 && _panels[0].Columns == _panels[0].Vectors * lanes && !transposed;
        // Training packs anew in each step, which few rows do not pay for; inference does so once.
        bool fewRows = spec.Training && rows < 512;
        _ownsPacking = like is null;
        if (transposed || !(contiguous || fewRows)) _packing = like?._packing ?? new WeightPacking(spec, windows.Phases, _panels, _groupChannels, lanes, transposed);
        _blocks = [.. windows.Phases.Select(p => CutBlocks(p, packed: _packing is not null))];
        _acrossPanels = !_splitPanels && _panels.Length > 1 && spec.Groups == 1 && _panels.Length <= MostPanels
            && windows.Phases.All(p => p.Taps * _groupChannels >= EnoughRows && (long)p.Taps * _groupChannels * channels * sizeof(float) <= Caches.Second / 2) && _blocks.All(b => b.Length == 1);
        if (windows.Padded) _scratch = new CpuBuffer(workers.Count * ScratchStride * sizeof(float));
    }

    private long ScratchStride => (_windows.ScratchSize + 64 + 15) / 16 * 16;

    /// <param name="w">The filter, HWIO.</param>
    /// <param name="bias">May be null.</param>
    public void Run(float* x, WeightValues w, float* bias, bool accumulate, Clamp clamp, int batch, float* y)
    {
        _packing?.Take(w, _workers);
        int parts = (int)Math.Clamp((long)batch * _positions / PartPositions, _workers.Count, PartsPerWorker * _workers.Count);
        var body = new Body
        {
            Gemm = this,
            X = x,
            B = _packing is null ? w.Weights : _packing.Pointer,
            Bias = bias,
            Accumulate = accumulate,
            Clamp = clamp,
            Batch = batch,
            Count = parts,
            Grain = batch >= parts ? _windows.GridRows : 1,
            Parts = _workers.Queue(parts),
            Y = y
        };
        // A region costs a few microseconds: some 100,000 multiply-adds.
        _workers.Vectorize(_macs / 4, body);
    }

    public void Dispose()
    {
        _windows.Dispose();
        if (_ownsPacking) _packing?.Dispose();
        _scratch?.Dispose();
    }

    private InnerRun[][] CutBlocks(WindowPhase phase, bool packed)
    {
        int inner = phase.Taps * _groupChannels;
        int blocks = Math.Max(1, (inner + BlockRows - 1) / BlockRows);
        int size = (inner + blocks - 1) / Math.Max(1, blocks);
        var result = new List<InnerRun[]>();
        var block = new List<InnerRun>();
        int row = 0, room = size;
        foreach (TapRun run in phase.Runs)
        {
            int length = run.Taps.Length * _groupChannels, offset = _windows.OffsetOf(run), done = 0;
            while (done < length)
            {
                int take = Math.Min(length - done, room);
                block.Add(new InnerRun(offset + done, take, packed ? row : run.Taps[0] * _groupChannels + done));
                (done, row, room) = (done + take, row + take, room - take);
                if (room > 0) continue;
                result.Add([.. block]);
                block.Clear();
                room = size;
            }
        }
        if (block.Count > 0) result.Add([.. block]);
        return [.. result];
    }

    private struct Body : IVectorBody
    {
        private const int AllPanels = -1;

        public ImplicitGemm Gemm;
        public float* X, B, Bias, Y;
        public bool Accumulate;
        public Clamp Clamp;
        public int Batch, Count, Grain;
        public WorkQueue Parts;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            Windows windows = Gemm._windows;
            long total = (long)Batch * windows.GridRows;
            float* scratch = windows.Padded ? (float*)Gemm._scratch!.Pointer + worker * Gemm.ScratchStride : null;
            if (Gemm._splitPanels && workers > 1)
            {
                RunRows<L, V>(0, total, scratch, worker);
                return;
            }
            for (int part; (part = Parts.Next(worker)) >= 0;)
            {
                (long row, long end) = Partition.Range(total, part, Count, Grain);
                RunRows<L, V>(row, end, scratch, AllPanels);
            }
        }

        /// <param name="owner">Whose panels, or <see cref="AllPanels"/>.</param>
        private readonly void RunRows<L, V>(long row, long end, float* scratch, int owner) where L : struct, ILanes<V> where V : struct
        {
            Windows windows = Gemm._windows;
            while (row < end)
            {
                Chunk chunk = windows.Next(row, end);
                row += Windows.GlobalRows(chunk);
                float* source = windows.Prepare(X, chunk, scratch);
                for (int phase = 0; phase < windows.Phases.Count; phase++)
                    if (Gemm._acrossPanels) RunAcross<L, V>(chunk, phase, source);
                    else for (int panel = 0; panel < Gemm._panels.Length; panel++)
                        if (owner == AllPanels || Gemm._panels[panel].Owner == owner) RunPanel<L, V>(chunk, phase, panel, source);
            }
        }

        private readonly void RunPanel<L, V>(in Chunk chunk, int phaseIndex, int panelIndex, float* source) where L : struct, ILanes<V> where V : struct
        {
            WindowPhase phase = Gemm._windows.Phases[phaseIndex];
            Panel panel = Gemm._panels[panelIndex];
            InnerRun[][] blocks = Gemm._blocks[phaseIndex];
            if (blocks.Length == 0) StoreEmpty<L, V>(phase, panel, Windows.Positions(phase, chunk), Target(phase, chunk) + panel.Start);
            byte* memory = stackalloc byte[TileRows.Bytes];
            var rows = new TileRows(memory);
            for (int block = 0; block < blocks.Length; block++)
            {
                PanelPart part = Part<L, V>(phaseIndex, panelIndex, block == 0, block == blocks.Length - 1, rows.Zeros);
                RunTiles<L, V>(phase, chunk, source + panel.Group * Gemm._groupChannels, blocks[block], &part, 1, InnerTiles.Rows(panel.Vectors, L.Count == 16), ref rows);
            }
        }

        /// <summary>
        /// All panels of a tile's rows before the next rows: for filters that the second cache holds. Rows are found once, and the output is written as it lies in memory.
        /// </summary>
        private readonly void RunAcross<L, V>(in Chunk chunk, int phaseIndex, float* source) where L : struct, ILanes<V> where V : struct
        {
            byte* memory = stackalloc byte[TileRows.Bytes];
            var rows = new TileRows(memory);
            Panel[] panels = Gemm._panels;
            PanelPart* parts = stackalloc PanelPart[panels.Length];
            for (int i = 0; i < panels.Length; i++) parts[i] = Part<L, V>(phaseIndex, i, first: true, last: true, rows.Zeros);
            // A narrower panel at the end takes tiles of as many rows as the others.
            RunTiles<L, V>(Gemm._windows.Phases[phaseIndex], chunk, source, Gemm._blocks[phaseIndex][0], parts, panels.Length, InnerTiles.Rows(panels[0].Vectors, L.Count == 16), ref rows);
        }

        /// <param name="first">Of the blocks of rows of B: it begins with the bias. The last ends with the clamp.</param>
        private readonly PanelPart Part<L, V>(int phaseIndex, int panelIndex, bool first, bool last, float* zeros) where L : struct, ILanes<V> where V : struct
        {
            Panel panel = Gemm._panels[panelIndex];
            float* b = Gemm._packing is { } packing ? packing.PanelPointer(phaseIndex, panelIndex) : B + panel.Start;
            var epilogue = new Epilogue(panel.Columns, first && Bias != null ? Bias + panel.Start : null, Accumulate || !first, last ? Clamp : default);
            return new PanelPart(panel, b, Gemm._packing is null ? Gemm._channels : panel.Vectors * L.Count, epilogue, zeros, L.Count);
        }

        private readonly float* Target(WindowPhase phase, in Chunk chunk) => Y + (long)chunk.Image * Gemm._windows.TargetElements + (long)chunk.Row * phase.TargetRowStep;

        /// <summary>No tap of the phase meets the source: its sums are 0.</summary>
        private readonly void StoreEmpty<L, V>(WindowPhase phase, in Panel panel, int positions, float* y) where L : struct, ILanes<V> where V : struct
        {
            float* zeros = stackalloc float[InnerTiles.MaximumColumns];
            new Span<float>(zeros, InnerTiles.MaximumColumns).Clear();
            var epilogue = new Epilogue(panel.Columns, Bias != null ? Bias + panel.Start : null, Accumulate, Clamp);
            for (int p = 0; p < positions; p++) epilogue.Store<L, V>(zeros, y + phase.Target.Pointer[p]);
        }

        private readonly void RunTiles<L, V>(WindowPhase phase, in Chunk chunk, float* source, InnerRun[] block, PanelPart* parts, int count, int tileRows, ref TileRows rows)
            where L : struct, ILanes<V> where V : struct
        {
            int positions = Windows.Positions(phase, chunk);
            float* target = Target(phase, chunk);
            fixed (InnerRun* segments = block)
                for (int p = 0; p < positions; p += tileRows)
                {
                    rows.Find(source, phase.Source.Pointer + p, target, phase.Target.Pointer + p, Math.Min(tileRows, positions - p), tileRows);
                    for (int i = 0; i < count; i++) parts[i].Run<L, V>(rows, segments, segments + block.Length);
                }
        }
    }
}
