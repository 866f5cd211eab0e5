using System.Security.Cryptography;
using System.Text;
using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Formats;
using Asni.Tests.Reference;
using Asni.Training;

namespace Asni.Tests.Methods;

/// <summary>A run that is stopped anywhere and resumed ends as one that was not: network, optimizer and records bit for bit.</summary>
public class ResumeTests : FolderTest
{
    private sealed record Case(string Name, Network Network, DatasetSplit Data, Recipe Recipe)
    {
        /// <summary>Otherwise at some places only.</summary>
        public bool IsStoppedAnywhere { get; init; } = true;

        /// <summary>After each session its newest checkpoint is lost, as if it had been killed before that was written.</summary>
        public bool IsKilled { get; init; }

        public TrainedNetwork? Start { get; init; }

        public override string ToString() => Name;
    }

    private static IEnumerable<TestCaseData> Cases()
    {
        var linear = (Network: TinyNetworks.Linear(36, 40, 20, 4), Data: BlobDataset.Split(230, new Chw(36, 1, 1), 4));
        Network residual = SmallNetworks.Create("bottleneck");
        var images = (Network: residual, Data: BlobDataset.Split(60, residual.Input, residual.Classes));
        var asni = new AsniII { Schedule = new SparsitySchedule { Scale1 = 0.5 }, Sparsity = 0.8, Retraining = new Retraining { Epochs = 2 } };
        Recipe recipe = new()
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 3,
            BatchSize = 50,
            Seed = 3,
            Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam },
            LearningRate = new LearningRate { Initial = 1e-3 },
            Method = asni,
        };
        Recipe momentum = recipe with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Momentum, WeightDecay = 5e-4 } };
        foreach (Case c in (Case[])
        [
            new("adam, all phases", linear.Network, linear.Data, recipe with { Method = asni with { Controls = ControlRuns.Ticket | ControlRuns.Reinit | ControlRuns.Shuffle } }),
            new("prunes every 2 steps", linear.Network, linear.Data, momentum with { Method = asni with { EverySteps = 2 } }),
            new("dense, sgd", linear.Network, linear.Data, recipe with { Method = new DenseTraining(), Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd } }),
            new("batch-norm, momentum, crops", images.Network, images.Data, momentum with { BatchSize = 16, Augmentation = new Augmentation(2, true) }),
            new("4 lanes, batch-norm, momentum, crops", images.Network, images.Data, momentum with { BatchSize = 16, Lanes = 4, Augmentation = new Augmentation(2, true) }),
            new("imp, rewinds to the middle of an epoch", images.Network, images.Data, momentum with { BatchSize = 16, Method = new Imp { Sparsity = 0.36, RewindStep = 6 } }) { IsStoppedAnywhere = false },
            new("imp, rewinds the rate, adam", linear.Network, linear.Data, recipe with { Method = new Imp { Sparsity = 0.36, Rewind = RewindKind.Rate, RewindEpoch = 1 } }) { IsStoppedAnywhere = false },
            new("signs and magnitudes", linear.Network, linear.Data, recipe with
            {
                Method = asni with
                {
                    Levels = new LevelOptions { Scope = LevelScope.Channel },
                    Controls = ControlRuns.InitialSigns | ControlRuns.RandomSigns | ControlRuns.LayerMagnitude | ControlRuns.NetworkMagnitude,
                },
            }),
            .. ((string[])["2:4", "block4x3"]).Select(pattern => new Case($"gmp, {pattern}", images.Network, images.Data, momentum with
            {
                BatchSize = 16,
                Method = new Gmp { Cuts = new() { Sparsity = 0.7, EverySteps = 1 }, Pruning = new PruningParts { Pattern = WeightPattern.Parse(pattern) } },
            })),
            new("snip, controls", linear.Network, linear.Data, recipe with { Method = new Snip { Pruning = new() { Controls = InitialControls.Shuffle | InitialControls.Reinit | InitialControls.Invert } } }),
            new("lobster by logits, batch-norm", images.Network, images.Data, momentum with { BatchSize = 16, Augmentation = new Augmentation(2, true), Method = new Lobster { Lambda = 0.01, Sensitivity = SensitivityKind.Logit } })
            {
                IsStoppedAnywhere = false,
            },
            new("obs, gradual", linear.Network, linear.Data, recipe with { Method = new Obs { Pruning = new() { Gradual = true, Gradients = 4, GradientImages = 3 } } }) { IsStoppedAnywhere = false },
            new("earlybird, settles on the way", linear.Network, linear.Data, momentum with { Epochs = 10, Method = new EarlyBird { Sparsity = 0.8, Distance = 0.04 } }),
            new("structured in rounds, pooled by taylor, from scratch too", images.Network, images.Data, momentum with
            {
                BatchSize = 16,
                Recalibrate = new ImageBatches(2, 16),
                Method = new StructuredPruning
                {
                    Target = new UnitTarget { Budget = new(UnitCost.Macs, 0.4), Allocation = UnitAllocation.Pooled },
                    Selection = new UnitSelection { Criterion = UnitCriterion.Taylor, Calibration = new ImageBatches(2, 16) },
                    Rounds = 3,
                    RoundEpochs = 2,
                    Finetuning = new UnitFinetuning { Epochs = 2 },
                    Scratch = true,
                },
            }),
            new("structured after a lasso, distilled", images.Network, images.Data, momentum with
            {
                DistillWeight = 0.6,
                Lanes = 2,
                BatchSize = 16,
                Method = new StructuredPruning { Penalty = UnitPenaltyKind.Lasso, Lambda = 0.05, Selection = new UnitSelection { Criterion = UnitCriterion.L2 }, Finetuning = new UnitFinetuning { Epochs = 1 } },
            })
            {
                IsStoppedAnywhere = false,
            },
            .. Method.All.Select(m => new Case(m.Name, MethodTests.NetOf(m) == MethodTests.Net ? linear.Network : MethodTests.NetOf(m), linear.Data, momentum with { Method = MethodTests.Small(m) })
            {
                IsStoppedAnywhere = false,
                IsKilled = true,
                Start = m.Row.NeedsStart ? MethodRunner.CreateInitialWeights(linear.Network, 5) : null,
            }),
        ])
            yield return new TestCaseData(c);
    }

    [TestCaseSource(nameof(Cases))]
    public void Stopped_after_any_number_of_images_and_resumed_it_ends_the_same(object given)
    {
        var c = (Case)given;
        Session whole = Run(c, _folder["whole"], stopAfter: int.MaxValue);
        Assert.That(whole.Result.Phases[^1].Complete);
        int images = c.Data.Train.Count;
        foreach (int stopAfter in c.IsStoppedAnywhere ? (int[])[1, images / 3, images, 2 * images + 5] : [images / 2])
        {
            Session last = Resumed(c, _folder[$"stopped{stopAfter}"], stopAfter, out int sessions);
            Assert.That(sessions, Is.GreaterThan(1));
            AssertSame(whole, last, stopAfter);
        }
    }

    [Test]
    public void Stopped_while_weights_are_scored_it_leaves_after_the_batch_and_scores_again_when_resumed()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        Recipe recipe = c.Recipe with { BatchSize = 10 };
        foreach ((Case scored, int phasesBefore) in ((Case, int)[])
        [
            (c with { Recipe = recipe with { Method = new Snip() } }, 0),
            (c with { Recipe = recipe with { Method = new Snip { Rounds = 5 } } }, 0),
            (c with { Recipe = recipe with { Method = MethodTests.Small(new Obd()) } }, 1),
            (c with { Recipe = recipe with { Method = MethodTests.Small(new Obs()) } }, 1),
        ])
        {
            string name = scored.Recipe.Method.Name + (scored.Recipe.Method as Snip)?.Rounds;
            var delivered = new Dictionary<string, PhaseResult>();
            Session whole = Run(scored, _folder["whole" + name], stopAfter: int.MaxValue);
            Assert.That(whole.Result.Complete);
            Session stopped = Run(scored, _folder["a" + name], stopAfter: phasesBefore * recipe.Epochs * c.Data.Train.Count + 1, delivered);
            Assert.That((stopped.Result.Complete, stopped.Result.Phases.Length), Is.EqualTo((false, phasesBefore)), name);
            Assert.That(stopped.Result.Phases.All(p => p.Complete), name);
            AssertSame(whole, Run(scored, _folder["a" + name], int.MaxValue, delivered), name);
        }
    }

    [Test]
    public void A_damaged_newest_checkpoint_is_passed_over_for_the_one_before()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        Session whole = Run(c, _folder["whole"], stopAfter: int.MaxValue);
        var delivered = new Dictionary<string, PhaseResult>();
        Assert.That(Run(c, _folder["a"], stopAfter: 500, delivered).Result.Phases[^1].Complete, Is.False);
        string[] files = Directory.GetFiles(_folder["a"]).Order().ToArray();
        Assert.That(files, Has.Length.EqualTo(2), "the last two are kept");
        using (var stream = new FileStream(files[1], FileMode.Open)) stream.SetLength(stream.Length - 1);
        var notes = new List<string>();
        Session resumed = Run(c, _folder["a"], int.MaxValue, delivered, notes);
        Assert.That(notes, Has.Count.EqualTo(1));
        Assert.That(notes[0], Does.Contain(files[1]).And.Contain("the one before it is taken"));
        AssertSame(whole, resumed, "fallback");
    }

    [Test]
    public void Nothing_readable_and_another_recipe_are_one_sentence_each()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        Run(c, _folder["a"], stopAfter: 500);
        var other = new CheckpointKeeper(_folder["a"], "another recipe", 2, TimeSpan.Zero);
        Assert.That(() => other.FindNewest(c.Network, _ => { }), Throws.TypeOf<AsniException>().With.Message.Contains("another recipe or other data"));
        foreach (string file in Directory.GetFiles(_folder["a"])) File.WriteAllText(file, "nothing");
        Assert.That(() => Keeper(_folder["a"]).FindNewest(c.Network, _ => { }), Throws.TypeOf<AsniException>().With.Message.Contains("no checkpoint in"));
        Assert.That(Keeper(_folder["none"]).FindNewest(c.Network, _ => { }), Is.Null);
    }

    [Test]
    public void Damaged_checkpoints_are_told_from_whole_ones()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        Run(c, _folder["a"], stopAfter: 500);
        byte[] good = File.ReadAllBytes(Directory.GetFiles(_folder["a"])[0]);
        var random = SplitMix64.Fork(5);
        string path = _folder["damaged.safetensors"];
        for (int i = 0; i < 1500; i++)
        {
            byte[] bad = [.. good];
            int at = (int)(random.NextUInt64() % (ulong)(i % 2 == 0 ? 4000 : good.Length));
            if (i % 5 == 4) Array.Resize(ref bad, at);
            else bad[at] ^= (byte)(1 << (int)(random.NextUInt64() % 8));
            File.WriteAllBytes(path, bad);
            try
            {
                // A flip that changes nothing of what is read, such as the network's name for other programs, is no damage.
                Checkpoint.Read(path, c.Network).Write(_folder["again.safetensors"]);
                Assert.That(File.ReadAllBytes(_folder["again.safetensors"]), Is.EqualTo(good), $"change {i} at {at} was not seen");
            }
            catch (AsniException e)
            {
                Assert.That(e.Message, Does.EndWith("."));
            }
        }
    }

    /// <summary>The loss is finite until the rate of the second epoch, or is NaN from the second step on: nothing of that is ever saved.</summary>
    [TestCase(1e35, "dense")]
    [TestCase(1e35, "asni")]
    [TestCase(1e9, "dense")]
    public void What_diverges_is_not_saved_and_what_was_before_is_kept(double factor, string method)
    {
        var c = (Case)Cases().First().Arguments[0]!;
        c = c with
        {
            Recipe = c.Recipe with
            {
                Method = method == "dense" ? new DenseTraining() : (AsniII)c.Recipe.Method with { Controls = ControlRuns.None },
                Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd },
                LearningRate = new LearningRate { Kind = LearningRateKind.Multistep, Initial = 1e-2, Steps = [1], Gamma = factor },
            },
        };
        var steps = new RecordingObserver();
        CheckpointKeeper keeper = Keeper(_folder["a"]);
        using var device = new CpuDevice(2);
        Assert.That(() => MethodRunner.Run(c.Recipe, c.Network, c.Data, device, steps, checkpoints: keeper), Throws.TypeOf<DivergenceException>().With.Message.Contains("lower the learning rate"));
        Assert.That(steps.Epochs, Has.Count.EqualTo(1), "no row for an epoch that diverged");
        Checkpoint[] kept = [.. Directory.GetFiles(_folder["a"]).Select(f => Checkpoint.Read(f, c.Network))];
        Assert.That(kept, Has.Length.EqualTo(2));
        Assert.That(kept.SelectMany(k => k.Model.Values).SelectMany(v => v), Is.All.Matches<float>(float.IsFinite));
        if (factor > 1e30) Assert.That(kept.Select(k => (k.Position.Epoch, k.Position.Progress.Step)), Has.Member((1, 0)), "the end of the first epoch is there");
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void A_checkpoint_that_is_not_finite_is_passed_over(float value)
    {
        var c = (Case)Cases().First().Arguments[0]!;
        Run(c, _folder["a"], stopAfter: 500);
        string[] files = Directory.GetFiles(_folder["a"]).Order().ToArray();
        Checkpoint newest = Checkpoint.Read(files[1], c.Network);
        newest.Model.Values[0][3] = value;
        newest.Write(files[1]);
        var notes = new List<string>();
        Keeper(_folder["a"]).FindNewest(c.Network, notes.Add);
        Assert.That(notes, Has.Count.EqualTo(1));
        Assert.That(notes[0], Does.Contain("NaN or infinite").And.Contain("the one before it is taken"));
    }

    [Test]
    public void Another_network_of_an_ended_phase_is_refused()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        var delivered = new Dictionary<string, PhaseResult>();
        for (int sessions = 1; delivered.GetValueOrDefault("asni2") is null; sessions++) Run(c, _folder["a"], 500 * sessions, delivered);
        PhaseResult first = delivered["asni1"];
        float[][] values = [.. first.Model.Values.Select(v => v.ToArray())];
        values[0][0] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(values[0][0]) ^ 1);
        delivered["asni1"] = first with { Model = first.Model with { Values = [.. values] } };
        Assert.That(() => Run(c, _folder["a"], int.MaxValue, delivered), Throws.TypeOf<AsniException>().With.Message.Contains("network of asni1"));
        delivered["asni1"] = first;
        Assert.That(Run(c, _folder["a"], int.MaxValue, delivered).Result.Phases[^1].Complete);
    }

    [Test]
    public void Other_inputs_are_refused_and_checkpoints_without_them_are_taken_with_a_note()
    {
        var c = (Case)Cases().First().Arguments[0]!;
        CheckpointKeeper With(params (string What, string Sha256)[] inputs) =>
            new(_folder["a"], "run", 2, TimeSpan.Zero) { Inputs = inputs.ToDictionary(i => i.What, i => i.Sha256) };
        using var device = new CpuDevice(2);
        Recipe shorter = c.Recipe with { Method = new DenseTraining(), Epochs = 1 };
        MethodRunner.Run(shorter, c.Network, c.Data, device, checkpoints: With(("the data", "aa"), ("the network", "bb")));
        var notes = new List<string>();
        Assert.That(With(("the data", "aa"), ("the network", "bb")).FindNewest(c.Network, notes.Add), Is.Not.Null);
        Assert.That(notes, Is.Empty);
        Assert.That(() => With(("the data", "aa"), ("the network", "bc")).FindNewest(c.Network, notes.Add),
            Throws.TypeOf<AsniException>().With.Message.StartsWith("the network is not what the run"));

        string file = Directory.GetFiles(_folder["a"]).Order().Last();
        Checkpoint old = Checkpoint.Read(file, c.Network);
        (old with { Position = old.Position with { Inputs = null } }).Write(file);
        Assert.That(With(("the data", "ab")).FindNewest(c.Network, notes.Add), Is.Not.Null);
        Assert.That(notes, Has.Count.EqualTo(1).And.Some.Contains("older version"));
    }

    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Every_device_goes_on_bit_for_bit(DeviceCase device)
    {
        var c = (Case)Cases().First().Arguments[0]!;
        c = c with { Recipe = c.Recipe with { Epochs = 2, Method = new AsniII { Schedule = new SparsitySchedule { Scale1 = 0.3 }, Sparsity = 0.8, Retraining = new Retraining { Epochs = 2 } } } };
        Session whole = Run(c, _folder["whole"], int.MaxValue, device: device);
        AssertSame(whole, Resumed(c, _folder["stopped"], 400, out _, device), device);
    }

    /// <summary>What the builder made is nowhere but in the checkpoints.</summary>
    [Test]
    public void A_network_of_no_list_comes_back_with_its_checkpoint()
    {
        Case c = OwnNetwork(Activation.Silu);
        Session whole = Run(c, _folder["whole"], int.MaxValue);
        Assert.That(Run(c, _folder["a"], stopAfter: 300).Result.Phases[^1].Complete, Is.False);
        CheckpointKeeper keeper = Keeper(_folder["a"]);
        Assert.That(keeper.Resume(_ => { }), Is.True);
        GraphJsonTests.AssertEqual(keeper.Network!, c.Network);
        AssertSame(whole, Run(c with { Network = keeper.Network! }, _folder["a"], int.MaxValue), "by its own graph");
        Assert.That(Keeper(_folder["none"]).Resume(_ => { }), Is.False);
    }

    /// <summary>All tensors are the same: only the graph tells that another function lies between them.</summary>
    [Test]
    public void A_checkpoint_of_another_graph_is_refused_in_one_sentence()
    {
        Run(OwnNetwork(Activation.Silu), _folder["a"], stopAfter: 300);
        Assert.That(() => Run(OwnNetwork(Activation.Gelu), _folder["a"], int.MaxValue), Throws.InstanceOf<AsniException>().With.Message.Contains(
            "holds another network than the run is to train: its graph of own is not that of own; put the network back that the run began with, or start a new run."));
    }

    /// <summary>As before checkpoints had graphs: the tensors under the position's digest alone.</summary>
    [Test]
    public void A_checkpoint_without_a_graph_goes_with_a_network_that_is_given()
    {
        Case c = OwnNetwork(Activation.Silu);
        Session whole = Run(c, _folder["whole"], int.MaxValue);
        Run(c, _folder["a"], stopAfter: 300);
        foreach (string file in Directory.GetFiles(_folder["a"])) RemoveGraph(file);
        Assert.That(() => Checkpoint.Read(Directory.GetFiles(_folder["a"])[0]), Throws.TypeOf<AsniException>().With.Message.Contains("by an older version, which did not write its network's graph"));
        AssertSame(whole, Run(c, _folder["a"], int.MaxValue), "without a graph");
    }

    private static Case OwnNetwork(Activation activation)
    {
        var c = (Case)Cases().First().Arguments[0]!;
        return c with
        {
            Network = new NetworkBuilder("own", new Chw(36, 1, 1)).Linear("first", 20).Activate("bend", activation).Linear("head", 4).Build(),
            Recipe = c.Recipe with { Method = new DenseTraining() },
        };
    }

    private static void RemoveGraph(string path)
    {
        var tensors = new List<SafetensorsTensor>();
        Dictionary<string, string> metadata;
        var hashed = new MemoryStream();
        using (var reader = SafetensorsReader.Open(path))
        {
            metadata = reader.Metadata.Where(m => m.Key != "graph").ToDictionary();
            hashed.Write(Encoding.UTF8.GetBytes(metadata["checkpoint"]));
            foreach (SafetensorsEntry entry in reader.Entries.Values.OrderBy(e => e.Begin))
            {
                Assert.That(entry.DType, Is.EqualTo("F32"), "a dense run has no masks");
                hashed.Write(Encoding.UTF8.GetBytes($"{entry.Name} F32 {string.Join(',', entry.Dims)}\n"));
                reader.CopyTo(entry, hashed);
                tensors.Add(SafetensorsTensor.Single(entry.Name, new Shape([.. entry.Dims.Select(d => (int)d)]), reader.ReadSingles(entry)));
            }
        }
        metadata["sha256"] = Convert.ToHexStringLower(SHA256.HashData(hashed.ToArray()));
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    private sealed record Session(RunResult Result, List<EpochRecord> Epochs);

    private static CheckpointKeeper Keeper(string directory, Dictionary<string, PhaseResult>? delivered = null) =>
        new(directory, "run", keep: 2, TimeSpan.Zero) { Delivered = phase => delivered![phase].Model };

    /// <summary>Sessions of so many images each until the run is complete.</summary>
    private static Session Resumed(Case c, string directory, int stopAfter, out int sessions, DeviceCase? device = null)
    {
        var delivered = new Dictionary<string, PhaseResult>();
        for (sessions = 1; ; sessions++)
        {
            // Each session gets further than the one before: it must not begin with what cannot be done in its time.
            Session session = Run(c, directory, stopAfter * sessions, delivered, device: device);
            if (session.Result.Complete) return session;
            string[] files = Directory.Exists(directory) ? [.. Directory.GetFiles(directory).Order()] : [];
            if (c.IsKilled && files.Length > 1) File.Delete(files[^1]);
        }
    }

    private static Session Run(Case c, string directory, int stopAfter, Dictionary<string, PhaseResult>? delivered = null, List<string>? notes = null,
        DeviceCase? device = null)
    {
        delivered ??= [];
        CheckpointKeeper keeper = Keeper(directory, delivered);
        CheckpointPosition? at = keeper.FindNewest(c.Recipe.Method.ChangesNetwork ? null : c.Network, m => (notes ?? []).Add(m));
        using var stop = new CancellationTokenSource();
        using Device opened = device?.Create() ?? new CpuDevice(2);
        var observer = new RecordingObserver();
        var data = new DatasetSplit(new StoppingDataset(c.Data.Train, stopAfter, stop), c.Data.Test, c.Data.Source);
        RunResult result = MethodRunner.Run(c.Recipe, c.Network, data, opened, observer, phase => delivered[phase.Phase] = phase, c.Start, keeper,
            cancellationToken: stop.Token);
        return new Session(result, [.. at?.Epochs ?? [], .. observer.Epochs]);
    }

    private static void AssertSame(Session whole, Session resumed, object context)
    {
        Assert.That(resumed.Epochs.Select(Comparable), Is.EqualTo(whole.Epochs.Select(Comparable)), $"{context}");
        Assert.That(resumed.Result.Phases.Select(p => p.Phase), Is.EqualTo(whole.Result.Phases.Select(p => p.Phase)));
        foreach ((PhaseResult a, PhaseResult b) in resumed.Result.Phases.Zip(whole.Result.Phases))
        {
            Assert.That(a with { Model = b.Model, Initial = b.Initial, Layers = b.Layers, Seconds = b.Seconds, Restored = b.Restored }, Is.EqualTo(b), $"{context}");
            Assert.That(a.Layers, Is.EqualTo(b.Layers), $"{context}");
            AssertSame(a.Initial, b.Initial, $"{context}: start of {a.Phase}");
            AssertSame(a.Model, b.Model, $"{context}: end of {a.Phase}");
        }
    }

    private static void AssertSame(TrainedNetwork a, TrainedNetwork b, string context)
    {
        foreach (Parameter p in a.Network.Parameters)
        {
            Assert.That(a.Values[p.Index].Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(b.Values[p.Index].Select(BitConverter.SingleToUInt32Bits)), $"{context}, {p.Name}");
            Assert.That(a.Masks[p.Index]?.Words.ToArray(), Is.EqualTo(b.Masks[p.Index]?.Words.ToArray()), $"{context}, mask of {p.Name}");
        }
    }

    private static EpochRecord Comparable(EpochRecord r) => r with { Seconds = 0, ImagesPerSecond = 0 };

    /// <summary>Asks for a stop after so many images were read.</summary>
    private sealed class StoppingDataset(Dataset inner, int stopAfter, CancellationTokenSource stop) : Dataset
    {
        private int _read;

        public override string Name => inner.Name;
        public override int Count => inner.Count;
        public override int Classes => inner.Classes;
        public override Chw Shape => inner.Shape;
        public override Normalization Normalization => inner.Normalization;
        public override int GetLabel(int index) => inner.GetLabel(index);

        public override void Read(int index, Span<byte> chw)
        {
            if (Interlocked.Increment(ref _read) == stopAfter) stop.Cancel();
            inner.Read(index, chw);
        }
    }
}
