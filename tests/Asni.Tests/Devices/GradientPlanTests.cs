using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tests.Golden;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

/// <summary>Gradients for scores, of whole networks.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class GradientPlanTests(DeviceCase device) : DeviceTests
{
    [Test]
    public void Gradients_agree_with_the_reference([ValueSource(typeof(SmallNetworks), nameof(SmallNetworks.Names))] string name, [Values(1, 0.1)] double density, [Values] bool sum)
    {
        LogitLoss loss = sum ? LogitLosses.Sum : LogitLosses.CrossEntropy(2, 4);
        (Dictionary<string, float[]> expected, double value) = Gradients(DeviceCase.OpenReference(), name, density, loss);
        (Dictionary<string, float[]> actual, double have) = Gradients(device.Open(), name, density, loss);
        Assert.That(have, Is.EqualTo(value).Within(1e-4 + 1e-4 * Math.Abs(value)));
        double largest = expected.Values.Max(Norm);
        foreach ((string parameter, float[] values) in expected)
        {
            double distance = Norm([.. values.Zip(actual[parameter], (a, b) => a - b)]);
            Assert.That(distance, Is.LessThanOrEqualTo(1e-3 * Norm(values) + 1e-5 * largest), parameter);
        }
    }

    [Test]
    public void Batches_add_up_to_the_gradient_of_all_images_and_move_no_value([Values("bottleneck", "sums of all kinds")] string name)
    {
        using Workbench bench = device.Open();
        using var model = new Model(SmallNetworks.Create(name), bench.Device);
        GoldenComparison.Initialize(model);
        TrainedNetwork before = model.TakeSnapshot();
        int[] weights = [.. model.Network.Weights.Select(p => p.Index)];
        using var plan = new GradientPlan(model, 6);
        float[] input = Values.Random(1, 6L * model.Network.Input.Elements);
        int[] labels = [0, 1, 2, 3, 4, 5];
        plan.Load(input, labels);
        double whole = plan.Run(LogitLosses.CrossEntropy(1, 6)), parts = 0;
        model.Parameters.Combine(weights, ElementFunction.Identity, ParameterSlot.Gradient, ParameterSlot.Score);
        int size = model.Network.Input.Elements;
        foreach ((int first, int count) in ((int, int)[])[(0, 4), (4, 2)])
        {
            plan.Load(input.AsSpan(first * size, count * size), labels.AsSpan(first, count));
            parts += plan.Run(LogitLosses.CrossEntropy(1, 6));
            model.Parameters.Combine(weights, ElementFunction.Identity, ParameterSlot.Gradient, ParameterSlot.State0, b: 1);
        }
        Assert.That(parts, Is.EqualTo(whole).Within(1e-5));
        foreach (int index in weights)
            Outputs.AssertClose(Workbench.Read(model.Parameters, index, ParameterSlot.Score), Workbench.Read(model.Parameters, index, ParameterSlot.State0), 1e-5, 1e-4, $"{index}");
        Assert.That(model.TakeSnapshot().ComputeSha256(), Is.EqualTo(before.ComputeSha256()));
    }

    private static (Dictionary<string, float[]> Gradients, double Loss) Gradients(Workbench opened, string name, double density, LogitLoss loss)
    {
        using Workbench bench = opened;
        using var model = new Model(SmallNetworks.Create(name), bench.Device);
        GoldenComparison.Initialize(model);
        foreach (Parameter p in model.Network.Weights)
            if (density < 1) model.Parameters.SetMask(p.Index, Values.Mask((ulong)p.Index, p.Elements, density));
        using var plan = new GradientPlan(model, 5);
        plan.Load(Values.Random(1, 4L * model.Network.Input.Elements), [0, 1, 2, 3]);
        double value = plan.Run(loss);
        int[] trained = [.. model.Network.Trained.Select(p => p.Index)];
        model.Parameters.Combine(trained, ElementFunction.Identity, ParameterSlot.Gradient, ParameterSlot.Score);
        return (model.Network.Trained.ToDictionary(p => p.Name, p => Workbench.Read(model.Parameters, p.Index, ParameterSlot.Score)), value);
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));
}
