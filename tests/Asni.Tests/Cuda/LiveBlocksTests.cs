using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Cuda;

/// <summary>The blocks of 64 outputs by 64 filter elements that kernels pass over, against plain loops over the mask.</summary>
internal class LiveBlocksTests
{
    /// <summary>Rows that begin anywhere in a word, extents that fill no block or just fill it, and more blocks in a row than a word has bits.</summary>
    private static readonly FilterShape[] Filters =
    [
        new(64, 64, 3, 3), new(130, 7, 3, 3), new(70, 33, 1, 1), new(200, 100, 1, 1), new(65, 5, 5, 5), new(3, 2100, 1, 1), new(1, 300, 3, 3), new(128, 40, 2, 2),
    ];

    private ConvolutionBench _bench = null!;

    [SetUp]
    public void Open() => _bench = new ConvolutionBench(CudaPrecision.Fp32);

    [TearDown]
    public void Close() => _bench?.Dispose();

    [TestCaseSource(nameof(Filters))]
    public void A_block_lives_when_one_of_its_weights_does(FilterShape filter)
    {
        // What lies before and behind lives: a bit too many that is read shows.
        using CudaParameters parameters = _bench.Parameters(new FilterShape(5, 1, 1, 1), filter, new FilterShape(300, 1, 1, 1));
        using LiveBlocks blocks = Blocks(filter);
        int places = 0;
        foreach (double share in (double[])[0.2, 0.5, 0.9])
        {
            Mask mask = OneWeightABlock(filter, share, seed: (ulong)(filter.Out * 10 + share * 10));
            AssertBlocks(parameters, blocks, filter, mask);
            if (blocks.Address != 0) places++;
        }
        Assert.That(places, Is.Positive);
    }

    [TestCaseSource(nameof(Filters))]
    public void Without_a_live_weight_no_block_lives(FilterShape filter)
    {
        using CudaParameters parameters = _bench.Parameters(new FilterShape(5, 1, 1, 1), filter, new FilterShape(300, 1, 1, 1));
        using LiveBlocks blocks = Blocks(filter);
        AssertBlocks(parameters, blocks, filter, new Mask(parameters.Parameters[1].Elements, live: false));
        Assert.That(blocks.Address, Is.Not.Zero);
    }

    [Test]
    public void Scattered_weights_leave_no_block_worth_passing_over()
    {
        var filter = new FilterShape(96, 24, 3, 3);
        using CudaParameters parameters = _bench.Parameters(new FilterShape(5, 1, 1, 1), filter);
        using LiveBlocks blocks = Blocks(filter);
        AssertBlocks(parameters, blocks, filter, Values.Mask(1, parameters.Parameters[1].Elements, 0.05));
        Assert.That(blocks.Address, Is.Zero);
    }

    [Test]
    public void A_removed_mask_leaves_all_blocks_alive_where_they_were()
    {
        var filter = new FilterShape(100, 90, 1, 1);
        using CudaParameters parameters = _bench.Parameters(filter);
        using LiveBlocks blocks = Blocks(filter);
        blocks.Set(parameters.MaskAddress(0));
        Assert.That(blocks.Address, Is.Zero);
        parameters.SetMask(0, new Mask(parameters.Parameters[0].Elements, live: false));
        blocks.Set(parameters.MaskAddress(0));
        ulong before = blocks.Address;
        parameters.SetMask(0, null);
        blocks.Set(parameters.MaskAddress(0));
        Assert.That(blocks.Address, Is.Zero);
        Assert.That(Read(before, 2 * blocks.Words), Is.All.EqualTo(uint.MaxValue));
    }

    private LiveBlocks Blocks(FilterShape filter) => new(_bench.Runtime, filter.Out, filter.FanIn);

    private void AssertBlocks(CudaParameters parameters, LiveBlocks blocks, FilterShape filter, Mask mask)
    {
        parameters.SetMask(1, mask);
        blocks.Set(parameters.MaskAddress(1));
        int rows = (filter.Out + 63) / 64, columns = (filter.FanIn + 63) / 64, positions = filter.Height * filter.Width;
        var expected = new uint[rows * blocks.Words];
        long j = 0;
        for (int output = 0; output < filter.Out; output++)
            for (int input = 0; input < filter.In; input++)
                for (int position = 0; position < positions; position++)
                {
                    int column = (position * filter.In + input) / 64;
                    if (mask[j++]) expected[output / 64 * blocks.Words + column / 32] |= 1u << (column % 32);
                }
        int live = expected.Sum(word => System.Numerics.BitOperations.PopCount(word));
        Assert.That(blocks.Address != 0, Is.EqualTo(live * 16 <= rows * columns * 15), $"{live} blocks of {rows} x {columns}");
        if (blocks.Address != 0) Assert.That(Read(blocks.Address, expected.Length), Is.EqualTo(expected));
    }

    /// <summary>A mask in which each block lives with this probability, by one weight anywhere in it.</summary>
    private static Mask OneWeightABlock(FilterShape filter, double share, ulong seed)
    {
        var random = new SplitMix64(seed);
        var mask = new Mask((long)filter.Out * filter.FanIn, live: false);
        int positions = filter.Height * filter.Width;
        for (int row = 0; row < filter.Out; row += 64)
            for (int column = 0; column < filter.FanIn; column += 64)
            {
                if (random.NextDouble() >= share) continue;
                int output = row + (int)(random.NextDouble() * Math.Min(64, filter.Out - row));
                int element = column + (int)(random.NextDouble() * Math.Min(64, filter.FanIn - column));
                mask[(long)output * filter.FanIn + element % filter.In * positions + element / filter.In] = true;
            }
        return mask;
    }

    private uint[] Read(ulong from, int count)
    {
        var words = new uint[count];
        _bench.Runtime.Stream.Download<uint>(words, from);
        return words;
    }
}
