using Asni.Engine;
using Asni.Networks;
using Asni.Tests.Devices;
using Asni.Tests.Golden;

namespace Asni.Tests.Reference;

/// <summary>Proves the plan of scores on the (proven) reference device: its gradients are the derivatives of its loss with batch-norm's statistics as constants.</summary>
public class GradientPlanDerivativeTests
{
    /// <summary>Logits are rounded to single precision, which a smaller step would drown in.</summary>
    private const double Step = 1e-4;
    private const int ElementsChecked = 3;

    [Test]
    public void Gradients_are_the_derivatives_of_the_loss([ValueSource(typeof(SmallNetworks), nameof(SmallNetworks.Names))] string name, [Values(0, 1, 2)] double temperature)
    {
        using var device = new ReferenceDevice();
        using var model = new Model(SmallNetworks.Create(name), device);
        GoldenComparison.Initialize(model);
        using var plan = new GradientPlan(model, 5);
        LogitLoss loss = temperature == 0 ? LogitLosses.Sum : LogitLosses.CrossEntropy(temperature, 3);
        double Loss()
        {
            double total = 0;
            plan.Load(Values.Random(1, 3L * model.Network.Input.Elements), [0, 1, 2]);
            plan.Run((logits, labels, gradient) => total = loss(logits, labels, gradient));
            return total;
        }

        Loss();
        double[][] gradients = [.. model.Network.Parameters.Select(p => ReferenceBuffer.Doubles(model.Parameters.Gradient(p.Index)).ToArray())];
        double largest = gradients.Max(g => g.Max(Math.Abs));
        foreach (Parameter p in model.Network.Trained)
        {
            long stride = Math.Max(1, p.Elements / ElementsChecked);
            for (int i = 0; i < p.Elements; i += (int)stride)
            {
                double original = Value(i);
                Value(i) = original + Step;
                double above = Loss();
                Value(i) = original - Step;
                double below = Loss();
                Value(i) = original;
                double expected = (above - below) / (2 * Step);
                Assert.That(gradients[p.Index][i], Is.EqualTo(expected).Within(1e-2 * Math.Abs(expected) + 2e-3 * largest), $"{p.Name}[{i}]");
            }
            ref double Value(int i) => ref ReferenceBuffer.Doubles(model.Parameters.Value(p.Index))[i];
        }
    }
}
