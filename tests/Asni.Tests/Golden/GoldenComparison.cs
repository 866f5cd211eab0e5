using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Golden;

internal static class GoldenComparison
{
    /// <summary>
    /// With r = <paramref name="relative"/>: loss within r / 10, logits within r of the largest, gradient norms within r of themselves. A
    /// probe is a sum with random signs that may cancel, so it may also be off by r / 5 of the gradient's norm. A bias before a batch-norm has a
    /// gradient of 0 plus rounding (1e-16 in PyTorch's file), hence a floor of r / 100 of the norm of the whole gradient for both.
    /// </summary>
    /// <param name="spare">
    /// How many samples the plan has room for beyond the golden batch; if any, a full batch of other data is run first.
    /// </param>
    public static void AssertMatches(Device device, string file, int spare, double relative)
    {
        GoldenFile golden = GoldenFile.Load(file);
        var input = new Chw(golden.InputShape[1], golden.InputShape[2], golden.InputShape[3]);
        Network network = NetworkZoo.Create(GoldenFile.All.Single(g => g.File == file).Zoo, input, golden.Classes);
        float[] pixels = [.. Enumerable.Range(0, golden.Batch * input.Elements).Select(i => (float)GoldenFormula.Input(i))];
        int[] labels = [.. Enumerable.Range(0, golden.Batch).Select(n => GoldenFormula.Label(n, golden.Classes))];

        using var model = new Model(network, device);
        using var plan = new Plan(model, golden.Batch + spare, training: true, (float)golden.LabelSmoothing);
        if (spare > 0) RunOtherData(plan);
        Initialize(model);
        plan.Load(pixels, labels);
        plan.RunTraining();
        LossSums sums = plan.ReadLoss();
        Assert.That(sums.Samples, Is.EqualTo(golden.Batch));
        Assert.That(sums.Loss / sums.Samples, Is.EqualTo(golden.Loss).Within(relative / 10 * golden.Loss), "loss");
        AssertLogits(golden.LogitsFirstSample, plan, relative, "logits");
        AssertGradients(model, golden, relative);

        using var evaluation = new Plan(model, golden.Batch + spare, training: false, (float)golden.LabelSmoothing);
        evaluation.Load(pixels, labels);
        evaluation.RunEvaluation();
        AssertLogits(golden.EvalLogitsAfterOneTrainingForward, evaluation, relative, "evaluation logits");
    }

    /// <summary>Gives a model the golden weights.</summary>
    public static void Initialize(Model model)
    {
        int trained = 0;
        foreach (Parameter p in model.Network.Parameters)
            model.Parameters.Upload(p.Index, ParameterSlot.Value, GoldenFormula.Fill(p, p.IsTrained ? trained++ : 0));
    }

    /// <summary>A training step with a full batch.</summary>
    public static void RunOtherData(Plan plan)
    {
        Initialize(plan.Model);
        plan.Load(Values.Random(1, (long)plan.BatchSize * plan.Model.Network.Input.Elements), new int[plan.BatchSize]);
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

    private static void AssertGradients(Model model, GoldenFile golden, double relative)
    {
        double floor = relative / 100 * golden.GradientNorm;
        foreach ((Parameter p, GoldenParameter expected) in model.Network.Trained.Zip(golden.Parameters))
        {
            float[] gradient = Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient);
            double norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
            double probe = gradient.Select((g, i) => g * GoldenFormula.Probe(expected.Index, i)).Sum();
            Assert.That(norm, Is.EqualTo(expected.GradNorm).Within(floor + relative * expected.GradNorm), $"gradient norm of {p.Name}");
            double margin = floor + relative * Math.Abs(expected.GradProbe) + relative / 5 * expected.GradNorm;
            Assert.That(probe, Is.EqualTo(expected.GradProbe).Within(margin), $"gradient probe of {p.Name}");
        }
    }
}
