using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Inference;
using Asni.Networks;
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
        using var model = SparseModel.Load(file, new CpuDevice(2), maximalBatch: 4);
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

    [Test]
    public void Nothing_is_allocated_after_the_first_call()
    {
        using var folder = new TemporaryFolder();
        Network net = NetworkZoo.Create("resnet20", new Chw(3, 16, 16), 10);
        using var model = SparseModel.Load(Write(folder, net, out _), new CpuDevice(1));
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
        using var model = SparseModel.Load(Write(folder, net, out _), new CpuDevice(1), maximalBatch: 2);
        Assert.That(() => model.Run(new float[784 * 3], new float[30]), Throws.ArgumentException.With.Message.Contains("1 to 2 images"));
        Assert.That(() => model.Run(new float[783], new float[10]), Throws.ArgumentException.With.Message.Contains("783"));
        Assert.That(() => model.Run(new float[784], new float[11]), Throws.ArgumentException.With.Message.Contains("11 logits"));
        Assert.That(() => model.Predict(new float[5]), Throws.ArgumentException);
        Assert.That(() => SparseModel.Load(Directory.CreateDirectory(folder["empty"]).FullName, new CpuDevice(1)), Throws.InstanceOf<AsniException>().With.Message.Contains("holds no network"));
        Assert.That(() => SparseModel.Load(Path.Combine(folder.Path, "missing"), new CpuDevice(1)), Throws.InstanceOf<AsniException>());
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
