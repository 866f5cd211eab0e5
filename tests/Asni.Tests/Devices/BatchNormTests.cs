using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class BatchNormTests(DeviceCase device) : DeviceTests
{
    private static readonly Chw[] Shapes =
        [new(1, 5, 7), new(3, 9, 9), new(8, 3, 4), new(16, 2, 2), new(17, 1, 1), new(24, 3, 5), new(64, 4, 4), new(72, 1, 2), new(130, 1, 2), new(256, 1, 1)];

    /// <summary>Everything a layer puts out in training and in inference, with <paramref name="batch"/> of spec.Batch samples.</summary>
    /// <param name="stored">What becomes of the activations before any device has them.</param>
    internal static Outputs Run(Workbench bench, BatchNormSpec spec, int batch, float centre, bool accumulateSkip, bool inPlace,
        Outputs? reference, Func<float, float>? stored = null)
    {
        using Workbench _ = bench;
        var outputs = new Outputs();
        int elements = batch * spec.Shape.Elements;
        DeviceTensor Given(ulong seed, float scale, float middle) =>
            Fill([.. Values.Random(seed, elements, scale, middle).Select(v => stored?.Invoke(v) ?? v)]);
        DeviceTensor Unwritten() => bench.Unwritten(spec.Batch, spec.Shape).WithBatch(batch);
        DeviceTensor Fill(float[] values)
        {
            DeviceTensor tensor = Unwritten();
            bench.Device.Upload(values, tensor);
            return tensor;
        }

        DeviceParameters p = Parameters(bench, spec.Shape.Channels);
        var tensors = new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3));
        BatchNormOperation norm = bench.Own(bench.Device.CreateBatchNorm(spec));
        DeviceTensor x = Given(1, 2, centre), y = Unwritten();
        DeviceTensor? skip = spec.Add ? Given(2, 3, 0) : null;
        norm.ForwardInference(x, tensors, skip, y);
        outputs.Add("inference y", bench.Read(y));
        if (!spec.Training) return outputs;
        Backward("inference ");

        y = Unwritten();
        norm.ForwardTraining(x, tensors, skip, y);
        outputs.Add("y", bench.Read(y));
        outputs.Add("running mean", Workbench.Read(p, 2, ParameterSlot.Value));
        outputs.Add("running variance", Workbench.Read(p, 3, ParameterSlot.Value));

        Backward("");
        return outputs;

        void Backward(string name)
        {
            // The reference's outputs, so that a value on an activation's kink is not seen from different sides.
            if (reference != null) bench.Device.Upload(reference[name + "y"], y);
            DeviceTensor dy = Given(3, 1, 0.1f), dx = inPlace ? dy : Unwritten();
            DeviceTensor? dSkip = !spec.Add ? null : accumulateSkip ? Given(4, 1, 0) : Unwritten();
            norm.Backward(x, y, dy, p.Value(0), p.Gradient(0), p.Gradient(1), accumulateSkip, dSkip, dx);
            outputs.Add(name + "dx", bench.Read(dx));
            outputs.Add(name + "dw", Workbench.Read(p, 0, ParameterSlot.Gradient));
            outputs.Add(name + "db", Workbench.Read(p, 1, ParameterSlot.Gradient));
            if (dSkip is { } tensor2) outputs.Add(name + "dskip", bench.Read(tensor2));
        }
    }

    private void AssertAgrees(BatchNormSpec spec, int batch, float centre = 0.5f, bool accumulateSkip = false, bool inPlace = false)
    {
        Outputs expected = Run(DeviceCase.OpenReference(), spec, batch, centre, accumulateSkip, inPlace, null);
        Outputs actual = Run(device.Open(), spec, batch, centre, accumulateSkip, inPlace, expected);
        // dw and db are sums over batch x positions of numbers of about 1, hence the square root; the rest has a handful of roundings, of
        // which the subtraction of the mean multiplies those of x by 1/std.
        double absolute = 2e-6 * Math.Sqrt(batch * spec.Shape.Positions) + 1e-5 + 3e-7 * Math.Abs(centre);
        Outputs.AssertClose(expected, actual, absolute, 2e-5,
            $"{spec.Shape} batch {batch} of {spec.Batch}, add {spec.Add}, accumulate {accumulateSkip}, in place {inPlace}, " +
            $"{spec.Activation}");
    }

    [Test]
    public void Training_inference_and_backward_agree_with_the_reference([ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Fused))] Activation activation, [Values] bool add,
        [Values] bool accumulateSkip)
    {
        if (!add && accumulateSkip) return;
        int turn = 0;
        foreach (Chw shape in Shapes)
            foreach ((int prepared, int run) in ((int, int)[])[(2, 2), (5, 5), (5, 3)])
                AssertAgrees(new BatchNormSpec(prepared, shape, 1e-5f, 0.1f, add, activation, true), run, 0.5f, accumulateSkip,
                    turn++ % 2 == 0);
    }

    [Test]
    public void Activations_of_a_network_agree_with_the_reference()
    {
        AssertAgrees(new BatchNormSpec(16, new Chw(16, 32, 32), 1e-5f, 0.1f, true, Activation.Relu, true), 16);
        AssertAgrees(new BatchNormSpec(4, new Chw(512, 4, 4), 1e-3f, 0.01f, false, Activation.Relu6, true), 3);
    }

    [Test]
    public void A_large_mean_does_not_drown_the_variance() =>
        AssertAgrees(new BatchNormSpec(8, new Chw(17, 9, 9), 1e-5f, 0.1f, false, Activation.None, true), 8, 1000);

    [Test]
    public void A_constant_channel_gives_its_bias()
    {
        using Workbench bench = device.Open();
        var spec = new BatchNormSpec(4, new Chw(3, 3, 3), 1e-5f, 0.1f, false, Activation.None, true);
        DeviceParameters p = Parameters(bench, 3);
        DeviceTensor x = bench.Tensor(4, spec.Shape, Values.Constant(4 * 27, 0.7f)), y = bench.Unwritten(4, spec.Shape);
        BatchNormOperation norm = bench.Own(bench.Device.CreateBatchNorm(spec));
        norm.ForwardTraining(x, new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3)), null, y);
        float[] bias = Workbench.Read(p, 1, ParameterSlot.Value), output = bench.Read(y);
        for (int i = 0; i < output.Length; i++) Assert.That(output[i], Is.EqualTo(bias[i / 9 % 3]).Within(1e-3));
    }

    [TestCase(3, 8, 24, 1, 5, 5, 0)]
    [TestCase(4, 16, 16, 1, 9, 9, 1000)]
    [TestCase(2, 3, 17, 1, 7, 4, 1)]
    [TestCase(2, 8, 8, 4, 3, 3, 1)]
    [TestCase(2, 8, 8, 8, 4, 3, 1)]
    public void Behind_a_convolution_it_normalizes_what_that_wrote(int batch, int inputs, int outputs, int groups, int height, int run, float mean)
    {
        // Rows for several tiles, and a batch that is not full.
        var spec = new ConvolutionSpec(4 * batch, new Chw(inputs, height, 9), new FilterShape(outputs, inputs / groups, 3, 3), 1, 1, groups, true,
            Activation.None, true, false);
        var norm = new BatchNormSpec(spec.Batch, spec.Output, 1e-5f, 0.1f, false, Activation.Relu, true);
        Outputs expected = RunBehind(DeviceCase.OpenReference(), spec, norm, run, mean);
        Outputs actual = RunBehind(device.Open(), spec, norm, run, mean);
        Outputs.AssertClose(expected, actual, 2e-5 + 3e-7 * mean, 2e-5, $"{spec}");
    }

    private static Outputs RunBehind(Workbench bench, ConvolutionSpec spec, BatchNormSpec norm, int batch, float mean)
    {
        using Workbench _ = bench;
        DeviceParameters p = Parameters(bench, norm.Shape.Channels);
        DeviceParameters w = bench.Parameters((ParameterKind.Weight, spec.Filter), (ParameterKind.Bias, new FilterShape(spec.Filter.Out, 1, 1, 1)));
        w.Upload(0, ParameterSlot.Value, Values.Random(1, w.Parameters[0].Elements));
        w.Upload(1, ParameterSlot.Value, Values.Random(2, spec.Filter.Out, 1, mean));
        ConvolutionOperation convolution = bench.Own(bench.Device.CreateConvolution(spec));
        BatchNormOperation operation = bench.Own(bench.Device.CreateBatchNorm(norm));
        operation.Follow(convolution);
        DeviceTensor x = bench.Tensor(batch, spec.Input, Values.Random(3, batch * spec.Input.Elements));
        DeviceTensor y = bench.Unwritten(spec.Batch, spec.Output).WithBatch(batch), z = bench.Unwritten(spec.Batch, spec.Output).WithBatch(batch);
        convolution.Forward(x, w.Value(0), w.Value(1), y);
        operation.ForwardTraining(y, new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3)), null, z);
        var outputs = new Outputs();
        outputs.Add("y", bench.Read(z));
        outputs.Add("running mean", Workbench.Read(p, 2, ParameterSlot.Value));
        outputs.Add("running variance", Workbench.Read(p, 3, ParameterSlot.Value));
        return outputs;
    }

    [Test]
    public void An_operation_prepared_for_inference_agrees() =>
        AssertAgrees(new BatchNormSpec(3, new Chw(17, 5, 7), 1e-5f, 0.1f, true, Activation.Relu, false), 2);

    private static DeviceParameters Parameters(Workbench bench, int channels)
    {
        var vector = new FilterShape(channels, 1, 1, 1);
        DeviceParameters p = bench.Parameters((ParameterKind.NormWeight, vector), (ParameterKind.NormBias, vector),
            (ParameterKind.RunningMean, vector), (ParameterKind.RunningVariance, vector));
        p.Upload(0, ParameterSlot.Value, Values.Random(11, channels, 1, 1));
        p.Upload(1, ParameterSlot.Value, Values.Random(12, channels));
        p.Upload(2, ParameterSlot.Value, Values.Random(13, channels));
        p.Upload(3, ParameterSlot.Value, Values.Random(14, channels, 0.5f, 1));
        p.Upload(0, ParameterSlot.Gradient, Values.Constant(channels, float.NaN));
        p.Upload(1, ParameterSlot.Gradient, Values.Constant(channels, float.NaN));
        return p;
    }
}
