using System.Runtime.CompilerServices;

namespace Asni.Cpu.Convolution;

/// <summary>A panel as the tiles of one chunk see it: its part of B, and what is done with results on their way out.</summary>
internal readonly unsafe struct PanelPart
{
    private readonly Epilogue _epilogue;
    private readonly TileEnds _ends;
    private readonly float* _b;
    private readonly nint _ldb;
    private readonly int _vectors, _start;
    private readonly bool _direct;

    /// <param name="zeros">As many as a tile is wide.</param>
    /// <param name="lanes">Floats of a vector.</param>
    public PanelPart(in Panel panel, float* b, nint ldb, in Epilogue epilogue, float* zeros, int lanes)
    {
        (_ldb, _epilogue, _vectors, _start) = (ldb, epilogue, panel.Vectors, panel.Start);
        _b = b;
        // Else results go through a buffer.
        _direct = epilogue.SuitsTiles && panel.Columns == panel.Vectors * lanes;
        _ends = _direct ? epilogue.TileEnds(zeros) : new TileEnds(zeros);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run<L, V>(in TileRows rows, InnerRun* segments, InnerRun* end) where L : struct, ILanes<V> where V : struct
    {
        if (_direct)
        {
            InnerTiles.Run<L, V>(_vectors, rows.Count, rows.Sources, segments, end, _b, _ldb, _ends, rows.Targets, _start);
            return;
        }
        InnerTiles.Run<L, V>(_vectors, rows.Count, rows.Sources, segments, end, _b, _ldb, _ends, rows.Buffers, 0);
        for (int r = 0; r < rows.Count; r++) _epilogue.Store<L, V>(rows.Buffers[r], rows.Targets[r] + _start);
    }
}

/// <summary>The rows of a register tile of <see cref="InnerTiles"/>: where they are read, where their results go, and buffers for results that something is still to be done with.</summary>
internal unsafe ref struct TileRows
{
    private const int Pointers = InnerTiles.MaximumRows, BufferFloats = InnerTiles.MaximumRows * InnerTiles.Stride;

    /// <summary>Of the memory that it needs, on the stack of who uses it.</summary>
    public const int Bytes = 3 * Pointers * 8 + (InnerTiles.MaximumColumns + BufferFloats) * sizeof(float) + Caches.Line;

    public readonly float** Sources, Targets, Buffers;

    /// <summary>As many as a tile is wide.</summary>
    public readonly float* Zeros;

    /// <param name="memory"><see cref="Bytes"/> of them.</param>
    public TileRows(byte* memory)
    {
        float* buffer = (float*)(((nint)memory + Caches.Line - 1) / Caches.Line * Caches.Line);
        Zeros = buffer + BufferFloats;
        new Span<float>(Zeros, InnerTiles.MaximumColumns).Clear();
        Sources = (float**)(Zeros + InnerTiles.MaximumColumns);
        Targets = Sources + Pointers;
        Buffers = Targets + Pointers;
        for (int r = 0; r < Pointers; r++) Buffers[r] = buffer + r * InnerTiles.Stride;
    }

    /// <summary>Rows that are wanted.</summary>
    public int Count { get; private set; }

    /// <summary>The rows of the next tile. Those past the last that is wanted repeat it, which stores the same numbers again.</summary>
    /// <param name="from">Where each lies behind the source.</param>
    /// <param name="to">Where each row's results lie behind the target.</param>
    public void Find(float* source, int* from, float* target, int* to, int count, int tileRows)
    {
        Count = count;
        for (int r = 0; r < count; r++)
        {
            Sources[r] = source + from[r];
            Targets[r] = target + to[r];
        }
        for (int r = count; r < tileRows; r++)
        {
            Sources[r] = Sources[count - 1];
            Targets[r] = Targets[count - 1];
        }
    }
}
