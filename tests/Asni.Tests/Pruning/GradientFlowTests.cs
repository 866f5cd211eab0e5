using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Tests.Reference;

namespace Asni.Tests.Pruning;

/// <summary>GraSP's score.</summary>
public class GradientFlowTests
{
    private static readonly BlobDataset s_data = new(40, new Chw(36, 1, 1), 4, seed: 1);

    /// <summary>By hand: H = ((2, 1), (1, 3)), b = (1, -1), w = (1, 2): g = H w - b = (3, 8), H g = (14, 27), -w (H g) = (-14, -54), and the first goes first.</summary>
    [Test]
    public void Gradient_flow_of_a_quadratic_is_what_it_is_by_hand()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 1), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [1, 2]);
        new GradientFlow(new Quadratic(model)).Write(model, model.Network.Weights);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[14, 54]).Within(0.1).Percent);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[1, 2]), "the weights are as they were");
        new Pruner(model, new GradientFlow(new Quadratic(model)), new Pooled()).PruneTo(0.5, _ => { });
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, 2]));
    }

    [TestCase(1)]
    [TestCase(200)]
    public void Gradient_flow_by_differences_is_within_a_hundredth_of_double_precision(double temperature)
    {
        Network network = TinyNetworks.Linear(36, 10, 8, 4);
        TrainedNetwork start = Asni.Methods.MethodRunner.CreateInitialWeights(network, 5);
        ScoringImages images = ScoringImages.DrawPerClass(s_data, 3, seed: 2);
        using var device = new CpuDevice(2);
        using var model = new Model(network, device);
        model.Load(start);
        using var gradient = new LossGradient(model, images, batchSize: 8, temperature);
        new GradientFlow(gradient).Write(model, network.Weights);

        using var exact = new ReferenceDevice();
        using var reference = new Model(network, exact);
        reference.Load(start);
        using var precise = new LossGradient(reference, images, batchSize: 8, temperature);
        double[][] g = Gradient(reference, precise);
        const double step = 1e-4;
        double scale = step / Math.Sqrt(g.Sum(t => t.Sum(x => x * x)));
        double[][] above = Moved(scale), below = Moved(-2 * scale);
        foreach ((Parameter p, int i) in network.Weights.Select((p, i) => (p, i)))
        {
            double[] expected = [.. above[i].Zip(below[i], (a, b) => (a - b) / (2 * scale)).Select((h, k) => h * start.Values[p.Index][k])];
            float[] scores = Workbench.Read(model.Parameters, p.Index, ParameterSlot.Score);
            double distance = Math.Sqrt(expected.Zip(scores, (a, b) => (a - b) * (a - b)).Sum()), norm = Math.Sqrt(expected.Sum(x => x * x));
            Assert.That(distance, Is.LessThan(0.01 * norm), p.Name);
        }

        double[][] Moved(double by)
        {
            foreach ((Parameter p, double[] direction) in network.Weights.Zip(g))
            {
                Span<double> w = ReferenceBuffer.Doubles(reference.Parameters.Value(p.Index));
                for (int k = 0; k < w.Length; k++) w[k] += by * direction[k];
            }
            return Gradient(reference, precise);
        }
    }

    private static double[][] Gradient(Model model, LossGradient gradient)
    {
        int[] weights = [.. model.Network.Weights.Select(p => p.Index)];
        model.Parameters.ResetState();
        gradient.AddTo(ParameterSlot.State1, weights, 1);
        // What a download would round.
        model.Parameters.Combine(weights, ElementFunction.Identity, ParameterSlot.State1, ParameterSlot.Gradient);
        return [.. weights.Select(w => ReferenceBuffer.Doubles(model.Parameters.Gradient(w)).ToArray())];
    }

    /// <summary>H = ((2, 1), (1, 3)), b = (1, -1): the gradient H w - b of two weights.</summary>
    internal sealed class Quadratic(Model model) : IGradient
    {
        public void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor)
        {
            float[] w = Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
            model.Parameters.Upload(0, ParameterSlot.Gradient, [2 * w[0] + w[1] - 1, w[0] + 3 * w[1] + 1]);
            model.Parameters.Combine(parameters, ElementFunction.Identity, ParameterSlot.Gradient, slot, factor, b: 1);
        }
    }
}
