using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class PoolingTests(DeviceCase device)
{
    private static readonly Chw[] Shapes = [new(1, 4, 4), new(3, 9, 9), new(16, 5, 7), new(17, 6, 6), new(64, 2, 2), new(130, 3, 3)];

    [TestCase(2, 2, 0)]
    [TestCase(3, 2, 1)]
    [TestCase(3, 1, 1)]
    [TestCase(2, 1, 0)]
    [TestCase(2, 2, 1)]
    public void Max_pooling_agrees_with_the_reference(int size, int stride, int padding)
    {
        foreach (Chw shape in Shapes)
            AssertAgrees(new PoolingSpec(PoolingKind.Max, 5, shape, size, stride, padding, true), count => Values.Random(1, count));
    }

    [Test]
    public void Of_equal_values_the_first_in_row_order_wins()
    {
        // Three levels only, most of them 0, as behind a ReLU: nearly every window has a tie.
        static float[] Levels(long count) => [.. Values.Random(1, count, 1.4f, 0.5f).Select(v => MathF.Max(0, MathF.Floor(v)))];
        foreach (Chw shape in Shapes)
            foreach ((int size, int stride, int padding) in ((int, int, int)[])[(2, 2, 0), (3, 2, 1), (3, 1, 1)])
                AssertAgrees(new PoolingSpec(PoolingKind.Max, 5, shape, size, stride, padding, true), Levels);
    }

    [Test]
    public void Padding_never_wins() =>
        AssertAgrees(new PoolingSpec(PoolingKind.Max, 5, new Chw(17, 5, 5), 3, 2, 1, true), count => Values.Random(1, count, 1, -1e30f));

    [Test]
    public void Global_average_pooling_agrees_with_the_reference()
    {
        foreach (Chw shape in (Chw[])[.. Shapes, new(10, 1, 1), new(24, 12, 11)])
            AssertAgrees(new PoolingSpec(PoolingKind.GlobalAverage, 5, shape, 0, 0, 0, true), count => Values.Random(1, count));
    }

    [Test]
    public void An_operation_prepared_for_inference_agrees()
    {
        AssertAgrees(new PoolingSpec(PoolingKind.Max, 5, new Chw(17, 6, 6), 2, 2, 0, false), count => Values.Random(1, count));
        AssertAgrees(new PoolingSpec(PoolingKind.GlobalAverage, 5, new Chw(17, 6, 6), 0, 0, 0, false), count => Values.Random(1, count));
    }

    private void AssertAgrees(PoolingSpec spec, Func<long, float[]> input)
    {
        foreach (int batch in (int[])[spec.Batch, 2])
            foreach (bool accumulate in (bool[])[false, true])
            {
                Outputs expected = Run(DeviceCase.OpenReference(), spec, batch, accumulate, input);
                Outputs actual = Run(device.Open(), spec, batch, accumulate, input);
                // A maximum is exact; a gradient or an average is a sum of at most 132 numbers below 1.
                Outputs.AssertClose(expected, actual, 2e-6, 1e-6, $"{spec}, {batch} samples, accumulate {accumulate}");
            }
    }

    private static Outputs Run(Workbench bench, PoolingSpec spec, int batch, bool accumulate, Func<long, float[]> input)
    {
        using Workbench _ = bench;
        var outputs = new Outputs();
        PoolingOperation pooling = bench.Own(bench.Device.CreatePooling(spec));
        DeviceTensor x = bench.Tensor(batch, spec.Input, input((long)batch * spec.Input.Elements)), y = bench.Unwritten(batch, spec.Output);
        pooling.Forward(x, y);
        outputs.Add("y", bench.Read(y));
        if (!spec.Training) return outputs;
        DeviceTensor dy = bench.Tensor(batch, spec.Output, Values.Random(2, (long)batch * spec.Output.Elements));
        DeviceTensor dx = accumulate
            ? bench.Tensor(batch, spec.Input, Values.Random(3, (long)batch * spec.Input.Elements))
            : bench.Unwritten(batch, spec.Input);
        pooling.Backward(dy, accumulate, dx);
        outputs.Add("dx", bench.Read(dx));
        return outputs;
    }
}
