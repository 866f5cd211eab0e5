using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

public class ExchangeTests
{
    private static readonly Network s_network = TinyNetworks.Linear(12, 20, 8, 4);

    [TestCase(true)]
    [TestCase(false)]
    public void Every_layer_keeps_its_number_over_500_exchanges_and_what_was_ever_live_never_falls(bool byGradient)
    {
        using var device = new CpuDevice(2);
        using Model model = Masked(device, 0.2);
        long[] live = [.. s_network.Weights.Select(p => model.Parameters.Live(p.Index))];
        Mask[] first = [.. s_network.Weights.Select(p => model.Parameters.GetMask(p.Index)!)];
        var policy = new Exchange(model, byGradient ? Growth.ByGradient : Growth.AtRandom(5), ExchangeFraction.Constant(0.3), new Cadence(1, 1)) { Exploration = new Exploration(model) };
        double ever = policy.EverLive!.Value;
        Assert.That(ever, Is.EqualTo((double)live.Sum() / s_network.WeightCount));
        for (int step = 1; step <= 500; step++)
        {
            foreach (Parameter p in s_network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Gradient, Values.Random((ulong)(step * 10 + p.Index), p.Elements));
            Assert.That(policy.BeforeStep(At(step)), Is.EqualTo(new StepNeeds(byGradient, false)));
            Assert.That(policy.AfterStep(At(step)), Is.Not.Null);
            Assert.That(s_network.Weights.Select(p => model.Parameters.Live(p.Index)), Is.EqualTo(live));
            Assert.That(s_network.Weights.Select(p => model.Parameters.GetMask(p.Index)!.Live), Is.EqualTo(live));
            foreach (Parameter p in s_network.Weights) ParameterTests.AssertPrunedIsZero(model.Parameters, p.Index);
            Assert.That(policy.EverLive, Is.GreaterThanOrEqualTo(ever));
            ever = policy.EverLive!.Value;
        }
        Assert.That(ever, Is.GreaterThan(0.9), "500 exchanges try nearly all");
        Assert.That(s_network.Weights.Zip(first).Count(e => model.Parameters.GetMask(e.First.Index)!.Words.SequenceEqual(e.Second.Words)), Is.Zero);
    }

    /// <summary>4 of 8 live, f 0.5: 0.1 and 0.2 leave, and of the gradients of what is dead then, 0, 1, 3, 2, 0.5 and 4, the largest are those of elements 4 and 7.</summary>
    [Test]
    public void A_layer_with_given_weights_and_gradients_has_the_mask_made_by_hand()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(4, 2), device);
        var mask = new Mask(8, live: false);
        for (int i = 0; i < 4; i++) mask[i] = true;
        model.Parameters.Upload(0, ParameterSlot.Value, [0.1f, -0.9f, 0.2f, 0.5f, 0, 0, 0, 0]);
        model.Parameters.SetMask(0, mask);
        model.Parameters.Upload(0, ParameterSlot.Gradient, [0, 9, -1, 9, -3, 2, 0.5f, -4]);
        new Exchange(model, Growth.ByGradient, ExchangeFraction.Constant(0.5), new Cadence(1, 1)).AfterStep(At(1));
        Assert.That(model.Parameters.GetMask(0)!.Words[0], Is.EqualTo(0b1001_1010));
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, -0.9f, 0, 0.5f, 0, 0, 0, 0]));
    }

    [TestCase(0.2, 0.3, false, true)]
    [TestCase(0.2, 0.0, false, false)]
    [TestCase(1.0, 0.3, false, false)]
    [TestCase(1.0, 0.3, true, true)]
    public void A_step_after_which_nothing_moves_is_as_any_other(double density, double fraction, bool followsCuts, bool asks)
    {
        using var device = new CpuDevice(1);
        using Model model = Masked(device, density);
        var policy = new Exchange(model, Growth.ByGradient, ExchangeFraction.Constant(fraction), new Cadence(1, 1)) { ReplacesUpdate = true, FollowsCuts = followsCuts };
        Assert.That(policy.BeforeStep(At(1)), Is.EqualTo(asks ? new StepNeeds(true, true) : default));
    }

    [Test]
    public void The_loss_changes_by_the_dropped_weights_alone()
    {
        SparsePath.Forced = false;
        try
        {
            using var device = new CpuDevice(1);
            using Model exchanged = Masked(device, 0.3), dropped = Masked(device, 0.3);
            Mask[] before = [.. s_network.Weights.Select(p => exchanged.Parameters.GetMask(p.Index)!)];
            new Exchange(exchanged, Growth.AtRandom(2), ExchangeFraction.Constant(0.4), new Cadence(1, 1)).AfterStep(At(1));
            foreach ((Parameter p, Mask stays) in s_network.Weights.Zip(before))
            {
                Mask now = exchanged.Parameters.GetMask(p.Index)!;
                for (int i = 0; i < p.Elements; i++) stays[i] &= now[i];
                Assert.That(stays.Live, Is.LessThan(now.Live));
                dropped.Parameters.SetMask(p.Index, stays);
            }
            Assert.That(Loss(exchanged), Is.EqualTo(Loss(dropped)));
        }
        finally
        {
            SparsePath.Forced = null;
        }
    }

    [Test]
    public void The_share_that_moves_follows_a_cosine()
    {
        var fraction = new ExchangeFraction(0.3, 0, 100);
        Assert.That(((long[])[0, 25, 50, 75, 100, 150]).Select(fraction.At), Is.EqualTo((double[])[0.3, 0.15 * (1 + Math.Sqrt(0.5)), 0.15, 0.15 * (1 - Math.Sqrt(0.5)), 0, 0]).Within(1e-12));
        Assert.That(new ExchangeFraction(0.5, 0.005, 10).At(5), Is.EqualTo(0.2525).Within(1e-12));
        Assert.That(ExchangeFraction.Constant(0.3).At(7), Is.EqualTo(0.3));
    }

    [Test]
    public void Random_growth_depends_on_seed_and_step_alone()
    {
        using var device = new CpuDevice(2);
        ulong[] After(ulong seed, int step)
        {
            using Model model = Masked(device, 0.2);
            new Exchange(model, Growth.AtRandom(seed), ExchangeFraction.Constant(0.5), new Cadence(1, 1)).AfterStep(At(step));
            return [.. s_network.Weights.SelectMany(p => model.Parameters.GetMask(p.Index)!.Words.ToArray())];
        }
        ulong[] first = After(1, 3);
        Assert.That(After(1, 3), Is.EqualTo(first));
        Assert.That(After(1, 4), Is.Not.EqualTo(first));
        Assert.That(After(2, 3), Is.Not.EqualTo(first));
    }

    [Test]
    public void Between_epochs_there_is_no_gradient_to_grow_by()
    {
        using var device = new CpuDevice(1);
        using Model model = Masked(device, 0.2);
        Assert.That(() => new Exchange(model, Growth.ByGradient, ExchangeFraction.Constant(0.3), Cadence.EachEpoch), Throws.ArgumentException);
    }

    private static StepPoint At(int step) => new(0, step, 1000, 1);

    private static Model Masked(CpuDevice device, double density)
    {
        var model = new Model(s_network, device);
        foreach (Parameter p in s_network.Parameters)
        {
            model.Parameters.Upload(p.Index, ParameterSlot.Value, Values.Random((ulong)p.Index, p.Elements));
            if (p.IsWeight) model.Parameters.SetMask(p.Index, Values.Mask(30 + (ulong)p.Index, p.Elements, density));
        }
        return model;
    }

    private static double Loss(Model model)
    {
        using var plan = new Plan(model, 5, training: false);
        plan.Load(Values.Random(1, 5 * 12), [0, 1, 2, 3, 0]);
        plan.RunEvaluation();
        return plan.ReadLoss().Loss;
    }
}
