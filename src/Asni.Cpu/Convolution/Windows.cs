using System.Runtime.InteropServices;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>
/// Kernel taps that read one run of neighbouring pixels: the run starts at (<paramref name="Row"/>, <paramref name="Column"/>) relative to a grid
/// position's pixel, and holds one pixel for each of <paramref name="Taps"/>, the taps' numbers kh * KW + kw.
/// </summary>
internal sealed record TapRun(int Row, int Column, int[] Taps);

/// <summary>
/// A grid of output positions that all use the same taps. A forward convolution is one phase; the data gradient of a convolution
/// with stride s has s * s, since input pixels with different remainders modulo s are reached by different taps.
/// </summary>
internal sealed class WindowPhase
{
    public required int Rows { get; init; }
    public required int Columns { get; init; }
    public required List<TapRun> Runs { get; init; }

    /// <summary>Place of the grid's first position in the target, and the distances between its columns and rows, in elements.</summary>
    public required int TargetOrigin { get; init; }
    public required int TargetColumnStep { get; init; }
    public required int TargetRowStep { get; init; }

    public int Positions => Rows * Columns;
    public int Taps => Runs.Sum(r => r.Taps.Length);

    /// <summary>For each position of a chunk: its pixel in the source (see <see cref="Windows"/>) and its place in the target.</summary>
    public CpuTable Source { get; set; } = null!;
    public CpuTable Target { get; set; } = null!;
}

/// <summary>A table of ints outside the garbage-collected heap.</summary>
internal sealed unsafe class CpuTable(int length) : IDisposable
{
    public int* Pointer { get; } = (int*)NativeMemory.AlignedAlloc((nuint)length * sizeof(int), 64);
    public void Dispose() => NativeMemory.AlignedFree(Pointer);
}

/// <summary>Some grid rows of one image, or all rows of several.</summary>
internal readonly record struct Chunk(int Image, int Images, int Row, int Rows);

/// <summary>
/// How the phases' grid positions read a source activation: which rows and columns they touch, whether those must be copied into zero-padded
/// scratch first, and how much of the batch is worked on at a time so that it stays in the second-level cache.
/// </summary>
internal sealed unsafe class Windows : IDisposable
{
    private const int ScratchFloats = 64 * 1024;
    private const int MaximumPositions = 4096;

    /// <summary>Fewer rows than this leave the filter's values, read again for each chunk, too little used.</summary>
    private const int EnoughPositions = 128;

    private readonly int _rowLow;
    private readonly int _columnLow;
    private readonly int _rowsRead;
    private readonly int _columnsRead;

    /// <param name="step">Source pixels from one grid position to the next.</param>
    /// <param name="targetElements">Elements of one image of the target.</param>
    public Windows(Chw source, int step, List<WindowPhase> phases, int batch, int targetElements)
    {
        Source = source;
        Step = step;
        Phases = phases;
        TargetElements = targetElements;
        GridRows = phases.Max(p => p.Rows);
        var used = phases.Where(p => p.Runs.Count > 0).ToList();
        if (used.Count > 0)
        {
            _rowLow = used.Min(p => p.Runs.Min(r => r.Row));
            int rowHigh = used.Max(p => (p.Rows - 1) * step + p.Runs.Max(r => r.Row));
            _columnLow = used.Min(p => p.Runs.Min(r => r.Column));
            int columnHigh = used.Max(p => (p.Columns - 1) * step + p.Runs.Max(r => r.Column + r.Taps.Length - 1));
            Padded = _rowLow < 0 || _columnLow < 0 || rowHigh >= source.Height || columnHigh >= source.Width;
            _rowsRead = used.Max(p => p.Runs.Max(r => r.Row)) - _rowLow + 1;
            _columnsRead = columnHigh - _columnLow + 1;
        }
        if (!Padded) (_rowLow, _columnLow) = (0, 0);
        RowPitch = (Padded ? _columnsRead : source.Width) * source.Channels;
        ImagePitch = Padded ? ((GridRows - 1) * step + _rowsRead) * RowPitch : source.Elements;
        (ChunkImages, ChunkRows) = ChooseChunk(batch);
        foreach (WindowPhase phase in phases) FillTables(phase);
    }

    public Chw Source { get; }
    public int Step { get; }
    public List<WindowPhase> Phases { get; }
    public int TargetElements { get; }
    public int GridRows { get; }

    /// <summary>Whether <see cref="Prepare"/> copies.</summary>
    public bool Padded { get; }

    /// <summary>Floats between rows, and between images, of what <see cref="Prepare"/> returns.</summary>
    public int RowPitch { get; }
    public int ImagePitch { get; }

    public int ChunkImages { get; }
    public int ChunkRows { get; }

    /// <summary>Floats of scratch that <see cref="Prepare"/> needs.</summary>
    public long ScratchSize => Padded ? Math.Max((long)ChunkImages * ImagePitch, (long)((ChunkRows - 1) * Step + _rowsRead) * RowPitch) : 0;

    /// <summary>Floats from a position's pixel to the start of a run.</summary>
    public int OffsetOf(TapRun run) => (run.Row - _rowLow) * RowPitch + (run.Column - _columnLow) * Source.Channels;

    /// <summary>The next chunk at or after a global grid row (image * GridRows + row), ending before <paramref name="end"/>.</summary>
    public Chunk Next(long from, long end)
    {
        int image = (int)(from / GridRows), row = (int)(from % GridRows);
        if (row == 0 && ChunkRows == GridRows && end - from >= GridRows)
            return new Chunk(image, (int)Math.Min(ChunkImages, (end - from) / GridRows), 0, GridRows);
        return new Chunk(image, 1, row, (int)Math.Min(Math.Min(ChunkRows, GridRows - row), end - from));
    }

    public static long GlobalRows(in Chunk chunk) => (long)chunk.Images * chunk.Rows;

    /// <summary>Number of a phase's positions in a chunk: they are the first entries of its tables.</summary>
    public static int Positions(WindowPhase phase, in Chunk chunk) =>
        chunk.Images * Math.Max(0, Math.Min(chunk.Row + chunk.Rows, phase.Rows) - chunk.Row) * phase.Columns;

    /// <summary>Where the positions' pixels are counted from: the source itself, or a padded copy of what the chunk reads in scratch.</summary>
    public float* Prepare(float* source, in Chunk chunk, float* scratch)
    {
        if (!Padded) return source + (long)chunk.Image * Source.Elements + (long)chunk.Row * Step * RowPitch;
        int rows = (chunk.Rows - 1) * Step + _rowsRead;
        for (int i = 0; i < chunk.Images; i++)
            CopyImage(source + (long)(chunk.Image + i) * Source.Elements, chunk.Row * Step + _rowLow, rows, scratch + (long)i * ImagePitch);
        return scratch;
    }

    public void Dispose()
    {
        foreach (WindowPhase phase in Phases)
        {
            phase.Source.Dispose();
            phase.Target.Dispose();
        }
    }

    private void CopyImage(float* image, int firstRow, int rows, float* to)
    {
        int channels = Source.Channels;
        int left = Math.Max(0, -_columnLow);
        int from = Math.Max(0, _columnLow), copied = Math.Max(0, Math.Min(Source.Width - from, _columnsRead - left));
        int right = _columnsRead - left - copied;
        for (int r = 0; r < rows; r++, to += RowPitch)
        {
            int row = firstRow + r;
            if (row < 0 || row >= Source.Height)
            {
                new Span<float>(to, RowPitch).Clear();
                continue;
            }
            new Span<float>(to, left * channels).Clear();
            new ReadOnlySpan<float>(image + ((long)row * Source.Width + from) * channels, copied * channels).CopyTo(new Span<float>(to + left * channels, copied * channels));
            new Span<float>(to + (left + copied) * channels, right * channels).Clear();
        }
    }

    /// <summary>Several whole images when they fit the scratch, else a band of rows of one.</summary>
    private (int Images, int Rows) ChooseChunk(int batch)
    {
        int positions = Phases.Max(p => p.Positions);
        if ((ImagePitch <= ScratchFloats || positions < EnoughPositions) && positions <= MaximumPositions)
        {
            int images = Math.Max(ScratchFloats / ImagePitch, (EnoughPositions + positions - 1) / positions);
            return (Math.Clamp(Math.Min(images, MaximumPositions / positions), 1, batch), GridRows);
        }
        int columns = Phases.Max(p => p.Columns);
        int rows = Math.Min(ScratchFloats / (RowPitch * Step), MaximumPositions / columns);
        return (1, Math.Clamp(rows, 1, GridRows));
    }

    private void FillTables(WindowPhase phase)
    {
        int rows = Math.Min(phase.Rows, ChunkRows), positions = rows * phase.Columns;
        phase.Source = new CpuTable(Math.Max(1, ChunkImages * positions));
        phase.Target = new CpuTable(Math.Max(1, ChunkImages * positions));
        for (int image = 0, at = 0; image < ChunkImages; image++)
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < phase.Columns; column++, at++)
                {
                    phase.Source.Pointer[at] = image * ImagePitch + row * Step * RowPitch + column * Step * Source.Channels;
                    phase.Target.Pointer[at] = image * TargetElements + phase.TargetOrigin + row * phase.TargetRowStep + column * phase.TargetColumnStep;
                }
    }

    /// <summary>The single phase of a forward convolution. Taps that only ever see padding are left out.</summary>
    public static Windows Forward(in ConvolutionSpec spec)
    {
        var (rowFirst, rowEnd) = LiveTaps(spec.Input.Height, spec.Output.Height, spec.Filter.Height, spec.Stride, spec.Padding);
        var (columnFirst, columnEnd) = LiveTaps(spec.Input.Width, spec.Output.Width, spec.Filter.Width, spec.Stride, spec.Padding);
        var runs = new List<TapRun>();
        for (int kh = rowFirst; kh < rowEnd; kh++)
        {
            int row = kh, width = spec.Filter.Width;
            int[] taps = [.. Enumerable.Range(columnFirst, Math.Max(0, columnEnd - columnFirst)).Select(kw => row * width + kw)];
            AddRuns(runs, kh - spec.Padding, columnFirst - spec.Padding, taps, spec.Groups);
        }
        var phase = new WindowPhase
        {
            Rows = spec.Output.Height,
            Columns = spec.Output.Width,
            Runs = runs,
            TargetOrigin = 0,
            TargetColumnStep = spec.Output.Channels,
            TargetRowStep = spec.Output.Width * spec.Output.Channels,
        };
        return new Windows(spec.Input, spec.Stride, [phase], spec.Batch, spec.Output.Elements);
    }

    /// <summary>
    /// The phases of the data gradient: dx(ih) sums dy(oh) * w(kh) over oh * stride + kh = ih + padding. With ih = stride * q + phase,
    /// kh = r + stride * j where r = (phase + padding) mod stride, and oh = q + (phase + padding - r) / stride - j.
    /// </summary>
    public static Windows Backward(in ConvolutionSpec spec)
    {
        var phases = new List<WindowPhase>();
        int channels = spec.Input.Channels, width = spec.Input.Width;
        for (int ph = 0; ph < Math.Min(spec.Stride, spec.Input.Height); ph++)
            for (int pw = 0; pw < Math.Min(spec.Stride, width); pw++)
            {
                int rows = (spec.Input.Height - ph + spec.Stride - 1) / spec.Stride, columns = (width - pw + spec.Stride - 1) / spec.Stride;
                var rowTaps = PhaseTaps(ph, rows, spec.Output.Height, spec.Filter.Height, spec.Stride, spec.Padding);
                var columnTaps = PhaseTaps(pw, columns, spec.Output.Width, spec.Filter.Width, spec.Stride, spec.Padding);
                var runs = new List<TapRun>();
                foreach ((int offset, int kh) in rowTaps)
                {
                    int filterWidth = spec.Filter.Width;
                    if (columnTaps.Count > 0) AddRuns(runs, offset, columnTaps[0].Offset, [.. columnTaps.Select(t => kh * filterWidth + t.Tap)], spec.Groups);
                }
                phases.Add(new WindowPhase
                {
                    Rows = rows,
                    Columns = columns,
                    Runs = runs,
                    TargetOrigin = (ph * width + pw) * channels,
                    TargetColumnStep = spec.Stride * channels,
                    TargetRowStep = spec.Stride * width * channels,
                });
            }
        return new Windows(spec.Output, 1, phases, spec.Batch, spec.Input.Elements);
    }

    /// <summary>With groups a pixel's channels are read in parts, so that neighbouring pixels no longer join into one run.</summary>
    private static void AddRuns(List<TapRun> runs, int row, int column, int[] taps, int groups)
    {
        if (taps.Length == 0) return;
        if (groups == 1) runs.Add(new TapRun(row, column, taps));
        else for (int i = 0; i < taps.Length; i++) runs.Add(new TapRun(row, column + i, [taps[i]]));
    }

    /// <summary>Taps [first, end) of one axis that some output sees inside the input.</summary>
    private static (int First, int End) LiveTaps(int input, int output, int kernel, int stride, int padding)
    {
        bool Live(int k) => Enumerable.Range(0, output).Any(o => o * stride + k - padding >= 0 && o * stride + k - padding < input);
        int[] live = [.. Enumerable.Range(0, kernel).Where(Live)];
        return live.Length == 0 ? (0, 0) : (live[0], live[^1] + 1);
    }

    /// <summary>Taps of one axis of a phase, by rising offset from the grid position, as far as they meet the output's gradient at all.</summary>
    private static List<(int Offset, int Tap)> PhaseTaps(int phase, int grid, int output, int kernel, int stride, int padding)
    {
        int remainder = (phase + padding) % stride, shift = (phase + padding - remainder) / stride;
        var taps = new List<(int, int)>();
        for (int j = (kernel - 1 - remainder) / stride; j >= 0 && remainder < kernel; j--)
        {
            int offset = shift - j;
            if (grid - 1 + offset >= 0 && offset < output) taps.Add((offset, remainder + stride * j));
        }
        return taps;
    }
}
