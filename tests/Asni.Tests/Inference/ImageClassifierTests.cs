using System.Buffers.Binary;
using Asni.Cpu;
using Asni.Data;
using Asni.Inference;
using Asni.Methods;
using Asni.Networks;
using Asni.Runs;
using Asni.Tensors;
using Asni.Tests.Host;

namespace Asni.Tests.Inference;

public class ImageClassifierTests
{
    /// <summary>Images of a dataset of one size, saved as files, are classified as evaluation does: on their own pixels.</summary>
    [TestCase("lenet300", "digits")]
    [TestCase("resnet20", "shapes")]
    public void Files_of_a_datasets_images_get_the_classes_of_evaluation(string network, string dataset)
    {
        using var folder = new TemporaryFolder();
        CommandLine.Outcome run = CommandLine.Run("--net", network, "--data", dataset, "--limit", "300", "--epochs", "2", "--sparsity", "0.5", "--method", "asni1", "--threads", "1", "--out", folder["run"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using CpuDevice device = new(1), another = new(1);
        using var classifier = RunInference.LoadClassifier(folder["run"], device);
        using var model = RunInference.LoadModel(folder["run"], another);
        Dataset data = Datasets.Open(dataset, new DatasetLocator(null, null, "data", "cache"), new SyntheticOptions { TrainCount = 20, TestCount = 20 }).Test;
        var pixels = new byte[data.Shape.Elements];
        var image = new float[pixels.Length];
        for (int i = 0; i < 20; i++)
        {
            data.Read(i, pixels);
            File.WriteAllBytes(folder["image.bmp"], Bitmap(pixels, data.Shape));
            data.Normalization.Apply(pixels, image);
            IReadOnlyList<ClassGuess> guesses = classifier.Classify(folder["image.bmp"], 10);
            int expected = model.Predict(image);
            Assert.That((guesses[0].Class, guesses[0].Name), Is.EqualTo((expected, data.GetClassName(expected))), $"image {i}");
            Assert.That(guesses.Sum(g => g.Probability), Is.EqualTo(1).Within(1e-9));
        }
    }

    [Test]
    public void Threads_at_the_same_time_get_what_one_gets()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Outcome run = CommandLine.Run("--net", "lenet300", "--data", "digits", "--limit", "300", "--epochs", "2", "--sparsity", "0.5", "--method", "asni1", "--threads", "1", "--out", folder["run"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using var classifierDevice = new CpuDevice(2);
        using var classifier = RunInference.LoadClassifier(folder["run"], classifierDevice, maxConcurrency: 3);
        var pixels = new byte[classifier.Input.Elements];
        ClassGuess[][] expected = [.. Enumerable.Range(0, 8).Select(i =>
        {
            new Random(i).NextBytes(pixels);
            File.WriteAllBytes(folder[$"{i}.bmp"], Bitmap(pixels, classifier.Input));
            return classifier.Classify(folder[$"{i}.bmp"], 10).ToArray();
        })];
        Parallel.For(0, 800, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            if (i % 50 == 49) Assert.That(() => classifier.Classify(folder["missing.bmp"]), Throws.InstanceOf<AsniException>());
            Assert.That(classifier.Classify(folder[$"{i % 8}.bmp"], 10), Is.EqualTo(expected[i % 8]));
        });
    }

    [Test]
    public void A_network_in_memory_goes_with_the_summary_that_fits_it()
    {
        var run = new RunSummary("runs/a", "tiny", "cats", 1, 1, "", [], null) { Normalization = new Normalization([0.5f], [0.5f]), ClassNames = ["cat", "dog"] };
        using var device = new CpuDevice(1);
        ImageClassifier CreateClassifier(int channels, RunSummary summary)
        {
            Network network = new NetworkBuilder("tiny", new Chw(channels, 4, 4)).Linear("fc", 2).Build();
            return ImageClassifier.Create(MethodRunner.CreateInitialWeights(network, 1), device, summary.DescribeImages());
        }
        byte[] image = Bitmap(new byte[16], new Chw(1, 4, 4));
        using (ImageClassifier classifier = CreateClassifier(1, run))
            Assert.That(classifier.ClassifyBytes(image, "it").Select(g => g.Name), Is.EquivalentTo(run.ClassNames));
        Assert.That(() => CreateClassifier(3, run), Throws.TypeOf<UsageException>().With.Message.Contains("The images have 1 channels, of which there can be 1 or 3; the network reads 3x4x4"));
        Assert.That(() => CreateClassifier(1, run with { Normalization = null }), Throws.TypeOf<AsniException>().With.Message.Contains("does not say how images were normalized"));
    }

    /// <summary>24-bit BMP; one channel as grey.</summary>
    private static byte[] Bitmap(byte[] chw, Chw shape)
    {
        (int channels, int height, int width) = (shape.Channels, shape.Height, shape.Width);
        int pitch = (3 * width + 3) / 4 * 4;
        var file = new byte[54 + pitch * height];
        (file[0], file[1]) = ((byte)'B', (byte)'M');
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(2), file.Length);
        foreach ((int at, int value) in ((int, int)[])[(10, 54), (14, 40), (18, width), (22, height)]) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        (file[26], file[28]) = (1, 24);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 3; c++)
                    // Blue first, from the lowest row up.
                    file[54 + (height - 1 - y) * pitch + 3 * x + 2 - c] = chw[(Math.Min(c, channels - 1) * height + y) * width + x];
        return file;
    }
}
