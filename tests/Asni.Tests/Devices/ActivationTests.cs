using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

/// <summary>Activation functions that are steps of their own, on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ActivationTests(DeviceCase device) : DeviceTests
{
    private static IEnumerable<Activation> Functions => Enum.GetValues<Activation>().Where(a => a != Activation.None);

    [Test]
    public void Values_and_slopes_are_those_of_PyTorch([ValueSource(typeof(GoldenActivations), nameof(GoldenActivations.Kinds))] Activation activation)
    {
        GoldenActivations golden = GoldenActivations.Get(activation);
        (float[] values, float[] slopes) = Run(device.Open(), activation, golden.X);
        Assert.Multiple(() =>
        {
            for (int i = 0; i < golden.X.Length; i++)
            {
                Assert.That(values[i], Is.EqualTo(golden.Value[i]).Within(2e-7 + 3e-7 * Math.Abs(golden.Value[i])), $"{activation}({golden.X[i]})");
                Assert.That(slopes[i], Is.EqualTo(golden.Slope[i]).Within(4e-7), $"{activation}'({golden.X[i]})");
            }
        });
    }

    /// <summary>Every function, so that one without golden values is noticed.</summary>
    [Test]
    public void Golden_values_are_there_for_every_function_that_is_not_piecewise_linear() =>
        Assert.That(GoldenActivations.Kinds, Is.EqualTo(Functions.Where(a => !ActivationFunction.IsFused(a))));

    [Test]
    public void A_fine_grid_agrees_with_the_reference([ValueSource(nameof(Functions))] Activation activation)
    {
        float[] x = [.. Enumerable.Range(-16_000, 32_001).Select(i => i / 1000f)];
        (float[] expected, float[] expectedSlopes) = Run(DeviceCase.OpenReference(), activation, x);
        (float[] values, float[] slopes) = Run(device.Open(), activation, x);
        TestContext.Out.WriteLine($"{activation} is off by {Worst(expected, values):g2}, its slope by {Worst(expectedSlopes, slopes):g2}");
        Outputs.AssertClose(expected, values, 2e-7, 3e-7, $"{activation}");
        Outputs.AssertClose(expectedSlopes, slopes, 4e-7, 0, $"{activation}'");
    }

    [Test]
    public void Not_a_number_stays_and_the_ends_are_0_and_infinity([ValueSource(typeof(GoldenActivations), nameof(GoldenActivations.Kinds))] Activation activation)
    {
        (float[] values, float[] slopes) = Run(device.Open(), activation, [float.NaN, float.PositiveInfinity, -1e30f, 1e30f]);
        Assert.That(values, Is.EqualTo(new[] { float.NaN, float.PositiveInfinity, 0, 1e30f }));
        Assert.That(slopes[0], Is.NaN);
        Assert.That(slopes[2..], Is.EqualTo(new[] { 0f, 1f }));
    }

    [Test]
    public void An_element_has_the_same_bits_wherever_it_stands([ValueSource(nameof(Functions))] Activation activation)
    {
        float[] x = Values.Random(7, 61, 6);
        (float[] values, float[] slopes) = Run(device.Open(), activation, x);
        for (int i = 0; i < x.Length; i++)
        {
            (float[] value, float[] slope) = Run(device.Open(), activation, [x[i]]);
            Assert.That((value[0], slope[0]), Is.EqualTo((values[i], slopes[i])));
        }
    }

    [Test]
    public void No_operation_fuses_one([ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Smooth))] Activation activation)
    {
        using Workbench bench = device.Open();
        var shape = new Chw(4, 2, 2);
        Assert.That(() => bench.Device.CreateConvolution(new ConvolutionSpec(1, shape, new FilterShape(4, 4, 1, 1), 1, 0, 1, false, activation, false, false)),
            Throws.ArgumentException.With.Message.Contains($"fuses no {activation}"));
        Assert.That(() => bench.Device.CreateBatchNorm(new BatchNormSpec(1, shape, 1e-5f, 0.1f, false, activation, false)),
            Throws.ArgumentException.With.Message.Contains($"fuses no {activation}"));
        DeviceTensor x = bench.Tensor(1, shape, new float[16]);
        Assert.That(() => bench.Device.Add(x, x, activation, x), Throws.TypeOf<NotSupportedException>());
    }

    private static double Worst(float[] expected, float[] actual) => expected.Zip(actual, (e, a) => Math.Abs((double)e - a) / Math.Max(1, Math.Abs(e))).Max();

    private static (float[] Values, float[] Slopes) Run(Workbench bench, Activation activation, float[] x)
    {
        using Workbench _ = bench;
        var shape = new Chw(x.Length, 1, 1);
        DeviceTensor from = bench.Tensor(1, shape, x), to = bench.Unwritten(1, shape), gradient = bench.Tensor(1, shape, Values.Constant(x.Length, 1));
        bench.Device.Activate(from, activation, to);
        bench.Device.ActivateBackward(ActivationFunction.IsFused(activation) ? to : from, activation, gradient);
        float[] values = bench.Read(to);
        bench.Device.Activate(from, activation, from);
        Assert.That(bench.Read(from), Is.EqualTo(values), "in place");
        return (values, bench.Read(gradient));
    }
}
