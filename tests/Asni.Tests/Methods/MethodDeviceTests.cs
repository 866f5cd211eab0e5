using Asni.Methods;
using Asni.Networks;
using Asni.Tests.Devices;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Every method on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class MethodDeviceTests(DeviceCase device) : DeviceTests
{
    private static IEnumerable<Method> Methods => Method.All.Where(m => !m.Row.NeedsStart);

    [TestCaseSource(nameof(Methods))]
    public void The_same_run_twice_has_the_same_bits_and_what_is_pruned_is_0(Method method)
    {
        (RunResult first, RunResult second) = (Run(), Run());
        Assert.That(second.Phases.Select(p => p.Model.ComputeSha256()), Is.EqualTo(first.Phases.Select(p => p.Model.ComputeSha256())));
        Assert.That(second.Phases.Select(p => p.TestLoss), Is.EqualTo(first.Phases.Select(p => p.TestLoss)));
        foreach (PhaseResult phase in first.Phases)
            foreach (Parameter p in phase.Model.Network.Weights)
                if (phase.Model.Masks[p.Index] is { } mask)
                    Assert.That(phase.Model.Values[p.Index].Where((_, i) => !mask[i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero, $"{phase.Phase}: {p.Name}");

        RunResult Run()
        {
            using Workbench bench = device.Open();
            return MethodRunner.Run(With(method) with { Epochs = 2 }, Net, MethodTests.Data, bench.Device, new RecordingObserver());
        }
    }
}
