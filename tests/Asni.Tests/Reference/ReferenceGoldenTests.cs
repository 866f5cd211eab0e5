using Asni.Devices;
using Asni.Networks;
using Asni.Tests.Devices;
using Asni.Tests.Golden;

namespace Asni.Tests.Reference;

/// <summary>Proves the reference device, and the engine above it, with PyTorch's numbers.</summary>
internal class ReferenceGoldenTests
{
    // Only the weights and inputs are rounded to single precision on their way in.
    [TestCase("lenet300")]
    [TestCase("resnet20-cifar")]
    public void One_training_step_matches_PyTorch_to_single_precision(string file)
    {
        using var device = new ReferenceDevice();
        GoldenComparison.AssertMatches(device, file, spare: 0, relative: 5e-6);
    }

    private static readonly UpdateRule Momentum = new(UpdateKind.Sgd, 0.1f, 0.01f, true, 0.9f, false, 0, 0, 0, 1);
    private static readonly UpdateRule Adam = new(UpdateKind.Adam, 0.01f, 0.01f, true, 0, false, 0.9f, 0.999f, 1e-8f, 1);

    private static IEnumerable<TestCaseData> ThreeSteps()
    {
        // In float64: torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.01), with nesterov, and Adam(lr=0.01, weight_decay=0.01).
        yield return new TestCaseData(Momentum, new[] { 0.476095389, -1.11522078, 1.88366357 }).SetArgDisplayNames("momentum");
        yield return new TestCaseData(Momentum with { Nesterov = true }, new[] { 0.436950962, -1.21071022, 1.88968514 })
            .SetArgDisplayNames("nesterov");
        yield return new TestCaseData(Adam, new[] { 0.492065967, -1.00131511, 1.98067353 }).SetArgDisplayNames("adam");
    }

    [TestCaseSource(nameof(ThreeSteps))]
    public void Three_optimizer_steps_match_PyTorch(UpdateRule rule, double[] expected)
    {
        using var bench = new Workbench(new ReferenceDevice());
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(3, 1, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [0.5f, -1, 2]);
        float[][] gradients = [[0.1f, -0.2f, 0.3f], [-0.4f, 0.5f, 0.6f], [0.7f, 0.8f, -0.9f]];
        for (int step = 1; step <= 3; step++)
        {
            p.Upload(0, ParameterSlot.Gradient, gradients[step - 1]);
            p.Update(rule with { Step = step });
        }
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo(expected).Within(3e-7));
    }
}
