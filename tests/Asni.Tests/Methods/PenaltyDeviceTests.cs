using Asni.Devices;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tests.Devices;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Methods that train with a penalty, on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class PenaltyDeviceTests(DeviceCase device)
{
    private static readonly Method[] s_methods = [new Proximal { Lambda = 1e-2 }, new AdmmPruning { Begin = 0, Rho = 0.1 }, new Lobster { Lambda = 1e-2 }, new Lobster { Lambda = 1e-2, Sensitivity = SensitivityKind.Logit }];

    [Test]
    public void The_same_run_twice_gives_the_same_bits_and_exactly_K([Range(0, 3)] int index)
    {
        PhaseResult[] first = Train(s_methods[index]), second = Train(s_methods[index]);
        Assert.That(second.Select(p => p.Model.ComputeSha256()), Is.EqualTo(first.Select(p => p.Model.ComputeSha256())));
        Assert.That(first[^1].Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        PhaseResult[] dense = Train(s_methods[index] switch
        {
            Proximal p => p with { Lambda = 0 },
            AdmmPruning a => a with { Rho = 0 },
            Lobster l => l with { Lambda = 0, Below = 0 },
            _ => throw new ArgumentOutOfRangeException(nameof(index)),
        });
        Assert.That(Sum(first[0].Model), Is.LessThan(0.995 * Sum(dense[0].Model)), "weights are drawn to 0");
    }

    private static double Sum(TrainedNetwork model) => Net.Weights.Sum(p => model.Values[p.Index].Sum(w => (double)Math.Abs(w)));

    private PhaseResult[] Train(Method method)
    {
        using Device opened = device.Create();
        return [.. MethodRunner.Run(With(method) with { Epochs = 2 }, Net, MethodTests.Data, opened).Phases];
    }
}
