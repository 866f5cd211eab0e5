using System.Collections.Concurrent;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Engine;
using Asni.Tests.Golden;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

/// <summary>Whole training steps on networks without golden numbers: joins of all kinds, MobileNetV2, and masks.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class NetworkTests(DeviceCase device)
{
    private static readonly ConcurrentDictionary<(string, double), Lazy<Dictionary<string, float[]>>> Expected = [];

    [Test]
    public void Small_networks_agree_with_the_reference([ValueSource(typeof(SmallNetworks), nameof(SmallNetworks.Names))] string name,
        [Values(1, 0.1)] double density) =>
        AssertAgrees(SmallNetworks.Create(name), density, fullBefore: true);

    [Test]
    public void MobileNetV2_agrees_with_the_reference() => AssertAgrees(NetworkZoo.Create("mobilenet_v2", new Chw(3, 64, 64), 10), 1);

    /// <summary>
    /// Distances relative to the norm of what is compared: single elements of a gradient that went through many layers may cancel. The
    /// floor is for gradients that are rounding only: biases before a batch-norm, and channels of which every weight is pruned, where a
    /// batch-norm multiplies rounding by 1 / sqrt(epsilon), about 300.
    /// </summary>
    /// <param name="fullBefore">The device runs a full batch of other data first: nothing of it may show in the batch that is not full.</param>
    private void AssertAgrees(Network network, double density, bool fullBefore = false)
    {
        Dictionary<string, float[]> expected = Expected.GetOrAdd((network.Name, density), _ => new(() => Step(new ReferenceDevice(), network, density))).Value;
        Dictionary<string, float[]> actual = Step(device.Create(), network, density, fullBefore);
        double largest = expected.Values.Max(Norm);
        foreach ((string name, float[] values) in expected)
        {
            double distance = Norm([.. values.Zip(actual[name], (a, b) => a - b)]);
            Assert.That(distance, Is.LessThanOrEqualTo(1e-3 * Norm(values) + 1e-5 * largest), $"{network.Name}: {name}");
        }
    }

    /// <summary>Logits, gradients (of live weights), running statistics, and the logits of an inference after them.</summary>
    private static Dictionary<string, float[]> Step(Device opened, Network network, double density, bool fullBefore = false)
    {
        using Device device = opened;
        const int batch = 4;
        using var model = new Model(network, device);
        void Initialize()
        {
            GoldenComparison.Initialize(model);
            if (density < 1)
                foreach (Parameter p in network.Weights) model.Parameters.SetMask(p.Index, Values.Mask((ulong)p.Index, p.Elements, density));
        }
        Initialize();

        var results = new Dictionary<string, float[]>();
        using var training = new Plan(model, batch + 1, training: true, 0.1f);
        using var inference = new Plan(model, batch + 1, training: false);
        if (fullBefore)
        {
            GoldenComparison.RunOtherData(training);
            Initialize();
        }
        float[] input = Values.Random(1, (long)batch * network.Input.Elements);
        training.Load(input, [0, 1, 2, 3]);
        training.RunTraining();
        training.ReadLogits(results["logits"] = new float[batch * network.Classes]);
        inference.Load(input, [0, 1, 2, 3]);
        inference.RunEvaluation();
        inference.ReadLogits(results["inference logits"] = new float[batch * network.Classes]);
        foreach (Parameter p in network.Parameters)
        {
            float[] values = Workbench.Read(model.Parameters, p.Index, p.IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value);
            Mask mask = Workbench.MaskOf(model.Parameters, p.Index);
            results[p.Name] = [.. values.Select((v, i) => mask[i] ? v : 0)];
        }
        return results;
    }

    [Test]
    public void A_bias_before_a_batch_norm_has_no_gradient()
    {
        using Device opened = device.Create();
        Network network = new NetworkBuilder("biases", new Chw(3, 6, 6))
            .Convolution("conv1", 8, 3, padding: 1, bias: true).BatchNorm("norm1").Relu("relu1").MaxPool("pool", 2)
            .Convolution("conv2", 9, 3, bias: true).BatchNorm("norm2").Linear("fc", 10).Build();
        using var model = new Model(network, opened);
        GoldenComparison.Initialize(model);
        Parameter[] biases = [.. network.Parameters.Where(p => p.Kind == ParameterKind.Bias)];
        foreach (Parameter bias in biases) model.Parameters.Upload(bias.Index, ParameterSlot.Gradient, Values.Constant(bias.Elements, float.NaN));
        using var plan = new Plan(model, 2, training: true);
        plan.Load(Values.Random(1, 2L * network.Input.Elements), [0, 1]);
        plan.RunTraining();
        float[][] gradients = [.. biases.Select(b => Workbench.Read(model.Parameters, b.Index, ParameterSlot.Gradient))];
        Assert.That(gradients[..^1], Has.All.All.Zero);
        Assert.That(gradients[^1], Has.None.NaN.And.Some.Not.Zero);
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    [TestCase(-1)]
    [TestCase(4)]
    public void A_label_that_no_class_has_is_refused_before_a_device_sees_it(int label)
    {
        Network net = TinyNetworks.Linear(6, 5, 4);
        using Device opened = device.Create();
        using var model = new Model(net, opened);
        using var plan = new Plan(model, 2, training: false);
        var e = Assert.Throws<AsniException>(() => plan.Load(new float[12], [0, label]))!;
        Assert.That(e.Message, Does.Contain($"a label of {label}").And.Contains("4 classes"));
    }
}
