using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tests.Devices;

namespace Asni.Tests.Golden;

/// <summary>Whole networks against PyTorch's numbers for the same weights and inputs.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class GoldenTests(DeviceCase device)
{
    [Test]
    public void One_training_step_matches_PyTorch([Values("lenet300", "conv6-cifar", "vgg11-cifar", "resnet20-cifar", "resnet18")] string file)
    {
        using Device opened = device.Create();
        GoldenComparison.AssertMatches(opened, GoldenStep.Load(file), spare: 0, relative: 1e-4);
    }

    [Test]
    public void A_batch_that_is_not_full_matches_PyTorch([Values("lenet300", "vgg11-cifar", "resnet20-cifar")] string file)
    {
        using Device opened = device.Create();
        GoldenComparison.AssertMatches(opened, GoldenStep.Load(file), spare: 3, relative: 1e-4);
    }
}

public class GoldenFormulaTests
{
    [TestCase(7ul, 0, 0.54309309)]
    [TestCase(7ul, 1, 0.04613435)]
    [TestCase(1000ul, 0, -0.64861500)]
    public void The_formula_gives_its_check_values(ulong seed, int i, double expected) =>
        Assert.That(GoldenStep.Value(seed, i), Is.EqualTo(expected).Within(5e-9));
}

internal static class GoldenComparison
{
    /// <summary>
    /// Loss within a tenth of <paramref name="relative"/>; logits relative to the largest; gradient norms relative to themselves. A probe is a sum with
    /// random signs that may cancel, so it is also allowed a fifth of <paramref name="relative"/> of the gradient's norm. A bias before a batch-norm has a
    /// gradient of 0 plus rounding (1e-16 in PyTorch's file), hence a floor of a hundredth of <paramref name="relative"/> of the whole gradient's norm.
    /// </summary>
    /// <param name="spare">How many samples the plan has room for beyond the golden batch; it is used to run a full batch of other data first.</param>
    public static void AssertMatches(Device device, GoldenStep golden, int spare, double relative)
    {
        Network network = golden.CreateNetwork();
        Assert.That(network.ParameterCount, Is.EqualTo(golden.ParameterCount));
        Assert.That(network.Trained.Select(p => p.Name), Is.EqualTo(golden.Parameters.Select(p => p.Name)));
        Assert.That(network.Trained.Select(p => p.Shape.Dims), Is.EqualTo(golden.Parameters.Select(p => p.Shape)));

        using var model = new Model(network, device);
        using var plan = new Plan(model, golden.Batch + spare, training: true, golden.LabelSmoothing);
        if (spare > 0) RunOtherData(plan, golden);
        Initialize(model);
        plan.Load(golden.Pixels, golden.Labels);
        plan.RunTraining();
        LossSums sums = plan.ReadLoss();
        Assert.That(sums.Samples, Is.EqualTo(golden.Batch));
        Assert.That(sums.Loss / sums.Samples, Is.EqualTo(golden.Loss).Within(relative / 10 * golden.Loss), "loss");
        AssertLogits(golden.LogitsFirstSample, plan, relative, "logits");
        AssertGradients(model, golden, relative);

        using var evaluation = new Plan(model, golden.Batch + spare, training: false, golden.LabelSmoothing);
        evaluation.Load(golden.Pixels, golden.Labels);
        evaluation.RunEvaluation();
        AssertLogits(golden.EvalLogitsAfterOneTrainingForward, evaluation, relative, "evaluation logits");
    }

    private static void Initialize(Model model)
    {
        int trained = 0;
        foreach (Parameter p in model.Network.Parameters)
            model.Parameters.Upload(p.Index, ParameterSlot.Value, GoldenStep.InitialValues(p, p.IsTrained ? trained++ : 0));
    }

    private static void RunOtherData(Plan plan, GoldenStep golden)
    {
        Initialize(plan.Model);
        plan.Load(Values.Random(1, (long)plan.BatchSize * golden.Input.Elements), new int[plan.BatchSize]);
        plan.RunTraining();
        plan.ReadLoss();
    }

    private static void AssertLogits(double[] expected, Plan plan, double relative, string what)
    {
        var logits = new float[plan.Count * expected.Length];
        plan.ReadLogits(logits);
        double largest = expected.Max(Math.Abs);
        for (int k = 0; k < expected.Length; k++)
            Assert.That((double)logits[k], Is.EqualTo(expected[k]).Within(relative * largest), $"{what}[{k}]");
    }

    private static void AssertGradients(Model model, GoldenStep golden, double relative)
    {
        double floor = relative / 100 * golden.GradientNorm;
        foreach ((Parameter p, GoldenParameter expected) in model.Network.Trained.Zip(golden.Parameters))
        {
            float[] gradient = Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient);
            double norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
            Assert.That(norm, Is.EqualTo(expected.GradNorm).Within(floor + relative * expected.GradNorm), $"gradient norm of {p.Name}");
            Assert.That(GoldenStep.Probe(gradient, expected.Index),
                Is.EqualTo(expected.GradProbe).Within(floor + relative * Math.Abs(expected.GradProbe) + relative / 5 * expected.GradNorm),
                $"gradient probe of {p.Name}");
        }
    }
}
