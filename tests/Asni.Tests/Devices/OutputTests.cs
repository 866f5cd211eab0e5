using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>Numbers of each output of a layer.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class OutputTests(DeviceCase device) : DeviceTests
{
    /// <summary>Convolutions, vectors, a depthwise one, single elements; 17 to 64 outputs.</summary>
    private static readonly int[] s_some = [0, 1, 3, 7, 8, 9, 10];

    [Test]
    public void Sums_of_squares_agree_with_the_reference()
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = CombineTests.Masked(reference), actual = CombineTests.Masked(bench);
        double[] want = new double[expected.CountOutputs(s_some)], have = [.. want.Select(_ => double.NaN)];
        expected.SumOutputSquares(s_some, want);
        actual.SumOutputSquares(s_some, have);
        Assert.That(have, Is.EqualTo(want).Within(1e-4).Percent);
    }

    [Test]
    public void Products_with_the_outputs_factors_agree_with_the_reference([Values(ParameterSlot.Value, ParameterSlot.Gradient)] ParameterSlot y, [Values(0, 1, -0.5f)] float b)
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = CombineTests.Masked(reference), actual = CombineTests.Masked(bench);
        float[] factors = Values.Random(3, expected.CountOutputs(s_some));
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.CombineOutputs(s_some, factors, y, b);
        foreach (Parameter p in expected.Parameters.Where(p => p.IsTrained))
        {
            Mask mask = Workbench.MaskOf(actual, p.Index);
            foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.Gradient, ParameterSlot.State0])
            {
                float[] want = Workbench.Read(expected, p.Index, slot), have = Workbench.Read(actual, p.Index, slot);
                Outputs.AssertClose(want, have, 1e-6, 1e-6, $"{slot} of {p.Name}");
                if (slot != ParameterSlot.Gradient) Assert.That(have.Where((_, i) => !mask[i]).All(v => BitConverter.SingleToUInt32Bits(v) == 0), "pruned elements are +0");
            }
        }
    }

    [Test]
    public void Outputs_are_rows()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 2, 1, 2)), (ParameterKind.NormWeight, new FilterShape(2, 1, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [1, 2, 3, 4, 1, 0, -1, 2]);
        p.Upload(1, ParameterSlot.Value, [-3, 0.5f]);
        var sums = new double[4];
        p.SumOutputSquares([0, 1], sums);
        Assert.That(sums, Is.EqualTo((double[])[30, 6, 9, 0.25]));
        // A NaN that y holds is not read where its factor is 0.
        p.Upload(0, ParameterSlot.Gradient, Values.Constant(8, float.NaN));
        p.CombineOutputs([0, 1], [2, 0, -1, 4], ParameterSlot.Gradient);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Gradient), Is.EqualTo((float[])[2, 4, 6, 8, 0, 0, 0, 0]));
        Assert.That(Workbench.Read(p, 1, ParameterSlot.Gradient), Is.EqualTo((float[])[3, 2]));
        Assert.That(() => p.SumOutputSquares([1, 0], sums), Throws.ArgumentException);
        Assert.That(() => p.SumOutputSquares([0], sums), Throws.ArgumentException);
        Assert.That(() => p.CombineOutputs([0], [1, 2], ParameterSlot.State0), Throws.ArgumentException);
    }
}
