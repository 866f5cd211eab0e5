using Asni.Devices;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
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

    /// <summary>From a new network, then on from what that leaves.</summary>
    [Test]
    public void Penalties_of_units_draw_units_to_0_before_they_are_pruned([Values(UnitPenaltyKind.Lasso, UnitPenaltyKind.Growing)] UnitPenaltyKind kind)
    {
        StructuredPruning method = new() { Penalty = kind, Lambda = 0.02, Selection = new UnitSelection { Criterion = UnitCriterion.L2 }, Finetuning = new UnitFinetuning { Epochs = 1 } };
        PhaseResult[] first = Train(method), second = Train(method), free = Train(method with { Lambda = 0 });
        Assert.That(first.Select(p => p.Phase), Is.EqualTo(new[] { "penalized", "structured" }));
        Assert.That(second.Select(p => p.Model.ComputeSha256()), Is.EqualTo(first.Select(p => p.Model.ComputeSha256())));
        Assert.That(Sum(first[0].Model), Is.LessThan(0.98 * Sum(free[0].Model)));
        PhaseResult[] on = Train(method, first[0].Model);
        Assert.That(on.Select(p => p.Phase), Is.EqualTo(new[] { "penalized", "structured" }));
        Assert.That(on[0].Initial.ComputeSha256(), Is.EqualTo(first[0].Model.ComputeSha256()));
        Assert.That(Sum(on[0].Model), Is.LessThan(Sum(first[0].Model)));
    }

    private static double Sum(TrainedNetwork model) => Net.Weights.Sum(p => model.Values[p.Index].Sum(w => (double)Math.Abs(w)));

    private PhaseResult[] Train(Method method, TrainedNetwork? start = null)
    {
        using Device opened = device.Create();
        return [.. MethodRunner.Run(With(method) with { Epochs = 2 }, Net, MethodTests.Data, opened, start: start).Phases];
    }
}
