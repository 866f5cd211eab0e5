using Asni.Cpu;
using Asni.Cpu.Convolution;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Golden;

namespace Asni.Tests.Cpu;

/// <summary>Convolutions by minimal filtering, on shapes where the cost model would not choose them too.</summary>
public class WinogradTests
{
    [TearDown]
    public void LetTheModelChoose() => Winograd.Forced = null;

    [TestCase(16, 16, 4, 4, 1)]
    [TestCase(16, 32, 8, 8, 1)]
    [TestCase(48, 16, 7, 9, 1)]
    [TestCase(32, 80, 5, 14, 1)]
    [TestCase(16, 16, 1, 1, 1)]
    [TestCase(64, 96, 2, 3, 1)]
    [TestCase(16, 32, 6, 6, 0)]
    [TestCase(32, 16, 3, 11, 0)]
    [TestCase(16, 16, 5, 6, 2)]
    [TestCase(128, 112, 6, 6, 1)]
    // Channels that do not fill vectors, on either side and both.
    [TestCase(11, 22, 5, 6, 1)]
    [TestCase(45, 45, 8, 8, 1)]
    [TestCase(16, 3, 4, 7, 1)]
    [TestCase(3, 16, 4, 7, 0)]
    [TestCase(1, 1, 3, 3, 2)]
    [TestCase(63, 127, 4, 4, 1)]
    public void All_passes_agree_with_the_reference(int inputs, int outputs, int height, int width, int padding)
    {
        Winograd.Forced = true;
        foreach (int batch in (int[])[1, 5])
        {
            var spec = new ConvolutionSpec(5, new Chw(inputs, height, width), new FilterShape(outputs, inputs, 3, 3), 1, padding, 1, true, Activation.Relu6, true, true);
            Assert.That(Winograd.Suits(spec));
            foreach (int threads in (int[])[1, 2, 3])
                new ConvolutionCase(spec, batch, Accumulate: batch == 5).AssertAgrees(new DeviceCase($"cpu, {threads} threads", () => new CpuDevice(threads)));
        }
    }

    /// <summary>Each place lies in the rows that would be fetched, and both ends of these are needed.</summary>
    [TestCase(8, 8, 1)]
    [TestCase(7, 9, 0)]
    [TestCase(5, 3, 2)]
    public unsafe void Rows_fetched_ahead_are_those_that_tiles_read_and_write(int height, int width, int padding)
    {
        Chw input = new(16, height, width), output = new(16, height + 2 * padding - 2, width + 2 * padding - 2);
        var tiles = new WinogradTiles(input, output, padding);
        float** places = stackalloc float*[WinogradTransforms.Points];
        for (long first = 0; first < 3 * tiles.Count; first++)
            for (long end = first; end <= 3 * tiles.Count; end++)
            {
                var (read, written) = (new HashSet<long>(), new HashSet<long>());
                for (long tile = first; tile < end; tile++)
                {
                    // Offsets by themselves: nothing is read.
                    tiles.Inputs(null, tile, (float*)-4, places);
                    for (int p = 0; p < WinogradTransforms.Points; p++)
                        if ((nint)places[p] != -4) read.Add((nint)places[p] / sizeof(float) / (width * 16));
                    tiles.Outputs(null, tile, (float*)-4, places);
                    for (int p = 0; p < WinogradTransforms.Outputs * WinogradTransforms.Outputs; p++)
                        if ((nint)places[p] != -4) written.Add((nint)places[p] / sizeof(float) / (output.Width * 16));
                }
                AssertSpans(tiles.InputRows(first, end), read, width * 16);
                AssertSpans(tiles.OutputRows(first, end), written, output.Width * 16);
            }
    }

    private static void AssertSpans((long Start, long Floats) rows, HashSet<long> used, int row) =>
        Assert.That(rows, Is.EqualTo(used.Count == 0 ? (rows.Start, 0L) : (used.Min() * row, (used.Max() + 1 - used.Min()) * row)));

    [Test]
    public void Many_blocks_of_tiles_agree_with_the_reference()
    {
        Winograd.Forced = true;
        var spec = new ConvolutionSpec(9, new Chw(16, 30, 33), new FilterShape(16, 16, 3, 3), 1, 1, 1, false, Activation.None, true, true);
        new ConvolutionCase(spec, 9, false).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(2)));
    }

    [Test]
    public void Equal_calls_give_equal_bits()
    {
        Winograd.Forced = true;
        var spec = new ConvolutionSpec(6, new Chw(32, 12, 12), new FilterShape(48, 32, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        var device = new DeviceCase("cpu", () => new CpuDevice(2));
        Outputs first = new ConvolutionCase(spec, 6, false).Run(device.Open(), null), second = new ConvolutionCase(spec, 6, false).Run(device.Open(), null);
        Outputs.AssertClose(first, second, 0, 0, "second run");
    }

    [Test]
    public void Networks_choose_it_for_their_large_layers_and_not_for_strides_or_groups()
    {
        ConvolutionSpec Spec(int batch, int inputs, int outputs, int size, int stride = 1, int kernel = 3) =>
            new(batch, new Chw(inputs, size, size), new FilterShape(outputs, inputs, kernel, kernel), stride, kernel / 2, 1, false, Activation.None, true, true);
        Assert.That(Winograd.Suits(Spec(60, 64, 64, 32)));
        Assert.That(Winograd.Suits(Spec(60, 64, 64, 32, stride: 2)), Is.False);
        Assert.That(Winograd.Suits(Spec(60, 64, 64, 32, kernel: 5)), Is.False);
        Assert.That(Winograd.Suits(Spec(60, 64, 64, 32) with { Filter = new FilterShape(64, 32, 3, 3), Groups = 2 }), Is.False);
        Assert.That(IsCheaper(Spec(60, 64, 64, 32)), "conv6");
        Assert.That(IsCheaper(Spec(60, 45, 45, 8)), "a pruned resnet20");
        Assert.That(IsCheaper(Spec(60, 3, 64, 32)), Is.False, "three channels do not fill a vector");
        Assert.That(IsCheaper(Spec(1, 512, 512, 2)), Is.False, "one small image: its filters cost more than they save");
    }

    [TestCase("conv6-cifar")]
    [TestCase("vgg11-cifar")]
    [TestCase("resnet20-cifar")]
    public void One_training_step_matches_PyTorch(string file)
    {
        Winograd.Forced = true;
        using var device = new CpuDevice(2);
        GoldenComparison.AssertMatches(device, file, spare: 1, relative: 1e-4);
    }

    private static bool IsCheaper(in ConvolutionSpec spec) => SparseCost.Dense(spec, spec.Batch) < SparseCost.Direct(spec, spec.Batch);
}
