using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Tests.Training;

/// <summary>A second gradient on the batch of a step, on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class BatchGradientTests(DeviceCase device) : DeviceTests
{
    /// <summary>
    /// Of four images y_c = w_c x, the mean logit of the labels has the derivative 1/4 sum of x over the images of label c by w_c: (6, 2, 1) / 4 and (2, 1, 8) / 4.
    /// </summary>
    [Test]
    public void Weights_of_a_linear_layer_fall_as_the_labels_logit_says_by_hand([Values] bool resident)
    {
        float[] plain = Step(lambda: 0), fallen = Step(lambda: 0.25);
        float[] byHand = [.. ((float[])[1, 0.875f, 0.8125f, 0.875f, 0.8125f, 1]).Select((factor, i) => plain[i] - (1 - factor) * s_start[i])];
        Outputs.AssertClose(byHand, fallen, 1e-6, 1e-6, "w");
        Assert.That((fallen[0], fallen[5]), Is.EqualTo((plain[0], plain[5])), "those of sensitivity 1 and more, bit for bit");

        float[] Step(double lambda) => Train(resident, batch: 4, epochs: 1, lambda);
    }

    /// <summary>The last batch of an epoch has one image.</summary>
    [Test]
    public void Labels_are_those_of_the_batch_wherever_images_lie() =>
        Outputs.AssertClose(Train(resident: false, batch: 3, epochs: 4, lambda: 0.25), Train(resident: true, batch: 3, epochs: 4, lambda: 0.25), 1e-6, 1e-6, "w");

    /// <summary>A bias before batch-norm has no gradient in a step, but has one where statistics are constants.</summary>
    [Test]
    public void It_moves_neither_statistics_nor_biases()
    {
        Network network = new NetworkBuilder("norm", new Chw(3, 6, 6)).Convolution("conv", 4, 3, padding: 1, bias: true).BatchNorm("norm").Relu("cut").Linear("head", 4).Build();
        DatasetSplit data = BlobDataset.Split(50, network.Input, network.Classes);
        TrainedNetwork plain = Train(0), vanishing = Train(1e-30);
        foreach (Parameter p in network.Parameters)
            Assert.That(vanishing.Values[p.Index].Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(plain.Values[p.Index].Select(BitConverter.SingleToUInt32Bits)), p.Name);

        TrainedNetwork Train(double lambda)
        {
            using Workbench bench = device.Open();
            Recipe recipe = MethodTests.With(new Lobster { Lambda = lambda, Below = 0, Sensitivity = SensitivityKind.Logit }) with { Epochs = 2, BatchSize = 16 };
            return MethodRunner.Run(recipe, network, data, bench.Device).Phases[0].Model;
        }
    }

    private static readonly float[] s_start = [1, -2, 0.5f, -0.25f, 3, 0.125f];

    private float[] Train(bool resident, int batch, int epochs, double lambda)
    {
        using Workbench bench = device.Open();
        using var model = new Model(TinyNetworks.Linear(3, 2), bench.Device);
        model.Parameters.Upload(0, ParameterSlot.Value, s_start);
        var images = new FourImages(resident);
        var observer = new RecordingObserver();
        using var trainer = new Trainer(model, new DatasetSplit(images, images, "by hand"), batch, Augmentation.None, 0, observer);
        using BatchGradient logits = trainer.NewBatchGradient();
        Recipe recipe = MethodTests.With(new DenseTraining()) with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd }, LearningRate = new LearningRate { Initial = 0.01 } };
        new Phase("by hand", 1, recipe, trainer, observer) { Policy = new InsensitivityDecay(model, lambda, new FloorCut(model, 0, 0, _ => { }), logits) }.Run(epochs, recipe.LearningRate, default);
        return Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
    }

    /// <param name="resident">A device may take all pixels at once.</param>
    private sealed class FourImages(bool resident) : Dataset
    {
        private static readonly byte[] s_pixels = [4, 0, 1, 0, 1, 8, 2, 2, 0, 2, 0, 0];

        public override string Name => "four images";
        public override int Count => 4;
        public override int Classes => 2;
        public override Chw Shape => new(3, 1, 1);
        public override Normalization Normalization { get; } = new([0, 0, 0], [1 / 255f, 1 / 255f, 1 / 255f]);
        public override ReadOnlyMemory<byte> Pixels => resident ? s_pixels : default;
        public override int GetLabel(int index) => index % 2;
        public override void Read(int index, Span<byte> chw) => s_pixels.AsSpan(3 * index, 3).CopyTo(chw);
    }
}
