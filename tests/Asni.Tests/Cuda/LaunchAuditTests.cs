using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cuda;

/// <summary>
/// Every launch that the device can ask for is within the limits of the GPU, by what ptxas says that each kernel takes; needs no GPU. The figures are those of this
/// build where it had ptxas, else of registers.txt.
/// </summary>
public class LaunchAuditTests
{
    /// <summary>A GPU and the architecture whose PTX it gets.</summary>
    /// <param name="Name">As NUnit shows it.</param>
    /// <param name="Architecture">Of the PTX.</param>
    /// <param name="BlockBytes">Shared memory that a block may ask for.</param>
    /// <param name="Bytes">Shared memory of a multiprocessor.</param>
    /// <param name="Threads">Of a multiprocessor.</param>
    /// <param name="Multiprocessors">Of the GPU.</param>
    public sealed record Gpu(string Name, string Architecture, int BlockBytes, int Bytes, int Threads, int Multiprocessors)
    {
        public override string ToString() => Name;
    }

    private const int Registers = 65_536, MaxThreads = 1024, StaticBytes = 48 << 10, BytesOfSystem = 1024, MaxRegisters = 255;

    private static readonly Gpu[] s_gpus =
    [
        new("A100", "sm_80", 163 << 10, 164 << 10, 2048, 108),
        new("GeForce", "sm_80", 99 << 10, 100 << 10, 1536, 170),
        new("H100", "sm_90a", 227 << 10, 228 << 10, 2048, 132),
    ];

    private static readonly CudaPrecision[] s_precisions = Enum.GetValues<CudaPrecision>();
    private static readonly ConvolutionPass[] s_passes = Enum.GetValues<ConvolutionPass>();

    private static List<KernelFigures> Kernels(string architecture)
    {
        CudaTest.RequirePtx();
        List<KernelFigures> kernels = KernelFigures.Read(architecture, out List<string> missing);
        Assert.That(missing, Is.Empty, string.Join("\n", missing));
        return kernels;
    }

    [Test]
    public void A_block_of_every_kernel_fits([Values("sm_80", "sm_90a")] string architecture)
    {
        List<KernelFigures> kernels = Kernels(architecture);
        Assert.Multiple(() =>
        {
            Assert.That(kernels, Has.Count.GreaterThan(100));
            foreach (KernelFigures kernel in kernels)
            {
                Assert.That(kernel.Threads, Is.InRange(1, MaxThreads), $"{kernel.Name}: threads");
                Assert.That(RegistersOfWarp(kernel.Registers) * ((kernel.Threads + 127) / 128 * 4), Is.LessThanOrEqualTo(Registers), $"{kernel.Name}: {kernel.Registers} registers of {kernel.Threads} threads");
                Assert.That(kernel.StaticSharedBytes, Is.LessThanOrEqualTo(StaticBytes), $"{kernel.Name}: static shared memory");
            }
        });
    }

    [Test]
    public void Every_launch_fits([ValueSource(nameof(s_gpus))] Gpu gpu)
    {
        List<KernelFigures> kernels = Kernels(gpu.Architecture);
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (KernelFigures kernel in kernels)
        {
            PossibleLaunch[] launches = [.. LargestLaunches.Find(kernel.Name, gpu.Multiprocessors, gpu.BlockBytes)];
            bool tooLarge = ConvolutionTile.All.Any(t => s_passes.Any(p => t.KernelName(p) == kernel.Name && t.SharedBytes + t.StaticSharedBytes(p) > gpu.BlockBytes));
            if (launches.Length == 0 && !tooLarge) wrong.Add($"{kernel.Name}: nobody knows how it is launched; say so in LargestLaunches.cs");
            foreach (PossibleLaunch launch in launches) wrong.UnionWith(Faults(kernel, launch, gpu));
        }
        Assert.That(wrong, Is.Empty, string.Join("\n", wrong));
    }

    /// <summary>
    /// More blocks than shared memory has room for would cost registers for nothing, unless as many fit at the most registers that a thread can have.
    /// It is the launch of the least shared memory that counts: a tile's bounds may be for layers that fill few of its stages. The bounds are for the GPUs that an architecture is named after: smaller ones hold fewer blocks.
    /// </summary>
    [Test]
    public void Launch_bounds_ask_for_no_more_blocks_than_fit([Values("A100", "H100")] string name)
    {
        Gpu gpu = s_gpus.Single(g => g.Name == name);
        var wrong = new List<string>();
        foreach (KernelFigures kernel in Kernels(gpu.Architecture))
        {
            int dynamicBytes = LargestLaunches.Find(kernel.Name, gpu.Multiprocessors, gpu.BlockBytes).Select(launch => launch.DynamicBytes).DefaultIfEmpty().Min();
            bool free = kernel.Blocks <= BlocksInRegisters(kernel with { Registers = MaxRegisters });
            int fitting = Math.Min(BlocksInRegisters(kernel), gpu.Threads / kernel.Threads);
            if (!free) fitting = Math.Min(fitting, gpu.Bytes / (kernel.SharedBytes(dynamicBytes) + BytesOfSystem));
            if (kernel.Blocks <= fitting) continue;
            wrong.Add($"{kernel.Name} asks for {kernel.Blocks} blocks a multiprocessor, {fitting} fit: {kernel.Registers} registers, {kernel.Threads} threads, "
                + $"{kernel.StaticSharedBytes} bytes of static and {dynamicBytes} of dynamic shared memory");
        }
        Assert.That(wrong, Is.Empty, string.Join("\n", wrong));
    }

    [Test]
    public void Tiles_know_their_static_shared_memory_and_are_all_compiled()
    {
        Dictionary<string, KernelFigures[]> kernels = new[] { "sm_80", "sm_90a" }.SelectMany(Kernels).GroupBy(k => k.Name).ToDictionary(g => g.Key, g => g.ToArray());
        Assert.Multiple(() =>
        {
            foreach (ConvolutionTile tile in ConvolutionTile.All)
            {
                foreach (ConvolutionPass pass in s_passes)
                {
                    string name = tile.KernelName(pass);
                    Assert.That(kernels, Does.ContainKey(name));
                    foreach (KernelFigures kernel in kernels.GetValueOrDefault(name, []))
                        Assert.That(tile.SharedBytes + tile.StaticSharedBytes(pass), Is.GreaterThanOrEqualTo(kernel.SharedBytes(tile.SharedBytes)), name);
                }
            }
        });
    }

    /// <summary>By the rule or among the tuner's candidates; each layer has a tile on each GPU.</summary>
    [Test]
    public void Only_tiles_that_the_GPU_can_hold_are_chosen([ValueSource(nameof(s_gpus))] Gpu gpu, [ValueSource(nameof(s_precisions))] CudaPrecision precision)
    {
        Dictionary<string, KernelFigures> kernels = Kernels(gpu.Architecture).ToDictionary(kernel => kernel.Name);
        bool wgmma = gpu.Architecture == "sm_90a";
        Assert.Multiple(() =>
        {
            foreach ((ConvolutionShape shape, int samples) in LargestLaunches.Shapes.Where(s => !s.Shape.IsDepthwise).DistinctBy(s =>
                (s.Shape.GroupChannels % 8, s.Shape.GroupOutChannels % 8, Math.Min(s.Shape.GroupOutChannels, 512), s.Samples == 1)))
            {
                foreach (ConvolutionPass pass in s_passes)
                {
                    ConvolutionTile[] tiles = [.. ConvolutionTile.For(precision, pass, shape, gpu.BlockBytes, wgmma)];
                    Assert.That(tiles, Is.Not.Empty, $"{pass} of {shape}");
                    foreach (ConvolutionTile tile in tiles)
                    {
                        Assert.That(kernels, Does.ContainKey(tile.KernelName(pass)));
                        Assert.That(kernels[tile.KernelName(pass)].SharedBytes(tile.SharedBytes), Is.LessThanOrEqualTo(gpu.BlockBytes), tile.KernelName(pass));
                    }
                    Assert.That(tiles, Does.Contain(TileChoice.Default(precision, pass, shape, samples, gpu.Multiprocessors, gpu.BlockBytes, wgmma).Tile));
                }
            }
        });
    }

    [TestCase(131_072, 131_072, 1, 1, 65_536, "65536 groups and stride 1 makes more than the 65535 products")]
    [TestCase(8, 8, 3, 256, 1, "1 groups and stride 256 makes more than the 65535 products")]
    [TestCase(8, 8, 3, 70_000, 1, "1 groups and stride 70000 makes more")]
    [TestCase(32_768, 32_768, 3, 2, 16_384, "16384 groups and stride 2 makes more")]
    [TestCase(4, 4, 257, 1, 4, "a depthwise filter of 257x257 is larger than the 65535 taps")]
    public void A_convolution_of_more_products_than_a_grid_has_places_is_refused(int channels, int outputs, int filter, int stride, int groups, string reason)
    {
        var spec = new ConvolutionSpec(1, new Chw(channels, 3, 3), new FilterShape(outputs, channels / groups, filter, filter), stride, filter / 2, groups,
            false, Activation.None, true, true);
        Assert.That(() => ConvolutionShape.FromSpec(spec), Throws.InstanceOf<AsniException>().With.Message.Contains(reason));
    }

    [TestCase(16_384, 1, 1)]
    [TestCase(1, 16_380, 7)]
    public void A_side_whose_pixels_do_not_fit_16_bits_is_refused(int height, int width, int filter)
    {
        var spec = new ConvolutionSpec(1, new Chw(1, height, width), new FilterShape(1, 1, filter, filter), 2, filter / 2, 1, false, Activation.None, true, true);
        Assert.That(() => ConvolutionShape.FromSpec(spec), Throws.InstanceOf<AsniException>().With.Message.Contains("is more than the 16384"));
    }

    [TestCase(65_535 * 32 + 1, 1, "2,097,121 channels is wider than the 2,097,120")]
    [TestCase(65_535 * 32 * 8 + 8, 8, "is wider than the 16,776,960")]
    public void A_layer_of_more_channels_than_a_grid_has_places_is_refused(int channels, int width, string reason)
    {
        Assert.That(() => new ChannelBlocks(channels, width), Throws.InstanceOf<AsniException>().With.Message.Contains(reason));
        Assert.That(new ChannelBlocks(channels - width, width).Count, Is.EqualTo(Dim3.MaxYZ));
    }

    private static IEnumerable<string> Faults(KernelFigures kernel, PossibleLaunch launch, Gpu gpu)
    {
        (int x, int y, int z) = launch.Grid;
        if (x < 1 || y is < 1 or > Dim3.MaxYZ || z is < 1 or > Dim3.MaxYZ) yield return $"{kernel.Name}: a grid of {x} x {y} x {z} blocks";
        if (launch.Threads != kernel.Threads) yield return $"{kernel.Name}: launched with {launch.Threads} threads, compiled for {kernel.Threads}";
        int shared = kernel.SharedBytes(launch.DynamicBytes);
        if (shared > gpu.BlockBytes) yield return $"{kernel.Name}: {shared} bytes of shared memory where the GPU has {gpu.BlockBytes}";
        // What the driver gives without asking is for static and dynamic together.
        if (shared > StaticBytes && launch.DynamicBytes <= CudaKernel.DynamicSharedForAll(shared - launch.DynamicBytes))
            yield return $"{kernel.Name}: {shared} bytes of shared memory without asking for more than {StaticBytes}";
    }

    private static int RegistersOfWarp(int registers) => (registers * 32 + 255) / 256 * 256;

    /// <summary>Blocks that the registers of a multiprocessor hold: a warp has them in units of 256, in one of four parts.</summary>
    private static int BlocksInRegisters(KernelFigures kernel) => 4 * (Registers / 4 / RegistersOfWarp(kernel.Registers)) / ((kernel.Threads + 31) / 32);
}
