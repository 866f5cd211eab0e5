using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Golden;

namespace Asni.Tests.Devices;

/// <summary>Masks that shrink, grow and are exchanged under plans that are in use: each plan does at once what one of a fresh model does.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class MaskChangeTests(DeviceCase device)
{
    private static readonly Network s_network = new NetworkBuilder("masked", new Chw(3, 10, 10)).Convolution("wide", 16, 3, padding: 1).BatchNorm("norm").Relu("cut")
        .Convolution("pointwise", 32, 1, bias: true).Relu("again").Convolution("strided", 16, 3, stride: 2, padding: 1).MaxPool("pool", 2).Linear("hidden", 40).Relu("last")
        .Linear("head", 5).Build();

    private static readonly int[] s_batches = [7, 3];

    [Test]
    public void Every_plan_takes_a_change_at_once()
    {
        using Device opened = device.Create();
        using var model = new Model(s_network, opened);
        GoldenComparison.Initialize(model);
        using var training = new Plan(model, s_batches[0], training: true);
        using var small = new Plan(model, s_batches[1], training: true);
        using var inference = new Plan(model, s_batches[0], training: false);
        Plan[] plans = [training, small, inference];
        int[] weights = [.. s_network.Weights.Select(p => p.Index)];
        var live = new long[weights.Length];
        void SetAll(double density, ulong seed)
        {
            foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, Values.Mask(seed + (ulong)p.Index, p.Elements, density));
        }
        (string What, Action Change)[] changes =
        [
            ("dense", () => { }),
            ("pruned", () => model.Parameters.Prune(weights, model.Kept / 10, live)),
            ("pruned again", () => model.Parameters.Prune(weights, model.Kept / 2, live)),
            ("one layer regrown", () => model.Parameters.SetMask(weights[2], Values.Mask(3, model.Parameters.Parameters[weights[2]].Elements, 0.7))),
            ("all exchanged", () => SetAll(0.05, 40)),
            ("all grown", () => SetAll(0.6, 80)),
            ("one layer dense, one empty", () =>
            {
                model.Parameters.SetMask(weights[0], null);
                model.Parameters.SetMask(weights[3], new Mask(model.Parameters.Parameters[weights[3]].Elements, live: false));
            }),
            ("loaded", () => model.Load(model.TakeSnapshot())),
            ("none", () => { foreach (int w in weights) model.Parameters.SetMask(w, null); }),
        ];
        foreach ((string what, Action change) in changes)
        {
            change();
            // What grew back starts from 0: new values make it count.
            Revive(model);
            foreach (Plan plan in plans)
                Assert.That(Step(plan), Is.EqualTo(OfFreshModel(opened, model, plan)), $"{what}, batch {plan.BatchSize}, {(plan.Training ? "training" : "inference")}");
        }
    }

    [Test]
    public void What_lives_again_starts_from_zero()
    {
        using Device opened = device.Create();
        using var model = new Model(s_network, opened);
        GoldenComparison.Initialize(model);
        Parameter p = s_network.Weights.First();
        float[] before = Values.Random(1, p.Elements), state = Values.Random(2, p.Elements), after = new float[p.Elements];
        model.Parameters.Upload(p.Index, ParameterSlot.Value, before);
        model.Parameters.Upload(p.Index, ParameterSlot.State0, state);
        Mask half = Values.Mask(5, p.Elements, 0.5);
        int version = model.Parameters.MaskVersion(p.Index), all = model.Parameters.MasksVersion, other = model.Parameters.MaskVersion(p.Index + 1);
        model.Parameters.SetMask(p.Index, half);
        model.Parameters.SetMask(p.Index, null);
        Assert.That(model.Parameters.Live(p.Index), Is.EqualTo(p.Elements));
        model.Parameters.Download(p.Index, ParameterSlot.Value, after);
        Assert.That(after, Is.EqualTo(before.Select((v, i) => half[i] ? v : 0)));
        model.Parameters.Download(p.Index, ParameterSlot.State0, after);
        Assert.That(after, Is.EqualTo(state.Select((v, i) => half[i] ? v : 0)));
        Assert.That((model.Parameters.MaskVersion(p.Index), model.Parameters.MasksVersion, model.Parameters.MaskVersion(p.Index + 1)), Is.EqualTo((version + 2, all + 2, other)));
        Assert.That(() => model.Parameters.SetMask(p.Index, new Mask(3)), Throws.ArgumentException.With.Message.Contains("its mask 3"));
    }

    private static void Revive(Model model)
    {
        foreach (Parameter p in s_network.Weights)
        {
            float[] values = Values.Random((ulong)(100 + p.Index), p.Elements);
            if (model.Parameters.GetMask(p.Index) is { } mask)
                for (int i = 0; i < values.Length; i++)
                    if (!mask[i]) values[i] = 0;
            model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
        }
    }

    /// <summary>Logits, and in training the gradients of live weights.</summary>
    private static float[][] Step(Plan plan)
    {
        var logits = new float[plan.BatchSize * s_network.Classes];
        plan.Load(Values.Random(9, (long)plan.BatchSize * s_network.Input.Elements), [.. Enumerable.Range(0, plan.BatchSize).Select(i => i % s_network.Classes)]);
        if (plan.Training) plan.RunTraining();
        else plan.RunEvaluation();
        plan.ReadLogits(logits);
        if (!plan.Training) return [logits];
        return [logits, .. s_network.Weights.Select(p =>
        {
            var gradient = new float[p.Elements];
            plan.Model.Parameters.Download(p.Index, ParameterSlot.Gradient, gradient);
            Mask? mask = plan.Model.Parameters.GetMask(p.Index);
            for (int i = 0; i < gradient.Length; i++)
                if (mask is not null && !mask[i]) gradient[i] = 0;
            return gradient;
        })];
    }

    private static float[][] OfFreshModel(Device opened, Model model, Plan plan)
    {
        using var fresh = new Model(s_network, opened);
        TrainedNetwork state = model.TakeSnapshot();
        // A step in training has moved the running statistics; inference reads them.
        fresh.Load(state);
        using var same = new Plan(fresh, plan.BatchSize, plan.Training);
        return Step(same);
    }
}
