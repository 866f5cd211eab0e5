using Asni.Devices;
using Asni.Methods;
using Asni.Networks;
using Asni.Tests.Devices;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Methods that move the mask, on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ExchangeDeviceTests(DeviceCase device)
{
    private static readonly Method[] s_methods = [new SparseEvolution(), new Rigl(), new Itop(), new Itop { Growth = GrowthKind.Random }, new Granet(), new Snfs(), new Iht()];

    [Test]
    public void The_same_run_twice_gives_the_same_bits_and_keeps_the_number_of_each_layer([Range(0, 6)] int index)
    {
        Method method = s_methods[index];
        PhaseResult first = Train(method), second = Train(method);
        long moved = 0;
        foreach (Parameter p in Net.Parameters)
        {
            Assert.That(second.Model.Values[p.Index], Is.EqualTo(first.Model.Values[p.Index]), p.Name);
            Assert.That(second.Model.Masks[p.Index]?.Words.ToArray(), Is.EqualTo(first.Model.Masks[p.Index]?.Words.ToArray()), p.Name);
            if (method is Granet or Iht || first.Initial.Masks[p.Index] is not { } before) continue;
            if (method is not Snfs) Assert.That(first.Model.Masks[p.Index]!.Live, Is.EqualTo(before.Live), p.Name);
            for (int i = 0; i < p.Elements; i++)
            {
                if (first.Model.Masks[p.Index] is { } after && !after[i]) Assert.That(BitConverter.SingleToUInt32Bits(first.Model.Values[p.Index][i]), Is.Zero, "pruned weights are +0");
                else if (!before[i]) moved++;
            }
        }
        Assert.That(moved, method is Granet or Iht ? Is.Zero : Is.GreaterThan(20));
    }

    private PhaseResult Train(Method method)
    {
        using Device opened = device.Create();
        return MethodRunner.Run(With(method) with { Epochs = 2 }, Net, MethodTests.Data, opened).Phases.Single();
    }
}
