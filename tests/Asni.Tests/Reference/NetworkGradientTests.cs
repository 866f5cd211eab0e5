using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Reference;

/// <summary>The gradients of whole networks on the reference device beside central differences of the loss.</summary>
public class NetworkGradientTests
{
    private const double Step = 1e-5;

    [Test]
    public void A_network_s_gradients_are_the_derivatives([Values] Activation activation)
    {
        if (activation == Activation.None) return;
        Network network = new NetworkBuilder("n", new Chw(2, 5, 5)).Convolution("conv", 4, 3, bias: true).Activate("a1", activation)
            .Residual("block", b => b.Convolution("inner", 4, 3, padding: 1).BatchNorm("norm").Activate("a2", activation)).Activate("a3", activation)
            .Linear("fc1", 6).Activate("a4", activation).Linear("fc2", 3).Build();
        using var device = new ReferenceDevice();
        using var model = new Model(network, device);
        foreach (Parameter p in network.Parameters)
            model.Parameters.Upload(p.Index, Asni.Devices.ParameterSlot.Value, Values.Random((ulong)p.Index + 1, p.Elements, 0.5f, p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance ? 1 : 0));
        using var plan = new Plan(model, 3, training: true);
        plan.Load(Values.Random(9, 3L * network.Input.Elements), [0, 2, 1]);
        double Loss()
        {
            plan.RunTraining();
            return plan.ReadLoss().Loss / 3;
        }

        Loss();
        double[][] gradients = [.. network.Parameters.Select(p => p.IsTrained ? ReferenceBuffer.Doubles(model.Parameters.Gradient(p.Index)).ToArray() : [])];
        foreach (Parameter p in network.Parameters.Where(p => p.IsTrained))
            for (int i = 0; i < p.Elements; i += 7)
            {
                double At(double value)
                {
                    ReferenceBuffer.Doubles(model.Parameters.Value(p.Index))[i] = value;
                    return Loss();
                }

                double value = ReferenceBuffer.Doubles(model.Parameters.Value(p.Index))[i];
                double difference = (At(value + Step) - At(value - Step)) / (2 * Step);
                At(value);
                Assert.That(gradients[p.Index][i], Is.EqualTo(difference).Within(1e-8), $"{p.Name}[{i}]");
            }
    }
}
