using System.Text.RegularExpressions;
using Asni.Cuda;
using Asni.Cuda.Launchers;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cuda;

internal class ConvolutionTunerTests
{
    private static readonly ConvolutionSpec[] Layers =
    [
        Layer(256, 64, 56, 64, 3, 1, 1), Layer(256, 256, 14, 1024, 1, 1, 0), Layer(256, 512, 14, 512, 3, 2, 1), Layer(256, 2048, 1, 1000, 1, 1, 0),
        Layer(256, 3, 224, 64, 7, 2, 3),
        Layer(60, 784, 1, 300, 1, 1, 0), Layer(1, 1, 1, 1, 1, 1, 0),
    ];

    [TestCaseSource(nameof(Layers))]
    public void The_rule_gives_every_multiprocessor_work_where_there_is_enough(ConvolutionSpec spec)
    {
        ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
        foreach (CudaPrecision precision in Enum.GetValues<CudaPrecision>())
            foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
            {
                TileChoice choice = TileChoice.Default(precision, pass, shape, spec.Batch, 132, 227 << 10, true);
                MatrixProduct product = shape.ProductOf(pass, spec.Batch);
                long blocks = choice.Tile.Tiles(product) * product.Count * choice.Splits;
                long smallest = ConvolutionTile.For(precision, pass, shape).Max(t => t.Tiles(product)) * product.Count;
                int max = TileChoice.MaxSplits(choice.Tile, product);
                string name = $"{precision} {pass}: {choice}";
                using (Assert.EnterMultipleScope())
                {
                    Assert.That(choice.Splits, Is.InRange(1, max), name);
                    Assert.That(blocks, Is.GreaterThanOrEqualTo(Math.Min(66, smallest * Math.Min(max, 2))), name);
                }
            }
    }

    [TestCaseSource(nameof(Layers))]
    public void Tiles_fit_in_the_shared_memory_of_smaller_GPUs(ConvolutionSpec spec)
    {
        const int geforce = 99 << 10;
        ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
        foreach (CudaPrecision precision in Enum.GetValues<CudaPrecision>())
            foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                Assert.That(TileChoice.Default(precision, pass, shape, spec.Batch, 128, geforce, false).Tile.SharedBytes,
                    Is.LessThanOrEqualTo(geforce));
    }

    [TestCaseSource(nameof(Layers))]
    public void Candidates_begin_with_the_rule_and_fit_in_scratch_memory(ConvolutionSpec spec)
    {
        using var bench = new ConvolutionBench(CudaPrecision.Bf16);
        ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
        foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
        {
            TileChoice rule = bench.Runtime.Tuner.Rule(shape, pass, spec.Batch);
            List<ConvolutionChoice> candidates = bench.Runtime.Tuner.Candidates(shape, pass, spec.Batch, rule, true);
            TileChoice[] tiles = [.. candidates.OfType<TileChoice>()];
            bool first = shape.Channels % 8 != 0 && pass != ConvolutionPass.DataGradient && (pass == ConvolutionPass.Forward || shape.OutChannels % 8 == 0);
            string[] libraries = [.. candidates.OfType<LibraryChoice>().Select(c => c.ToString())];
            using (Assert.EnterMultipleScope())
            {
                bool product = shape.FilterHeight == 1 && shape.Stride == 1;
                if (!product && pass == ConvolutionPass.WeightGradient) Assert.That(libraries, Is.Empty, "cuDNN's are in bf16");
                else if (CudaDevice.IsSimulated) Assert.That(libraries, Is.EqualTo(new[] { product ? "cublas" : "cudnn" }));
                Assert.That(bench.Runtime.Tuner.Candidates(shape, pass, spec.Batch, rule, false), Is.EqualTo(candidates.Where(c => c is not LibraryChoice)));
                Assert.That(candidates[0], Is.EqualTo(rule));
                Assert.That(candidates.OfType<PaddedChoice>().Any(), Is.EqualTo(first), "channels are padded where they do not fill 16 bytes");
                Assert.That(candidates, Is.Unique);
                Assert.That(candidates.Select(c => c.ToString()), Is.Unique, "the cache tells them apart");
                Assert.That(tiles.Select(c => c.Tile).Distinct(), Is.EquivalentTo(ConvolutionTile.For(CudaPrecision.Bf16, pass, shape, wgmma: bench.Runtime.HasWgmma)));
                Assert.That(tiles.Select(c => TileProduct.PartialBytes(shape, pass, spec.Batch, c.Splits)),
                    Is.All.LessThanOrEqualTo(128L << 20));
            }
        }
    }

    [Test]
    public void A_measured_choice_is_remembered_and_an_unknown_one_measured_anew()
    {
        using var folder = new TemporaryFolder();
        using var bench = new ConvolutionBench(CudaPrecision.Tf32);
        string path = folder["tiles.json"];
        // The smallest layer with every kind of candidate: each is run a few times.
        ConvolutionShape shape = ConvolutionShape.FromSpec(Layer(2, 258, 1, 8, 1, 1, 0));
        var tuner = new ConvolutionTuner(bench.Runtime, new TuningCache(path));
        foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
        {
            ConvolutionChoice chosen = tuner.Choose(shape, pass, 2, true, pass == ConvolutionPass.Forward);
            Assert.That(tuner.Candidates(shape, pass, 2, tuner.Rule(shape, pass, 2), true), Does.Contain(chosen));
            Assert.That(File.ReadAllText(path), Does.Contain($"tf32 {pass}").And.Contains(chosen.ToString()));
        }
        // Another choice in the file is taken over as it stands; one that no kernel has is not.
        List<ConvolutionChoice> candidates = tuner.Candidates(shape, ConvolutionPass.Forward, 2, tuner.Rule(shape, ConvolutionPass.Forward, 2), true);
        Assert.That(candidates, Has.Some.TypeOf<LibraryChoice>().And.Some.TypeOf<PaddedChoice>());
        Assert.That(candidates.OfType<TileChoice>().Select(c => c.Splits), Has.Some.EqualTo(1).And.Some.GreaterThan(1));
        string[] names = [.. candidates.Select(c => c.ToString())];
        ConvolutionChoice Again(string instead)
        {
            File.WriteAllText(path, Regex.Replace(File.ReadAllText(path), "(Forward[^:]*: \")[^\"]*", "${1}" + instead));
            return new ConvolutionTuner(bench.Runtime, new TuningCache(path)).Choose(shape, ConvolutionPass.Forward, 2, true, true);
        }
        Assert.That(names.Select(name => Again(name).ToString()), Is.EqualTo(names));
        Assert.That(names, Does.Contain(Again("9x9/1").ToString()));
    }

    [Test]
    public void What_is_remembered_is_there_for_the_next_process()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "deeper", "tiles.json");
        var cache = new TuningCache(path);
        Assert.That(cache.Find("gpu", "layer"), Is.Null);
        cache.Add("gpu", "layer", "128x64/2");
        new TuningCache(path).Add("other gpu", "layer", "64x64/1");
        var next = new TuningCache(path);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(next.Find("gpu", "layer"), Is.EqualTo("128x64/2"));
            Assert.That(next.Find("other gpu", "layer"), Is.EqualTo("64x64/1"));
            Assert.That(next.Find("gpu", "other layer"), Is.Null);
        }
    }

    [Test]
    public void A_damaged_file_counts_as_empty_and_is_written_anew()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "tiles.json");
        File.WriteAllText(path, "{\"gpu\": {\"layer\":");
        var cache = new TuningCache(path);
        Assert.That(cache.Find("gpu", "layer"), Is.Null);
        cache.Add("gpu", "layer", "64x64/1");
        Assert.That(new TuningCache(path).Find("gpu", "layer"), Is.EqualTo("64x64/1"));
    }

    [Test]
    public void A_file_that_cannot_be_written_is_done_without()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, "");
        var cache = new TuningCache(Path.Combine(file, "tiles.json"));
        cache.Add("gpu", "layer", "64x64/1");
        Assert.That(cache.Find("gpu", "layer"), Is.EqualTo("64x64/1"));
    }

    [Test]
    public void A_batch_too_long_for_the_kernels_names_one_that_fits()
    {
        ConvolutionSpec spec = Layer(1024, 64, 224, 64, 3, 1, 1);
        Assert.That(() => ConvolutionShape.FromSpec(spec), Throws.InstanceOf<AsniException>().With.Message.Contains("at most 668"));
    }

    private static ConvolutionSpec Layer(int batch, int channels, int size, int outputs, int kernel, int stride, int padding) =>
        new(batch, new Chw(channels, size, size), new FilterShape(outputs, channels, kernel, kernel), stride, padding, 1, false,
            Activation.None, true, true);
}
