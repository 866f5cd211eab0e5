using Asni.Networks;

namespace Asni.Cpu;

/// <summary>A parameter inside the flat buffers: Count floats from float <paramref name="Offset"/>, a multiple of 64.</summary>
/// <param name="Start">Where it begins in the list that it is in, counted in floats with every parameter rounded up to 64.</param>
/// <param name="Masked">Whether some elements are pruned.</param>
internal readonly record struct Segment(Parameter Parameter, long Offset, long Start, bool Masked)
{
    /// <summary>Kept, because kernels ask for it at each vector and a shape multiplies its sizes each time.</summary>
    public long Count { get; } = Parameter.Elements;
}

/// <summary>Part of a segment: elements <paramref name="From"/>, a multiple of 64, to <paramref name="To"/>, another one or the segment's end.</summary>
internal readonly record struct Piece(int Index, Segment Segment, long From, long To);

/// <summary>A list of parameters that workers share as if it were one long array, in units of 64 elements: one word of a mask.</summary>
internal sealed class Segments(int capacity)
{
    public const int Grain = 64;
    private readonly Segment[] _items = new Segment[capacity];
    private long _length;

    public int Count { get; private set; }

    /// <summary>Elements in all.</summary>
    public long Elements { get; private set; }

    public ref readonly Segment this[int index] => ref _items[index];

    public void Clear()
    {
        Count = 0;
        Elements = _length = 0;
    }

    public void Add(Parameter parameter, long offset, bool masked)
    {
        _items[Count++] = new Segment(parameter, offset, _length, masked);
        _length += RoundUp(parameter.Elements);
        Elements += parameter.Elements;
    }

    public static long RoundUp(long elements) => (elements + Grain - 1) / Grain * Grain;

    /// <summary>The worker's pieces, in order.</summary>
    public PieceEnumerator Pieces(int worker, int workers)
    {
        (long from, long to) = Partition.Range(_length, worker, workers, Grain);
        return new PieceEnumerator(this, from, to);
    }

    private int Find(long position)
    {
        int low = 0, high = Count;
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            if (_items[middle].Start <= position) low = middle; else high = middle;
        }
        return low;
    }

    internal struct PieceEnumerator(Segments list, long from, long to)
    {
        private int _next = list.Find(from);

        public Piece Current { get; private set; }
        public readonly PieceEnumerator GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next >= list.Count || list._items[_next].Start >= to) return false;
            ref readonly Segment segment = ref list._items[_next];
            Current = new Piece(_next, segment, Math.Max(0, from - segment.Start), Math.Min(segment.Count, to - segment.Start));
            _next++;
            return true;
        }
    }
}
