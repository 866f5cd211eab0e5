namespace Asni.Cpu.Sparse;

/// <param name="Row">First of its rows, counted within a class.</param>
internal readonly record struct Block(int Sample, int Row, int Rows);

/// <summary>How one direction of a convolution is cut into blocks that fit a core's second cache, and how a block's two sides lie there.</summary>
internal sealed class Blocks
{
    /// <summary>Floats of both sides together: nearly all of a core's second cache, of which not everything is in use at once.</summary>
    private static readonly long s_budget = Caches.Second / 16L * 15 / sizeof(float);

    /// <summary>What a tile reads of a block of channels: most of a first cache.</summary>
    internal static int TileBytes { get; } = Caches.First / 4 * 3;

    /// <summary>Taps that make it worth taking up and putting down the results of a line.</summary>
    internal const int EnoughTaps = 16;

    /// <summary>A gradient's block over the second cache, of which its lists of taps then see a part at a time: sums over few vectors cost more than their products.</summary>
    private const int GradientFactor = 4;

    /// <summary>Taps whose gradients are summed together.</summary>
    private const int SummedTogether = 8;

    private readonly int _rows, _perSample, _samples;
    private readonly bool _sums;

    /// <param name="lanesAreSamples">Rather than positions of a row; needs a batch that fills a vector.</param>
    /// <param name="gradient">For the sums of products of both sides.</param>
    public Blocks(TapGeometry geometry, int batch, bool lanesAreSamples, int workers, bool gradient = false)
    {
        Geometry = geometry;
        int lanes = Simd.Width / 32;
        _samples = lanesAreSamples ? lanes : 1;
        int groups = (batch + _samples - 1) / _samples, rows = geometry.ClassRows;
        _sums = gradient && lanesAreSamples;
        long budget = _sums ? GradientFactor * s_budget : s_budget;
        while (rows > 1 && From(rows).Floats + To(rows).Floats > budget) rows--;
        int blocks = (geometry.ClassRows + rows - 1) / rows;
        // Few blocks are made a multiple of the workers.
        if (groups * blocks < 4 * workers && groups % workers != 0) blocks = Math.Min(geometry.ClassRows, (blocks + workers - 1) / workers * workers);
        _rows = (geometry.ClassRows + blocks - 1) / blocks;
        _perSample = (geometry.ClassRows + _rows - 1) / _rows;
        (this.From, this.To) = (From(_rows), To(_rows));
        int slack = 8 * lanes * lanes;
        FromFloats = this.From.Floats + slack;
        ToFloats = this.To.Floats + slack;

        Planes From(int rows) => new(geometry.Source.Channels, geometry.Source.Height, geometry.Source.Width, geometry.SourceStep, geometry.FirstRow, geometry.FirstColumn,
            rows + (geometry.LastRow - geometry.FirstRow) / geometry.SourceStep, geometry.ClassColumns + (geometry.LastColumn - geometry.FirstColumn) / geometry.SourceStep,
            _samples);

        // Lanes that are positions run on over the ends of rows, on both sides alike.
        Planes To(int rows) => new(geometry.Target.Channels, geometry.Target.Height, geometry.Target.Width, geometry.TargetStep, 0, 0, rows,
            _samples == 1 ? From(rows).Columns : geometry.ClassColumns, _samples);
    }

    /// <summary>Rows of all blocks but the last of a sample.</summary>
    public int Rows => _rows;

    public TapGeometry Geometry { get; }
    public Planes From { get; }
    public Planes To { get; }
    public long FromFloats { get; }
    public long ToFloats { get; }

    /// <summary>Everything a worker needs: both sides, 16 positions of the target's channels, and a position of zeros.</summary>
    public long Floats => FromFloats + ToFloats + 16L * To.Channels + Math.Max(From.Channels, To.Channels);

    /// <summary>Channels of the source of which the first cache holds all that a tile of eight vectors reads.</summary>
    public int FirstCacheChannels
    {
        get
        {
            (int tileRows, int tileColumns) = _samples > 1 && _rows > 1 ? (2, 4) : (1, 8);
            int rows = Geometry.LastRow - Geometry.FirstRow + 1 + (tileRows - 1) * Geometry.SourceStep;
            int columns = Geometry.LastColumn - Geometry.FirstColumn + 1 + (tileColumns - 1) * Geometry.SourceStep;
            return Math.Max(1, TileBytes / (rows * columns * (Simd.Width / 8)));
        }
    }

    /// <summary>
    /// Channels of the source in a block of taps: as many as the first cache takes (for a gradient: half of the second), or more, so that each line still has enough
    /// taps in a block to be worth taking up and putting down its results.
    /// </summary>
    public int ChannelBlock(long live)
    {
        long wanted = _sums ? (2 * From.Floats + s_budget - 1) / s_budget : (From.Channels + FirstCacheChannels - 1) / FirstCacheChannels;
        long worth = live / ((_sums ? SummedTogether : EnoughTaps) * (long)Geometry.Classes * To.Channels);
        int blocks = (int)Math.Max(1, Math.Min(wanted, worth));
        return (From.Channels + blocks - 1) / blocks;
    }

    public long Tasks(int batch) => (long)(batch + _samples - 1) / _samples * _perSample;

    /// <summary>Vectors that a tap meets.</summary>
    public double Vectors(int batch)
    {
        (int height, int width) = Extent(_rows);
        return (double)Tasks(batch) * height * width;
    }

    /// <summary>What the work of few blocks costs more because some workers have none.</summary>
    public double Idle(int batch, int workers)
    {
        long tasks = Tasks(batch);
        return (double)((tasks + workers - 1) / workers * workers) / tasks;
    }

    /// <summary>Tiles that a list of taps goes over, and the vectors of full tiles that cost as much as theirs.</summary>
    public (double Tiles, double Vectors) Tiled(int batch)
    {
        (int height, int width) = Extent(_rows);
        (int eight, int four, int one) = TapKernels.Tiles(height, width);
        double tasks = Tasks(batch);
        return (tasks * (eight + four + one), tasks * (8 * eight + SparseCost.TileOfFour * four + SparseCost.TileOfOne * one));
    }

    /// <summary>Tasks that are queued together: those of a sample or group of samples, each of which takes over rows from the one before, when there are enough of them.</summary>
    public int Together(int batch, int workers)
    {
        const int enough = 4; // a worker
        return (batch + _samples - 1) / _samples >= enough * workers ? _perSample : 1;
    }

    public Block At(long task)
    {
        int row = (int)(task % _perSample) * _rows;
        return new Block((int)(task / _perSample) * _samples, row, Math.Min(_rows, Geometry.ClassRows - row));
    }

    /// <summary>Rows and vectors a row that the kernels run over: one long row when lanes are positions.</summary>
    public (int Height, int Width) Extent(int rows)
    {
        if (_samples > 1) return (rows, Geometry.ClassColumns);
        int lanes = Simd.Width / 32;
        return (1, ((rows - 1) * From.Pitch + Geometry.ClassColumns + lanes - 1) / lanes);
    }
}
