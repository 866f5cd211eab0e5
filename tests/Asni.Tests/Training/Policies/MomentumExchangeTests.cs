using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

/// <summary>Weights of sparse networks from scratch.</summary>
public class MomentumExchangeTests
{
    private static readonly Network s_network = TinyNetworks.Linear(4, 2, 2);

    /// <summary>4 of 8 and 2 of 4 live. Smoothed by 0.5 from 0: of gradients 8 x, 4 x and 2 x in turn there are 3 x left, of -8 y, 4 y and 2 y there is y.</summary>
    [Test]
    public void Two_layers_trade_weights_as_made_by_hand()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device);
        var policy = new MomentumExchange(model, ExchangeFraction.Constant(0.5), 0.5);
        Upload(model, ParameterSlot.Score, Values.Constant(8, float.NaN), Values.Constant(4, float.NaN));
        for (int step = 1; step <= 3; step++)
        {
            StepPoint at = new(0, step, 3, 2);
            Assert.That(policy.BeforeStep(at), Is.EqualTo(new StepNeeds(true, false)));
            float g = 16 >> step;
            Upload(model, ParameterSlot.Gradient, [0, g, -g, 0, -3 * g, 2 * g, 0.5f * g, step == 1 ? -g : g], [g, 0, 9 * g, -10 * g]);
            policy.AfterBackward(at);
            Assert.That(policy.AfterStep(at), Is.Null);
        }
        Assert.That(Read(model, 0, ParameterSlot.Score), Is.EqualTo((float[])[0, 3, -3, 0, -9, 6, 1.5f, 1]));
        Assert.That(Read(model, 2, ParameterSlot.Score), Is.EqualTo((float[])[3, 0, 27, -30]));
        // Both layers have a mean of 1.5: 2 + 1 are dropped, and 1.5 + 1.5 grow, the half goes to the first.
        Assert.That(policy.BetweenEpochs(new StepPoint(0, 3, 3, 2))!.Value.Kept, Is.EqualTo(6));
        // Weights 0 and 2 go. Of elements 0, 2, 4, 5, 6, 7 the momentum is 0, -3, -9, 6, 1.5, 1.
        Assert.That(model.Parameters.GetMask(0)!.Words[0], Is.EqualTo(0b0011_1010));
        Assert.That(model.Parameters.GetMask(2)!.Words[0], Is.EqualTo(0b1010));
        Assert.That(Read(model, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, -0.9f, 0, 0.5f, 0, 0, 0, 0]));
    }

    [Test]
    public void A_layer_with_more_momentum_grows()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device);
        var policy = new MomentumExchange(model, ExchangeFraction.Constant(0.5), 0);
        Upload(model, ParameterSlot.Gradient, [1, -1, 1, -1, 0, 0, 0, 0], [9, 9, 0, 0]);
        policy.AfterBackward(new StepPoint(0, 1, 1, 2));
        policy.BetweenEpochs(new StepPoint(0, 1, 1, 2));
        // 3 are dropped; 0.3 grow in the first layer and 2.7 in the second.
        Assert.That((model.Parameters.Live(0), model.Parameters.Live(2)), Is.EqualTo((2, 4)));
    }

    [Test]
    public void The_last_epoch_needs_no_dense_gradient_and_leaves_the_momentum()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device);
        var policy = new MomentumExchange(model, ExchangeFraction.Constant(0.5), 0.9);
        Upload(model, ParameterSlot.Score, Values.Constant(8, 3), Values.Constant(4, 3));
        Assert.That(policy.BeforeStep(new StepPoint(1, 1, 3, 2)), Is.EqualTo(default(StepNeeds)));
        policy.AfterBackward(new StepPoint(1, 1, 3, 2));
        Assert.That(Read(model, 0, ParameterSlot.Score), Is.All.EqualTo(3));
    }

    [Test]
    public void Momentum_that_is_not_a_number_is_a_divergence()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device);
        Upload(model, ParameterSlot.Score, Values.Constant(8, float.PositiveInfinity), Values.Constant(4, 1));
        Assert.That(() => new MomentumExchange(model, ExchangeFraction.Constant(0.5), 0.9).BetweenEpochs(new StepPoint(0, 3, 3, 2)), Throws.TypeOf<DivergenceException>());
        Assert.That(model.Parameters.Live(0), Is.EqualTo(4));
    }

    [Test]
    public void What_was_saved_is_restored()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device), other = Create(device);
        Upload(model, ParameterSlot.Score, Values.Random(1, 8), Values.Random(2, 4));
        PolicyState state = new MomentumExchange(model, ExchangeFraction.Constant(0.5), 0.9).Save()!;
        Assert.That(state.Tensors.Keys, Is.EqualTo((string[])["fc1.weight.momentum", "fc2.weight.momentum"]));
        var policy = new MomentumExchange(other, ExchangeFraction.Constant(0.5), 0.9);
        policy.Restore(state);
        Assert.That(Read(other, 2, ParameterSlot.Score), Is.EqualTo(Read(model, 2, ParameterSlot.Score)));
        Assert.That(() => policy.Restore(state with { Tensors = state.Tensors.Remove("fc1.weight.momentum") }), Throws.TypeOf<AsniException>().With.Message.Contains("no fc1.weight.momentum of 8 numbers"));
    }

    private static Model Create(CpuDevice device)
    {
        var model = new Model(s_network, device);
        Upload(model, ParameterSlot.Value, [0.1f, -0.9f, 0.2f, 0.5f, 0, 0, 0, 0], [0.1f, -0.2f, 0, 0]);
        model.Parameters.SetMask(0, First(8, 4));
        model.Parameters.SetMask(2, First(4, 2));
        return model;
    }

    private static Mask First(int elements, int live)
    {
        var mask = new Mask(elements, live: false);
        for (int i = 0; i < live; i++) mask[i] = true;
        return mask;
    }

    private static void Upload(Model model, ParameterSlot slot, float[] first, float[] second)
    {
        model.Parameters.Upload(0, slot, first);
        model.Parameters.Upload(2, slot, second);
    }

    private static float[] Read(Model model, int parameter, ParameterSlot slot) => Workbench.Read(model.Parameters, parameter, slot);
}
