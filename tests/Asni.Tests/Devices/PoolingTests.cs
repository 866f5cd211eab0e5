using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class PoolingTests(DeviceCase device) : DeviceTests
{
    // Channels in whole chunks of 16 bytes, as a GPU reads them, and others.
    internal static Chw[] Shapes { get; } =
    [
        new(1, 4, 4), new(3, 9, 9), new(8, 5, 4), new(16, 5, 7), new(17, 6, 6), new(24, 4, 5), new(64, 2, 2), new(72, 3, 4), new(130, 3, 3),
        new(256, 2, 3),
    ];

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
    public void The_first_NaN_of_a_window_wins_and_of_infinities_below_all_the_first()
    {
        float low = float.NegativeInfinity;
        foreach ((float[] window, int winner) in ((float[], int)[])
            [([low, low, low, low], 0), ([low, low, -3, low], 2), ([1, float.NaN, 2, float.NaN], 1), ([float.NaN, 1, 2, 3], 0), ([low, low, 4, float.NaN], 3)])
            foreach (int channels in (int[])[3, 8])
            {
                // A sample is one window of these values in each channel.
                var spec = new PoolingSpec(PoolingKind.Max, 2, new Chw(channels, 2, 2), 2, 2, 0, true);
                Outputs outputs = Run(device.Open(), spec, 2, false, count => [.. Enumerable.Range(0, (int)count).Select(i => window[i % 4])]);
                Assert.That(outputs["y"], Is.All.EqualTo(window[winner]));
                for (int i = 0; i < outputs["dx"].Length; i++) Assert.That(outputs["dx"][i] != 0, Is.EqualTo(i % 4 == winner), $"{winner} of {channels}");
            }
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

    /// <param name="stored">What becomes of the other values before any device has them.</param>
    internal static Outputs Run(Workbench bench, PoolingSpec spec, int batch, bool accumulate, Func<long, float[]> input,
        Func<float, float>? stored = null)
    {
        float[] Given(ulong seed, long count) => [.. Values.Random(seed, count).Select(v => stored?.Invoke(v) ?? v)];
        using Workbench _ = bench;
        var outputs = new Outputs();
        PoolingOperation pooling = bench.Own(bench.Device.CreatePooling(spec));
        DeviceTensor x = bench.Tensor(batch, spec.Input, input((long)batch * spec.Input.Elements)), y = bench.Unwritten(batch, spec.Output);
        pooling.Forward(x, y);
        outputs.Add("y", bench.Read(y));
        if (!spec.Training) return outputs;
        DeviceTensor dy = bench.Tensor(batch, spec.Output, Given(2, (long)batch * spec.Output.Elements));
        DeviceTensor dx = accumulate
            ? bench.Tensor(batch, spec.Input, Given(3, (long)batch * spec.Input.Elements))
            : bench.Unwritten(batch, spec.Input);
        pooling.Backward(dy, accumulate, dx);
        outputs.Add("dx", bench.Read(dx));
        return outputs;
    }
}
