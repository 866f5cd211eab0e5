using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>Numbers of live elements side by side.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class PackTests(DeviceCase device) : DeviceTests
{
    [Test]
    public void Live_numbers_leave_and_come_back_to_their_places([Values(0.02, 0.3, 0.97)] double density, [Values] bool dense)
    {
        using Workbench bench = device.Open(), other = device.Open();
        DeviceParameters from = Masked(bench, density, 1), to = Masked(other, density, 2);
        foreach (Parameter p in from.Parameters.Where(p => p.IsTrained))
        {
            float[] numbers = Workbench.Read(from, p.Index, ParameterSlot.Gradient);
            Mask mask = Workbench.MaskOf(from, p.Index);
            float[] expected = dense ? numbers : [.. numbers.Where((_, i) => mask[i])];
            var packed = new float[expected.Length];
            from.Pack([p.Index], ParameterSlot.Gradient, dense, packed);
            Assert.That(packed.Order(), Is.EqualTo(expected.Order()), p.Name);

            to.Unpack([p.Index], ParameterSlot.Gradient, dense, packed);
            float[] have = Workbench.Read(to, p.Index, ParameterSlot.Gradient);
            for (int i = 0; i < have.Length; i++)
                if (dense || mask[i]) Assert.That(have[i], Is.EqualTo(numbers[i]), $"{p.Name}[{i}]");
        }
    }

    /// <summary>Large enough for several workers, each of which begins in the middle of the packed numbers.</summary>
    [TestCase(0.05)]
    [TestCase(0.9)]
    public void Workers_share_a_parameter(double density)
    {
        using Workbench bench = device.Open(), second = device.Open();
        (ParameterKind, FilterShape) shape = (ParameterKind.Weight, new FilterShape(1031, 151, 1, 1));
        DeviceParameters from = bench.Parameters(shape), to = second.Parameters(shape);
        Mask mask = Values.Mask(3, from.Parameters[0].Elements, density);
        float[] numbers = Values.Random(4, mask.Length), packed = new float[mask.Live];
        from.SetMask(0, mask);
        to.SetMask(0, mask);
        from.Upload(0, ParameterSlot.Gradient, numbers);
        from.Pack([0], ParameterSlot.Gradient, dense: false, packed);
        Assert.That(packed.Order(), Is.EqualTo(numbers.Where((_, i) => mask[i]).Order()));
        to.Unpack([0], ParameterSlot.Gradient, dense: false, packed);
        float[] have = Workbench.Read(to, 0, ParameterSlot.Gradient);
        Assert.That(have.Where((_, i) => mask[i]), Is.EqualTo(numbers.Where((_, i) => mask[i])));

        Mask other = Values.Mask(5, mask.Length, density / 2);
        from.SetMask(0, other);
        packed = new float[other.Live];
        from.Pack([0], ParameterSlot.Gradient, dense: false, packed);
        Assert.That(packed.Order(), Is.EqualTo(numbers.Where((_, i) => other[i]).Order()), "of the mask as it is now");
    }

    [Test]
    public void Several_parameters_leave_together([Values] bool dense)
    {
        using Workbench bench = device.Open(), other = device.Open();
        DeviceParameters from = Masked(bench, 0.3, 1), to = Masked(other, 0.3, 2);
        int[] parameters = [.. from.Parameters.Where(p => p.IsTrained).Select(p => p.Index).Reverse()];
        var packed = new float[from.PackedLength(parameters, dense)];
        from.Pack(parameters, ParameterSlot.Gradient, dense, packed);
        to.Unpack(parameters, ParameterSlot.Gradient, dense, packed);
        foreach (int p in parameters)
        {
            Mask mask = Workbench.MaskOf(from, p);
            float[] numbers = Workbench.Read(from, p, ParameterSlot.Gradient), have = Workbench.Read(to, p, ParameterSlot.Gradient);
            Assert.That(have.Where((_, i) => dense || mask[i]), Is.EqualTo(numbers.Where((_, i) => dense || mask[i])), from.Parameters[p].Name);
        }
        Assert.That(() => from.Pack(parameters, ParameterSlot.Gradient, dense, packed.AsSpan(1)), Throws.ArgumentException);
    }

    [Test]
    public void Running_statistics_leave_and_come_back()
    {
        using Workbench bench = device.Open();
        DeviceParameters parameters = Masked(bench, 0.3, 1);
        Parameter p = parameters.Parameters.First(p => !p.IsTrained);
        float[] values = Workbench.Read(parameters, p.Index, ParameterSlot.Value), packed = new float[values.Length];
        parameters.Pack([p.Index], ParameterSlot.Value, dense: false, packed);
        parameters.Upload(p.Index, ParameterSlot.Value, new float[values.Length]);
        parameters.Unpack([p.Index], ParameterSlot.Value, dense: false, packed);
        Assert.That(Workbench.Read(parameters, p.Index, ParameterSlot.Value), Is.EqualTo(values));
    }

    private static DeviceParameters Masked(Workbench bench, double density, ulong seed)
    {
        DeviceParameters parameters = ParameterTests.Filled(bench);
        foreach (Parameter p in parameters.Parameters.Where(p => p.IsTrained))
        {
            if (p.Kind == ParameterKind.Weight) parameters.SetMask(p.Index, Values.Mask((ulong)p.Index, p.Elements, density));
            parameters.Upload(p.Index, ParameterSlot.Gradient, Values.Random(100 * seed + (ulong)p.Index, p.Elements));
        }
        return parameters;
    }
}
