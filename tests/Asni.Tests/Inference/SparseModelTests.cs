using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Inference;
using Asni.Networks;
using Asni.Runs;
using Asni.Tensors;

namespace Asni.Tests.Inference;

/// <summary>Inference for applications, against a plan of the network as it was trained.</summary>
[NonParallelizable]
public class SparseModelTests
{
    [TestCase("lenet300", "1x28x28")]
    [TestCase("conv2", "3x16x16")]
    [TestCase("resnet20", "3x16x16")]
    [TestCase("resnet18", "3x32x32")]
    [TestCase("mobilenet_v2", "3x32x32")]
    public void Logits_are_those_of_the_trained_network(string name, string input)
    {
        using var folder = new TemporaryFolder();
        Network net = NetworkZoo.Create(name, Parse(input), 10);
        string file = Write(folder, net, out TrainedNetwork weights);
        float[] images = SparseNetworks.Images(3 * net.Input.Elements, 4);
        using var modelDevice = new CpuDevice(2);
        using var model = SparseModel.Load(file, modelDevice, maxBatchSize: 4);
        var actual = new float[30];
        model.Run(images, actual);

        using var device = new CpuDevice(1);
        using var trained = new Model(net, device);
        trained.Load(new TrainedNetwork(net, weights.Values, weights.Masks));
        using var plan = new Plan(trained, 3, training: false);
        var expected = new float[30];
        plan.Load(images, new int[3]);
        plan.RunEvaluation();
        plan.ReadLogits(expected);
        float scale = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++) Assert.That(actual[i], Is.EqualTo(expected[i]).Within(1e-4 * scale), $"logit {i}");
        Assert.That(model.Sparsity, Is.EqualTo(trained.Sparsity));
        int best = Array.IndexOf(expected, expected[..10].Max());
        Assert.That(model.Predict(images.AsSpan(0, net.Input.Elements)), Is.EqualTo(best));
    }

    [TestCase("resnet20", 16)]
    [TestCase("mobilenet_v2", 32)]
    public void Nothing_is_allocated_after_the_first_call(string name, int size)
    {
        using var folder = new TemporaryFolder();
        Network net = NetworkZoo.Create(name, new Chw(3, size, size), 10);
        using var modelDevice = new CpuDevice(1);
        using var model = SparseModel.Load(Write(folder, net, out _), modelDevice);
        float[] image = SparseNetworks.Images(net.Input.Elements, 1);
        for (int i = 0; i < 3; i++) model.Predict(image);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++) model.Predict(image);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var folder = new TemporaryFolder();
        Network net = NetworkZoo.Create("lenet300", new Chw(1, 28, 28), 10);
        using var modelDevice = new CpuDevice(1);
        using var model = SparseModel.Load(Write(folder, net, out _), modelDevice, maxBatchSize: 2);
        Assert.That(() => model.Run(new float[784 * 3], new float[30]), Throws.ArgumentException.With.Message.Contains("1 to 2 images"));
        Assert.That(() => model.Run(new float[783], new float[10]), Throws.ArgumentException.With.Message.Contains("783"));
        Assert.That(() => model.Run(new float[784], new float[11]), Throws.ArgumentException.With.Message.Contains("11 logits"));
        Assert.That(() => model.Predict(new float[5]), Throws.ArgumentException);
        string empty = Directory.CreateDirectory(folder["empty"]).FullName;
        Assert.That(() => RunInference.LoadModel(empty, modelDevice), Throws.InstanceOf<AsniException>().With.Message.Contains("holds no network"));
        Assert.That(() => SparseModel.Load(empty, modelDevice), Throws.InstanceOf<AsniException>().With.Message.Contains("is a folder; a file was expected"));
        Assert.That(() => SparseModel.Load(Path.Combine(folder.Path, "missing"), modelDevice), Throws.InstanceOf<AsniException>());
    }

    /// <summary>Whoever made a device disposes of it: a model that is gone, or was never made, leaves it as it was.</summary>
    [Test]
    public void A_device_stays_its_maker_s([Values] bool sparse)
    {
        using var folder = new TemporaryFolder();
        Network net = NetworkZoo.Create("lenet300", new Chw(1, 4, 4), 3);
        string file = Write(folder, net, out TrainedNetwork weights);
        using var device = new CpuDevice(2);
        float[] image = SparseNetworks.Images(net.Input.Elements, 1);
        for (int round = 0; round < 2; round++)
        {
            using IDisposable model = sparse ? SparseModel.Load(file, device) : new Model(net, device);
            if (model is SparseModel runs) Assert.That(runs.Predict(image), Is.InRange(0, 2));
            else ((Model)model).Load(weights);
        }
        Assert.That(() => SparseModel.Load(folder["missing"], device), Throws.InstanceOf<AsniException>());
        Assert.That(() => SparseModel.Create(weights, device, maxBatchSize: 0), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => ImageClassifier.Create(weights, device, Datasets.Describe("cifar10")), Throws.InstanceOf<UsageException>());
        Assert.That(() => RunInference.LoadClassifier(folder["missing"], device), Throws.InstanceOf<AsniException>());
        using var last = new Model(net, device);
        last.Load(weights);
        Assert.That(last.TakeSnapshot().ComputeSha256(), Is.EqualTo(weights.ComputeSha256()));
    }

    private static Chw Parse(string text)
    {
        int[] sizes = [.. text.Split('x').Select(int.Parse)];
        return new Chw(sizes[0], sizes[1], sizes[2]);
    }

    private static string Write(TemporaryFolder folder, Network net, out TrainedNetwork weights)
    {
        TrainedNetwork pruned = SparseNetworks.Prune(net, 0.1);
        weights = pruned;
        string file = Path.Combine(folder.Path, "network.safetensors");
        NetworkFile.Write(file, weights, "asni1");
        return file;
    }
}
