using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Pruning;

public class PrunerTests
{
    private readonly CpuDevice _device = new(2);
    private readonly List<TrainingNote> _notes = [];

    [OneTimeTearDown]
    public void Release() => _device.Dispose();

    [SetUp]
    public void Forget() => _notes.Clear();

    [Test]
    public void The_largest_magnitudes_over_all_layers_stay()
    {
        using Model model = Filled([0.1f, -0.9f, 0.3f, 0.2f], [0.8f, -0.05f]);
        PruneOutcome outcome = new PruningOptions().CreatePruner(model, seed: 0).PruneTo(0.5, _notes.Add);
        Assert.That(outcome.Kept, Is.EqualTo(3));
        Assert.That(Values(model, 0), Is.EqualTo(new[] { 0, -0.9f, 0.3f, 0 }));
        Assert.That(Values(model, 2), Is.EqualTo(new[] { 0.8f, 0 }));
        Assert.That(model.Sparsity, Is.EqualTo(0.5));
    }

    [Test]
    public void Equal_magnitudes_go_by_lower_index_first_kept()
    {
        using Model model = Filled([0.5f, -0.5f, 0.5f, -0.5f], [0.5f, 0.5f]);
        new PruningOptions().CreatePruner(model, seed: 0).PruneTo(0.5, _notes.Add);
        Assert.That(Values(model, 0), Is.EqualTo(new[] { 0.5f, -0.5f, 0.5f, 0 }));
        Assert.That(Values(model, 2), Is.EqualTo(new[] { 0f, 0f }));
    }

    [Test]
    public void Local_pruning_takes_the_same_share_of_each_layer()
    {
        using Model model = Filled([0.1f, -0.9f, 0.3f, 0.2f], [0.01f, -0.005f]);
        new PruningOptions { Local = true }.CreatePruner(model, seed: 0).PruneTo(0.5, _notes.Add);
        Assert.That(Values(model, 0), Is.EqualTo(new[] { 0, -0.9f, 0.3f, 0 }));
        Assert.That(Values(model, 2), Is.EqualTo(new[] { 0.01f, 0 }));
    }

    [Test]
    public void A_floor_keeps_the_best_of_a_layer_that_the_threshold_would_empty()
    {
        using Model model = Filled([0.4f, -0.9f, 0.3f, 0.2f], [0.01f, -0.005f]);
        PruneOutcome outcome = new PruningOptions { MinimumKept = 1 }.CreatePruner(model, seed: 0).PruneTo(0.5, _notes.Add);
        Assert.That(outcome.Kept, Is.EqualTo(3));
        Assert.That(Values(model, 0), Is.EqualTo(new[] { 0.4f, -0.9f, 0, 0 }));
        Assert.That(Values(model, 2), Is.EqualTo(new[] { 0.01f, 0 }));
    }

    [Test]
    public void An_emptied_layer_is_reported_once()
    {
        using Model model = Filled([0.4f, -0.9f, 0.3f, 0.2f], [0.01f, -0.005f]);
        var pruner = new PruningOptions().CreatePruner(model, seed: 0);
        pruner.PruneTo(0.5, _notes.Add);
        pruner.PruneTo(0.6, _notes.Add);
        Assert.That(_notes.Where(n => n.Kind == TrainingNoteKind.SparseLayer && n.Text.Contains("fc2.weight has no live weight left")), Has.Exactly(1).Items);
    }

    [Test]
    public void Biases_count_only_when_asked_for()
    {
        using Model model = Filled([0.1f, -0.9f, 0.3f, 0.2f], [0.8f, -0.05f]);
        model.Parameters.Upload(1, ParameterSlot.Value, [0.01f, 0.02f]);
        model.Parameters.Upload(3, ParameterSlot.Value, [0.03f]);
        var pruner = new PruningOptions { Biases = true }.CreatePruner(model, seed: 0);
        Assert.That(pruner.Total, Is.EqualTo(9));
        PruneOutcome outcome = pruner.PruneTo(3 / 9.0, _notes.Add);
        Assert.That(outcome.Kept, Is.EqualTo(6));
        Assert.That(Values(model, 1), Is.EqualTo(new[] { 0f, 0f }));
        Assert.That(Values(model, 3), Is.EqualTo(new[] { 0f }));
    }

    [Test]
    public void A_lower_target_revives_nothing()
    {
        using Model model = Filled([0.1f, -0.9f, 0.3f, 0.2f], [0.8f, -0.05f]);
        var pruner = new PruningOptions().CreatePruner(model, seed: 0);
        pruner.PruneTo(0.5, _notes.Add);
        PruneOutcome outcome = pruner.PruneTo(0.2, _notes.Add);
        Assert.That(outcome.Kept, Is.EqualTo(3));
        Assert.That(outcome.Threshold, Is.Null);
    }

    [Test]
    public void Repeated_pruning_equals_the_authors_rule_of_removing_the_smallest_survivors()
    {
        Network network = TinyNetworks.Linear(40, 30, 10);
        using var model = new Model(network, _device);
        var random = new SplitMix64(11);
        double[] magnitudes = new double[network.WeightCount];
        int at = 0;
        foreach (Parameter p in network.Weights)
        {
            var values = new float[p.Elements];
            for (int i = 0; i < values.Length; i++) magnitudes[at++] = Math.Abs(values[i] = (float)random.NextNormal());
            model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
        }
        var pruner = new PruningOptions().CreatePruner(model, seed: 0);
        var schedule = new SparsitySchedule { Mag1 = 0.95, Scale1 = 1.5 };
        bool[] alive = [.. magnitudes.Select(_ => true)];
        for (int e = 0; e < 11; e++)
        {
            pruner.PruneTo(schedule.GetSparsity(e, 12), _notes.Add);
            int remove = alive.Count(a => a) - (int)Quota.At(schedule.GetSparsity(e, 12), alive.Length);
            foreach (int i in Enumerable.Range(0, alive.Length).Where(i => alive[i]).OrderBy(i => magnitudes[i]).Take(remove).ToArray()) alive[i] = false;
            bool[] ours = [.. network.Weights.SelectMany(p => Values(model, p.Index)).Select(v => v != 0)];
            Assert.That(ours, Is.EqualTo(alive), $"after epoch {e}");
        }
    }

    private Model Filled(float[] first, float[] second)
    {
        var model = new Model(TinyNetworks.Linear(2, 2, 1), _device);
        model.Parameters.Upload(0, ParameterSlot.Value, first);
        model.Parameters.Upload(2, ParameterSlot.Value, second);
        return model;
    }

    private static float[] Values(Model model, int parameter)
    {
        var values = new float[model.Network.Parameters[parameter].Elements];
        model.Parameters.Download(parameter, ParameterSlot.Value, values);
        return values;
    }
}
