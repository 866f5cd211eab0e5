using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Optimizers;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

/// <summary>Penalties that draw whole units to 0.</summary>
public class UnitPenaltyTests
{
    private static readonly LearningRate s_rate = new() { Kind = LearningRateKind.Multistep, Initial = 0.5, Steps = [1], Gamma = 0.5 };

    /// <summary>1 of 2 inputs, then batch-norm: units are (filter, gamma, beta), and no bias.</summary>
    private static Network Normed => new NetworkBuilder("n", new Chw(2, 2, 2)).Convolution("conv", 2, 1, bias: false).BatchNorm("norm").Relu("relu").Linear("fc", 2).Build();

    /// <summary>Unit 0 is (3, 0, 0, 4), of norm 5 and 4 numbers: 1 - 0.5 0.5 2 / 5 = 0.9. Unit 1 has norm 0.4, below 0.5.</summary>
    [Test]
    public void A_lasso_step_shortens_units_by_the_rate_and_small_ones_become_0()
    {
        using Bench on = new([3, 0, 0.4f, 0], [0, 0], [4, 0]);
        var policy = new UnitPenalty(on.Model, on.Groups, UnitPenaltyKind.Lasso, 0.5, s_rate);
        policy.AfterBackward(new StepPoint(0, 1, 2, 2));
        Assert.That(on.Read("conv.weight", ParameterSlot.Gradient), Is.EqualTo((float[])[1, 1, 1, 1]));
        Assert.That(policy.AfterStep(new StepPoint(0, 1, 2, 2)), Is.Null);
        Outputs.AssertClose([2.7f, 0, 0, 0], on.Read("conv.weight"), 1e-6, 0, "filters");
        Outputs.AssertClose([3.6f, 0], on.Read("norm.bias"), 1e-6, 0, "beta");
        Assert.That(on.Read("conv.weight")[2..].Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
        // Half of the rate: 1 - 0.25 0.5 2 / 4.5.
        policy.AfterStep(new StepPoint(1, 1, 2, 2));
        Outputs.AssertClose([2.7f * (1 - 0.25f / 4.5f)], on.Read("conv.weight")[..1], 1e-6, 0, "filter");
        Assert.That(on.Read("fc.weight"), Is.EqualTo(on.Last), "what reads the units is left alone");
    }

    [Test]
    public void Slimming_adds_the_sign_of_gamma_and_leaves_the_rest()
    {
        using Bench on = new([3, 0, 0.4f, 0], [-0.2f, 0], [4, 0]);
        var policy = new UnitPenalty(on.Model, on.Groups, UnitPenaltyKind.Slimming, 0.25, s_rate);
        policy.AfterBackward(new StepPoint(0, 1, 2, 2));
        policy.AfterStep(new StepPoint(0, 1, 2, 2));
        Outputs.AssertClose([0.75f, 1], on.Read("norm.weight", ParameterSlot.Gradient), 1e-6, 0, "d gamma");
        foreach (string other in (string[])["conv.weight", "norm.bias"]) Assert.That(on.Read(other, ParameterSlot.Gradient), Is.All.EqualTo(1), other);
        Assert.That(on.Read("norm.weight"), Is.EqualTo((float[])[-0.2f, 0]));
    }

    /// <summary>Norms 5, 2 and (the middle) 3.5: factors 0.1 times 2^0, 2^4, 2^2.</summary>
    [Test]
    public void The_growing_penalty_is_16_times_as_large_for_the_smallest_unit_of_a_group()
    {
        Network network = new NetworkBuilder("n", new Chw(1, 1, 1)).Linear("first", 3, bias: false).Relu("relu").Linear("fc", 2).Build();
        using Bench on = new(network, [("first.weight", [5, -2, 3.5f])]);
        var policy = new UnitPenalty(on.Model, on.Groups, UnitPenaltyKind.Growing, 0.1, s_rate);
        policy.AfterBackward(new StepPoint(0, 1, 2, 2));
        Outputs.AssertClose([1 + 0.5f, 1 - 3.2f, 1 + 1.4f], on.Read("first.weight", ParameterSlot.Gradient), 1e-5, 0, "d w");
        on.Model.Parameters.Upload(0, ParameterSlot.Value, [2, -2, 2]);
        policy.AfterBackward(new StepPoint(0, 1, 2, 2));
        Outputs.AssertClose([1.7f, -2.4f, 2.6f], on.Read("first.weight", ParameterSlot.Gradient), 1e-5, 0, "equal ones have the factor of the largest");
    }

    /// <summary>No backward pass writes the gradient of such a bias, so that a gradient added to it would stay, and grow with each step and lane.</summary>
    [Test]
    public void A_growing_penalty_leaves_biases_before_batch_norm_alone([Values] bool normed)
    {
        NetworkBuilder builder = new NetworkBuilder("n", new Chw(2, 2, 2)).Convolution("conv", 2, 1, bias: true);
        Network network = (normed ? builder.BatchNorm("norm") : builder).Relu("relu").Linear("fc", 2).Build();
        using Bench on = new(network, [("conv.weight", [3, 0, 0.4f, 0]), ("conv.bias", [2, 1])]);
        new UnitPenalty(on.Model, on.Groups, UnitPenaltyKind.Growing, 0.1, s_rate).AfterBackward(new StepPoint(0, 1, 2, 2));
        Assert.That(on.Read("conv.bias", ParameterSlot.Gradient), normed ? Is.All.EqualTo(1) : Is.Unique);
        Assert.That(on.Read("conv.weight", ParameterSlot.Gradient), Is.Not.All.EqualTo(1));
    }

    /// <summary>Of 4 numbers 2 live: 1 - 0.5 0.5 sqrt(2) / 5.</summary>
    [Test]
    public void Pruned_weights_do_not_count()
    {
        using Bench on = new([3, 7, 0.4f, 0], [0, 0], [4, 0]);
        on.Model.Parameters.SetMask(0, new Mask(4) { [1] = false });
        on.Model.Parameters.SetMask(1, new Mask(2) { [0] = false });
        new UnitPenalty(on.Model, on.Groups, UnitPenaltyKind.Lasso, 0.5, s_rate).AfterStep(new StepPoint(0, 1, 2, 2));
        Outputs.AssertClose([3 * (1 - 0.25f * MathF.Sqrt(2) / 5), 0, 0.4f * 0, 0], on.Read("conv.weight"), 1e-6, 0, "filters");
    }

    /// <summary>A residual stream's units are those of all layers that add to it.</summary>
    [Test]
    public void Units_that_are_0_can_go_and_nothing_changes()
    {
        Network network = NetworkZoo.Create("resnet20", new Chw(3, 16, 16), 5);
        using var device = new CpuDevice(1);
        using var model = new Model(network, device);
        foreach (Parameter p in network.Parameters.Where(p => p.IsTrained))
            model.Parameters.Upload(p.Index, ParameterSlot.Value, [.. Values.Random(40 + (ulong)p.Index, p.Elements).Select(v => v * 0.2f)]);
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        var penalty = new UnitPenalty(model, groups, UnitPenaltyKind.Lasso, 1, new LearningRate { Kind = LearningRateKind.Multistep, Initial = 0.1155 });
        penalty.AfterStep(new StepPoint(0, 1, 2, 2));
        TrainedNetwork drawn = model.TakeSnapshot();
        Dictionary<string, ImmutableArray<int>> kept = groups.ToDictionary(g => g.Name, g => Enumerable.Range(0, g.Units).Where(u => g.Parameters.Any(p => drawn.Values[p.Index].AsSpan(u * p.Filter.FanIn, p.Filter.FanIn).ContainsAnyExcept(0f))).ToImmutableArray());
        Assert.That(kept.Sum(k => k.Value.Length), Is.LessThan(groups.Sum(g => g.Units)).And.GreaterThan(0));
        Assert.That(kept.Values.Select(k => k.Length), Is.All.GreaterThan(0));
        TrainedNetwork small = NarrowNetwork.Keep(drawn, kept);
        Pruning.CoupledUnitTests.AssertSameLogits(drawn, small, device);
    }

    private sealed class Bench : IDisposable
    {
        private readonly CpuDevice _device = new(1);

        public Bench(float[] filters, float[] gamma, float[] beta) : this(Normed, [("conv.weight", filters), ("norm.weight", gamma), ("norm.bias", beta)]) { }

        public Bench(Network network, (string Name, float[] Values)[] values)
        {
            Model = new Model(network, _device);
            foreach (Parameter p in network.Parameters.Where(p => p.IsTrained)) Model.Parameters.Upload(p.Index, ParameterSlot.Gradient, Values.Constant(p.Elements, 1));
            foreach ((string name, float[] of) in values) Model.Parameters.Upload(Index(name), ParameterSlot.Value, of);
            Last = Values.Random(4, network.Weights.Last().Elements);
            Model.Parameters.Upload(Index("fc.weight"), ParameterSlot.Value, Last);
        }

        public Model Model { get; }

        public ImmutableArray<PrunableGroup> Groups => PrunableGroups.Find(Model.Network).Groups;

        /// <summary>Weights of the last layer.</summary>
        public float[] Last { get; }

        public float[] Read(string name, ParameterSlot slot = ParameterSlot.Value) => Workbench.Read(Model.Parameters, Index(name), slot);

        public void Dispose()
        {
            Model.Dispose();
            _device.Dispose();
        }

        private int Index(string name) => Model.Network.Parameters.Single(p => p.Name == name).Index;
    }
}
