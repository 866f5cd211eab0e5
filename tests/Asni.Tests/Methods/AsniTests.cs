using Asni.Cpu;
using Asni.Data;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Methods;

/// <summary>What the paper promises, on a network small enough to train in a second.</summary>
public class AsniTests
{
    private static readonly Network Net = TinyNetworks.Linear(36, 40, 20, 4);
    private static readonly DatasetSplit Data = BlobDataset.Split(600, new Chw(36, 1, 1), 4);

    private static readonly AsniII Both = new() { Schedule = new SparsitySchedule { Scale1 = 0.8 }, Sparsity = 0.9 };
    private static readonly AsniI First = new() { Schedule = new SparsitySchedule { Scale1 = 0.8 }, Sparsity = 0.9 };

    private static Recipe Quick(int epochs = 6) => new()
    {
        Network = "tiny",
        Data = "blobs",
        Epochs = epochs,
        BatchSize = 50,
        Seed = 3,
        Optimizer = new OptimizerSettings { Kind = OptimizerKind.Nesterov, Momentum = 0.9, WeightDecay = 5e-4 },
        LearningRate = new LearningRate { Initial = 0.02 },
        Method = Both,
    };

    private static (RunResult Result, RecordingObserver Observer) Run(Recipe recipe, int threads = 2, CancellationToken cancellation = default)
    {
        using var device = new CpuDevice(threads);
        var observer = new RecordingObserver();
        return (MethodRunner.Run(recipe, Net, Data, device, observer, cancellationToken: cancellation), observer);
    }

    [Test]
    public void ASNI_I_delivers_exactly_the_asked_sparsity_and_learns()
    {
        (RunResult result, RecordingObserver observer) = Run(Quick() with { Method = First });
        PhaseResult phase = result["asni1"]!;
        Assert.That(phase.Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        Assert.That(phase.Model.Kept, Is.EqualTo(phase.Kept));
        Assert.That(phase.Top1, Is.GreaterThan(0.6), "chance is 0.25");
        Assert.That(observer.Epochs.Select(e => e.Sparsity), Is.Ordered.Ascending);
        Assert.That(observer.Epochs[0].Sparsity, Is.Zero);
        Assert.That(observer.Epochs[0].Threshold, Is.Null);
        Assert.That(observer.Epochs[^1].Threshold, Is.GreaterThan(0));
        Assert.That(phase.Complete, Is.True);
    }

    [Test]
    public void Pruned_weights_are_bitwise_zero_through_momentum_and_decay()
    {
        PhaseResult phase = Run(Quick() with { Method = First }).Result["asni1"]!;
        foreach (Parameter p in Net.Weights)
        {
            Mask mask = phase.Model.Masks[p.Index]!;
            float[] values = phase.Model.Values[p.Index];
            for (int i = 0; i < values.Length; i++)
                if (!mask[i]) Assert.That(BitConverter.SingleToInt32Bits(values[i]), Is.Zero, $"{p.Name}[{i}]");
        }
    }

    [Test]
    public void ASNI_II_starts_from_two_numbers_a_layer_and_trains_under_the_same_mask()
    {
        RunResult result = Run(Quick()).Result;
        PhaseResult sparse = result["asni1"]!, amenable = result["asni2"]!;
        foreach (LayerResult layer in amenable.Layers)
        {
            int index = layer.Parameter.Index;
            float[] live = [.. amenable.Initial.Values[index].Where(v => v != 0)];
            Assert.That(live.Distinct(), Is.EquivalentTo(new[] { layer.CenterPlus!.Value, layer.CenterMinus!.Value }));
            float[] survivors = [.. sparse.Model.Values[index].Where(v => v > 0)];
            Assert.That(layer.CenterPlus.Value, Is.EqualTo(survivors.Average()).Within(1e-6));
            Assert.That(amenable.Model.Masks[index]!.Words.ToArray(), Is.EqualTo(sparse.Model.Masks[index]!.Words.ToArray()));
            Assert.That(sparse.Model.Values[index].Zip(amenable.Initial.Values[index], (a, b) => Math.Sign(a) == Math.Sign(b)), Has.All.True);
        }
        foreach (Parameter bias in Net.Parameters.Where(p => p.Kind == ParameterKind.Bias))
            Assert.That(amenable.Initial.Values[bias.Index], Has.All.Zero);
        Assert.That(amenable.Top1, Is.GreaterThan(0.6));
        Assert.That(amenable.Kept, Is.EqualTo(sparse.Kept));
    }

    [Test]
    public void Quantized_biases_hold_two_numbers_a_tensor()
    {
        PhaseResult amenable = Run(Quick() with { Method = Both with { QuantizeBiases = true } }).Result["asni2"]!;
        foreach (Parameter bias in Net.Parameters.Where(p => p.Kind == ParameterKind.Bias))
            Assert.That(amenable.Initial.Values[bias.Index].Distinct().Count(), Is.InRange(1, 2));
        Assert.That(amenable.Initial.Values[1], Has.Some.Not.Zero);
    }

    [Test]
    public void Control_runs_share_the_mask_or_its_layer_counts()
    {
        RunResult result = Run(Quick(3) with { Method = Both with { Controls = ControlRuns.Ticket | ControlRuns.Reinit | ControlRuns.Shuffle } }).Result;
        PhaseResult sparse = result["asni1"]!, ticket = result["ticket"]!, reinit = result["reinit"]!, shuffle = result["shuffle"]!;
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "asni1", "asni2", "ticket", "reinit", "shuffle" }));
        foreach (Parameter p in Net.Weights)
        {
            Mask mask = sparse.Model.Masks[p.Index]!;
            for (int i = 0; i < mask.Length; i++)
            {
                Assert.That(ticket.Initial.Values[p.Index][i], Is.EqualTo(mask[i] ? sparse.Initial.Values[p.Index][i] : 0f));
                if (mask[i]) Assert.That(reinit.Initial.Values[p.Index][i], Is.Not.EqualTo(sparse.Initial.Values[p.Index][i]));
            }
            Assert.That(shuffle.Initial.Live(p), Is.EqualTo(mask.Live));
            Assert.That(shuffle.Initial.Masks[p.Index]!.Words.ToArray(), Is.Not.EqualTo(mask.Words.ToArray()));
            Assert.That(shuffle.Initial.Values[p.Index].Order(), Is.EqualTo(result["asni2"]!.Initial.Values[p.Index].Order()));
        }
    }

    [Test]
    public void Controls_of_signs_and_magnitudes_keep_the_mask()
    {
        RunResult result = Run(Quick(3) with { Method = Both with { Controls = ControlRuns.RandomSigns | ControlRuns.InitialSigns | ControlRuns.LayerMagnitude | ControlRuns.NetworkMagnitude } }).Result;
        PhaseResult sparse = result["asni1"]!, amenable = result["asni2"]!;
        Assert.That(result.Phases.Skip(2).Select(p => p.Phase), Is.EqualTo(new[] { "initialsigns", "randomsigns", "layermagnitude", "networkmagnitude" }));
        foreach (PhaseResult control in result.Phases.Skip(2))
            foreach (Parameter p in Net.Weights)
            {
                Assert.That(control.Model.Masks[p.Index]!.Words.ToArray(), Is.EqualTo(sparse.Model.Masks[p.Index]!.Words.ToArray()));
                float[] signs = control.Phase switch
                {
                    "initialsigns" => sparse.Initial.Values[p.Index],
                    "randomsigns" => control.Initial.Values[p.Index],
                    _ => sparse.Model.Values[p.Index],
                };
                Assert.That(control.Initial.Values[p.Index].Zip(signs).Where(v => v.First != 0).Select(v => v.First * v.Second), Is.All.Positive, $"{control.Phase} {p.Name}");
            }
        float[] Magnitudes(string phase, Parameter p) => [.. result[phase]!.Initial.Values[p.Index].Where(v => v != 0).Select(MathF.Abs).Distinct()];
        Assert.That(Net.Weights.Select(p => Magnitudes("layermagnitude", p)), Is.All.Length.EqualTo(1));
        Assert.That(Net.Weights.SelectMany(p => Magnitudes("networkmagnitude", p)).Distinct().Count(), Is.EqualTo(1));
        Assert.That(Net.Weights.Select(p => Magnitudes("randomsigns", p)), Is.EqualTo(Net.Weights.Select(p => Magnitudes("asni2", p)).ToArray()).Using<float[]>((a, b) => a.Order().SequenceEqual(b.Order())));
        Assert.That(result["randomsigns"]!.Initial.Values[0], Is.Not.EqualTo(amenable.Initial.Values[0]));
    }

    [Test]
    public void Many_levels_are_one_start_of_many_and_signs_of_others_are_refused()
    {
        PhaseResult amenable = Run(Quick(3) with { Method = Both with { Levels = new LevelOptions { Levels = 4 } } }).Result["asni2"]!;
        foreach (Parameter p in Net.Weights) Assert.That(amenable.Initial.Values[p.Index].Where(v => v != 0).Distinct().Count(), Is.EqualTo(4));
        Assert.That(amenable.Layers.Select(l => (l.CenterPlus, l.CenterMinus)), Is.All.EqualTo(((float?)null, (float?)null)));
        Recipe wrong = Quick() with { Method = Both with { Levels = new LevelOptions { Levels = 4 }, Controls = ControlRuns.RandomSigns } };
        Assert.That(() => Run(wrong), Throws.TypeOf<UsageException>().With.Message.StartsWith("signs that are random need levels of 1 or 2"));
    }

    [Test]
    public void Kept_norms_are_those_of_the_sparse_network()
    {
        Network network = new NetworkBuilder("normed", new Chw(36, 1, 1)).Linear("a", 20).BatchNorm("norm").Relu("cut").Linear("b", 4).Build();
        using var device = new CpuDevice(1);
        foreach (NormStart norm in Enum.GetValues<NormStart>())
        {
            RunResult result = MethodRunner.Run(Quick(2) with { Method = Both with { Levels = new LevelOptions { Norm = norm } } }, network, Data, device, new RecordingObserver());
            foreach (Parameter p in network.Parameters.Where(p => p.Name.StartsWith("norm", StringComparison.Ordinal)))
            {
                float[] start = result["asni2"]!.Initial.Values[p.Index];
                if (norm == NormStart.Kept) Assert.That(start, Is.EqualTo(result["asni1"]!.Model.Values[p.Index]));
                else Assert.That(start, Is.All.EqualTo(p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance ? 1f : 0f));
            }
            Assert.That(result["asni2"]!.Initial.Values[1], Has.All.Zero, "the bias is fresh with either");
        }
    }

    [Test]
    public void The_same_seed_gives_the_same_network_bit_for_bit_and_another_seed_does_not()
    {
        PhaseResult a = Run(Quick(3)).Result["asni2"]!, b = Run(Quick(3)).Result["asni2"]!, c = Run(Quick(3) with { Seed = 4 }).Result["asni2"]!;
        Assert.That(b.Model.Values[0], Is.EqualTo(a.Model.Values[0]));
        Assert.That(c.Model.Values[0], Is.Not.EqualTo(a.Model.Values[0]));
    }

    [Test]
    public void Pruning_every_few_steps_follows_the_same_curve()
    {
        Recipe recipe = Quick() with { Method = First with { EverySteps = 3 } };
        (RunResult result, RecordingObserver observer) = Run(recipe);
        Assert.That(result["asni1"]!.Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        Assert.That(observer.Epochs[2].Sparsity, Is.EqualTo(First.EffectiveSchedule(recipe).GetSparsity(2, recipe.Epochs)).Within(1e-3));
        Assert.That(observer.Epochs[^1].Sparsity, Is.EqualTo(0.9).Within(1e-3));
    }

    [Test]
    public void A_diverging_run_says_so()
    {
        Recipe wild = Quick() with { LearningRate = new LearningRate { Initial = 1e30 } };
        Assert.That(() => Run(wild), Throws.TypeOf<DivergenceException>().With.Message.Contains("lower the learning rate"));
    }

    [Test]
    public void A_cancelled_run_returns_what_it_reached()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        RunResult result = Run(Quick(), cancellation: source.Token).Result;
        Assert.That(result.Phases, Has.Length.EqualTo(1));
        Assert.That(result.Phases[0].Complete, Is.False);
    }

    [Test]
    public void Data_of_another_shape_is_refused()
    {
        using var device = new CpuDevice(1);
        DatasetSplit wrong = BlobDataset.Split(20, new Chw(1, 5, 5), 4);
        Assert.That(() => MethodRunner.Run(Quick(), Net, wrong, device, new RecordingObserver()),
            Throws.TypeOf<UsageException>().With.Message.Contains("1x5x5"));
    }
}
