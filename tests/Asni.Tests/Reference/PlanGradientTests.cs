using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tests.Devices;
using Asni.Tests.Golden;

namespace Asni.Tests.Reference;

/// <summary>
/// Proves the plan: what it gets out of the (proven) reference device as gradients of a whole network are the derivatives of the loss. A
/// wrong fusion, a gradient not added up, or memory reused too early shows here.
/// </summary>
public class PlanGradientTests
{
    private const double Step = 1e-6;
    private const double Tolerance = 1e-6;
    private const int ElementsChecked = 3;

    [Test]
    public void Gradients_of_a_whole_network_are_the_derivatives_of_its_loss(
        [ValueSource(typeof(SmallNetworks), nameof(SmallNetworks.Names))] string name, [Values(3, 5)] int samples)
    {
        using var device = new ReferenceDevice();
        using var model = new Model(SmallNetworks.Create(name), device);
        using var plan = new Plan(model, 5, training: true, labelSmoothing: 0.1f);
        GoldenComparison.Initialize(model);
        double Loss(int count)
        {
            plan.Load(Values.Random(1, (long)count * model.Network.Input.Elements), [.. Enumerable.Range(0, count)]);
            plan.RunTraining();
            return plan.ReadLoss().Loss / count;
        }

        Loss(5); // what a full batch leaves behind must not show in a smaller one
        Loss(samples);
        double[][] gradients =
            [.. model.Network.Parameters.Select(p => ReferenceBuffer.Doubles(model.Parameters.Gradient(p.Index)).ToArray())];
        foreach (Parameter p in model.Network.Trained)
        {
            long stride = Math.Max(1, p.Elements / ElementsChecked);
            for (int i = 0; i < p.Elements; i += (int)stride)
            {
                double original = Value(i);
                Value(i) = original + Step;
                double above = Loss(samples);
                Value(i) = original - Step;
                double below = Loss(samples);
                Value(i) = original;
                Assert.That(gradients[p.Index][i], Is.EqualTo((above - below) / (2 * Step)).Within(Tolerance), $"{p.Name}[{i}]");
            }
            ref double Value(int i) => ref ReferenceBuffer.Doubles(model.Parameters.Value(p.Index))[i];
        }
    }

    [Test]
    public void Inference_of_a_batch_is_inference_of_each_sample(
        [ValueSource(typeof(SmallNetworks), nameof(SmallNetworks.Names))] string name)
    {
        using var device = new ReferenceDevice();
        using var model = new Model(SmallNetworks.Create(name), device);
        GoldenComparison.Initialize(model);
        using var inference = new Plan(model, 4, training: false);
        float[] input = Values.Random(1, 3L * model.Network.Input.Elements);
        var whole = new float[3 * model.Network.Classes];
        inference.Load(input, [0, 1, 2]);
        inference.RunEvaluation();
        inference.ReadLogits(whole);
        for (int n = 0; n < 3; n++)
        {
            var single = new float[model.Network.Classes];
            inference.Load(input.AsSpan(n * model.Network.Input.Elements, model.Network.Input.Elements), [n]);
            inference.RunEvaluation();
            inference.ReadLogits(single);
            Assert.That(single, Is.EqualTo(whole.AsSpan(n * single.Length, single.Length).ToArray()), $"sample {n}");
        }
    }
}
