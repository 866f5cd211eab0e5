using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Golden;

namespace Asni.Tests.Devices;

/// <summary>Training steps under masks whose weight gradients are defined everywhere.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class DenseGradientTests(DeviceCase device)
{
    private static readonly Network s_network = new NetworkBuilder("masked", new Chw(3, 10, 10)).Convolution("wide", 16, 3, padding: 1).BatchNorm("norm").Relu("cut")
        .Convolution("depthwise", 16, 3, padding: 1, groups: 16).Convolution("pointwise", 32, 1, bias: true).Relu("again").Convolution("strided", 16, 3, stride: 2, padding: 1)
        .MaxPool("pool", 2).Linear("hidden", 40).Relu("last").Linear("head", 5).Build();

    private const int Batch = 6;

    [TearDown]
    public void Unforce() => SparsePath.Forced = null;

    [Test]
    public void A_dense_step_has_every_gradient_and_leaves_others_as_they_were([Values(null, true)] bool? sparse)
    {
        using Device opened = device.Create(), exact = DeviceCase.OpenReference().Device;
        using Model model = Masked(opened), reference = Masked(exact);
        using var plan = new Plan(model, Batch, training: true);
        using var expected = new Plan(reference, Batch, training: true);
        Step(expected, dense: true);
        SparsePath.Forced = sparse;
        Spoil(model);
        float[] logits = Step(plan, dense: false);
        float[][] before = [.. s_network.Weights.Select(p => Live(model, p))];
        // The second and the third may come from a recording.
        for (int i = 0; i < 3; i++)
        {
            Spoil(model);
            Assert.That(Step(plan, dense: true), Is.EqualTo(logits), "forward passes do not change");
            foreach (Parameter p in s_network.Parameters.Where(p => p.IsTrained && p.Name != "wide.bias"))
            {
                float[] actual = Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient), wanted = Workbench.Read(reference.Parameters, p.Index, ParameterSlot.Gradient);
                float largest = wanted.Max(MathF.Abs);
                Assert.That(actual, Is.EqualTo(wanted).Within(1e-4 * largest), $"{p.Name}, dense step {i}");
                if (p.IsWeight) Assert.That(wanted.Where((_, k) => !Workbench.MaskOf(model.Parameters, p.Index)[k]), Has.Some.Not.Zero);
            }
        }
        Assert.That(Step(plan, dense: false), Is.EqualTo(logits));
        Assert.That(s_network.Weights.Select(p => Live(model, p)), Is.EqualTo(before));
    }

    private static Model Masked(Device opened)
    {
        var model = new Model(s_network, opened);
        GoldenComparison.Initialize(model);
        foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, Values.Mask(7 + (ulong)p.Index, p.Elements, 0.3));
        return model;
    }

    /// <summary>What a step does not write shows.</summary>
    private static void Spoil(Model model)
    {
        foreach (Parameter p in s_network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Gradient, Values.Constant(p.Elements, float.NaN));
    }

    private static float[] Step(Plan plan, bool dense)
    {
        plan.Load(Values.Random(9, (long)Batch * s_network.Input.Elements), [.. Enumerable.Range(0, Batch).Select(i => i % s_network.Classes)]);
        plan.RunTraining(dense);
        var logits = new float[Batch * s_network.Classes];
        plan.ReadLogits(logits);
        return logits;
    }

    private static float[] Live(Model model, Parameter p)
    {
        Mask mask = Workbench.MaskOf(model.Parameters, p.Index);
        return [.. Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient).Select((g, i) => mask[i] ? g : 0)];
    }
}
