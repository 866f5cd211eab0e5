using Asni.Cpu;
using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Cpu;

/// <summary>Layers of inference: few positions, whose register tiles have few rows, and filters that are prepared once.</summary>
public class InferenceConvolutionTests
{
    [TearDown]
    public void LetTheModelChoose() => Winograd.Forced = null;

    [Test]
    public void Any_number_of_positions_agrees_with_the_reference([Range(1, 14)] int positions, [Values(10, 64, 100, 300)] int outputs, [Values(1, 2)] int threads)
    {
        foreach (bool training in (bool[])[false, true])
        {
            var spec = new ConvolutionSpec(1, new Chw(70, 1, positions), new FilterShape(outputs, 70, 1, 1), 1, 0, 1, Bias: true, Activation.Relu, training, InputGradient: false);
            new ConvolutionCase(spec, 1, Accumulate: false).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(threads)));
        }
    }

    /// <summary>Sums in several blocks, through buffers where they are added to what is there, and cut off at both ends.</summary>
    [Test]
    public void Few_positions_of_many_channels_agree_with_the_reference([Values(1, 3, 5, 8)] int positions, [Values(20, 136, 530)] int outputs, [Values(true, false)] bool training)
    {
        var spec = new ConvolutionSpec(1, new Chw(1100, 1, positions), new FilterShape(outputs, 1100, 1, 1), 1, 0, 1, Bias: true, Activation.Relu6, training, InputGradient: training);
        foreach (bool accumulate in (bool[])[false, true])
            new ConvolutionCase(spec, 1, accumulate).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(2)));
    }

    [Test]
    public void A_batch_that_is_not_full_agrees_with_the_reference([Values(1, 2, 7)] int batch)
    {
        var spec = new ConvolutionSpec(9, new Chw(24, 1, 1), new FilterShape(130, 24, 1, 1), 1, 0, 1, Bias: true, Activation.None, Training: false, InputGradient: false);
        new ConvolutionCase(spec, batch, Accumulate: false).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(2)));
    }

    /// <summary>The same bits from a plan of one sample and from one of many: a sum has its order, whichever tile computes it.</summary>
    [Test]
    public void A_sample_gives_the_same_bits_alone_and_among_others()
    {
        ConvolutionSpec Spec(int batch) => new(batch, new Chw(200, 1, 1), new FilterShape(96, 200, 1, 1), 1, 0, 1, Bias: true, Activation.Relu, Training: false, InputGradient: false);
        float[] alone = new ConvolutionCase(Spec(1), 1, false).Run(new DeviceCase("cpu", () => new CpuDevice(2)).Open(), null)["y"];
        float[] among = new ConvolutionCase(Spec(64), 1, false).Run(new DeviceCase("cpu", () => new CpuDevice(2)).Open(), null)["y"];
        Assert.That(alone, Is.EqualTo(among));
    }

    [TestCase(true, 64, 8)]
    [TestCase(false, 64, 8)]
    [TestCase(false, 33, 1)]
    public void A_filter_that_changed_is_prepared_anew(bool winograd, int channels, int size)
    {
        Winograd.Forced = winograd;
        var spec = new ConvolutionSpec(1, new Chw(channels, size, size), new FilterShape(channels, channels, 3, 3), 1, 1, 1, Bias: false, Activation.None, Training: false, InputGradient: false);
        if (winograd) Assert.That(Winograd.KeepsFilter(spec));
        float[] values = Values.Random(7, channels * channels * 9), other = Values.Random(8, values.Length);
        using Workbench changed = new DeviceCase("cpu", () => new CpuDevice(2)).Open(), fresh = new DeviceCase("cpu", () => new CpuDevice(2)).Open();
        (DeviceParameters p, Func<float[]> forward) = Open(changed, spec);
        p.Upload(0, ParameterSlot.Value, values);
        float[] before = forward();
        p.Upload(0, ParameterSlot.Value, other);
        float[] after = forward();
        (DeviceParameters q, Func<float[]> expected) = Open(fresh, spec);
        q.Upload(0, ParameterSlot.Value, other);
        Assert.That(after, Is.EqualTo(expected()));
        Assert.That(after, Is.Not.EqualTo(before));
    }

    [Test]
    public void Filters_of_training_and_of_many_tiles_are_not_kept()
    {
        ConvolutionSpec Spec(int batch, int channels, int size, bool training) =>
            new(batch, new Chw(channels, size, size), new FilterShape(channels, channels, 3, 3), 1, 1, 1, Bias: false, Activation.None, training, InputGradient: false);
        Assert.That(Winograd.KeepsFilter(Spec(1, 64, 32, training: false)));
        Assert.That(Winograd.KeepsFilter(Spec(1, 64, 32, training: true)), Is.False);
        Assert.That(Winograd.KeepsFilter(Spec(500, 64, 32, training: false)), Is.False, "the transformation is nothing beside the products");
        Assert.That(Winograd.KeepsFilter(Spec(1, 512, 4, training: false)), Is.False, "38 MB a layer");
    }

    /// <summary>A layer with weights, and its forward pass of one image.</summary>
    private static (DeviceParameters Parameters, Func<float[]> Forward) Open(Workbench bench, ConvolutionSpec spec)
    {
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, spec.Filter));
        ConvolutionOperation convolution = bench.Own(bench.Device.CreateConvolution(spec));
        convolution.SetMask(p, 0);
        DeviceTensor x = bench.Unwritten(1, spec.Input), y = bench.Unwritten(1, spec.Output);
        bench.Device.Upload(Values.Random(9, spec.Input.Elements), x);
        return (p, Forward);

        float[] Forward()
        {
            convolution.Forward(x, p.Value(0), null, y);
            return bench.Read(y);
        }
    }
}
