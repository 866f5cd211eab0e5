using System.Text.Json;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Runs;
using Asni.Tensors;
using Asni.Tests.Formats;
using Asni.Tests.Formats.TensorBoard;
using Asni.Training;

namespace Asni.Tests.Runs;

public class RunFolderTests : FolderTest
{
    private static readonly RunDescription s_run = new(TinyNetwork.Network, "digits", "made up", "cpu", Seed: 7, TrainImages: 10, TestImages: 5);
    private static readonly string[] s_metricKeys =
        ["phase", "epoch", "lr", "train_loss", "test_loss", "test_top1", "test_top5", "sparsity", "kept", "threshold", "seconds",
            "images_per_second"];

    [Test]
    public void Each_epoch_is_a_row_that_is_on_disk_at_once()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.Append(Epoch(0) with { Threshold = null, TrainLoss = double.NaN });
        run.Append(Epoch(1));
        string[] rows = ReadShared(_folder["r/metrics.jsonl"]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(rows, Has.Length.EqualTo(2));
        JsonElement first = JsonDocument.Parse(rows[0]).RootElement;
        Assert.That(first.EnumerateObject().Select(p => p.Name), Is.EqualTo(s_metricKeys));
        Assert.That(first.GetProperty("threshold").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(first.GetProperty("train_loss").ValueKind, Is.EqualTo(JsonValueKind.Null), "JSON has no NaN");
        Assert.That(JsonDocument.Parse(rows[1]).RootElement.GetProperty("threshold").GetDouble(), Is.EqualTo(0.25));
    }

    [Test]
    public void After_each_phase_the_summary_is_whole_and_says_whether_the_run_is_complete()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.ReportWriter = so => $"{so.Phases.Count} phases";
        run.Record(Phase("asni1"));
        JsonElement summary = Json("summary.json");
        Assert.That(summary.GetProperty("complete").GetBoolean(), Is.False);
        Assert.That(summary.GetProperty("network").GetString(), Is.EqualTo("tiny"));
        Assert.That(summary.GetProperty("seed").GetUInt64(), Is.EqualTo(7));
        Assert.That(summary.GetProperty("parameters").GetInt64(), Is.EqualTo(23));
        Assert.That(summary.GetProperty("weights").GetInt64(), Is.EqualTo(18));
        Assert.That(summary.GetProperty("asni1").GetProperty("kept").GetInt64(), Is.EqualTo(12));
        Assert.That(summary.TryGetProperty("asni2", out _), Is.False);

        run.Record(SecondPhase());
        run.Complete();
        summary = Json("summary.json");
        Assert.That(summary.GetProperty("complete").GetBoolean(), Is.True);
        Assert.That(summary.GetProperty("asni2").GetProperty("centroids").GetRawText().ReplaceLineEndings("").Replace(" ", ""),
            Is.EqualTo("[[0.5,-0.25],[1.5,null]]"));
        Assert.That(Directory.GetFiles(_folder["r"]).Select(Path.GetFileName), Is.EquivalentTo(
            new[] { "metrics.jsonl", "summary.json", "layers.csv", "asni1.safetensors", "report.html", "asni2-init.safetensors",
                "asni2-init.asni", "asni2.safetensors" }));
    }

    [Test]
    public void TensorBoard_s_log_has_each_epoch_and_phase()
    {
        using (var run = RunFolder.Create(_folder["r"], s_run))
        {
            run.Append(Epoch(0));
            run.Record(Phase("asni1"));
            run.Record(SecondPhase());
        }
        List<ProtoReader> events = EventLog.Read(File.ReadAllBytes(Directory.GetFiles(_folder["r/tensorboard"]).Single()));
        List<string> tags = [.. events.SelectMany(e => e.Messages(5)).SelectMany(s => s.Messages(1)).Select(v => v.Text(1))];
        Assert.That(tags, Is.SupersetOf(new[] { "asni1/test_top1", "asni1/sparsity", "asni1/fc1.weight", "asni2/fc2.weight",
            "asni2/c_plus/fc1.weight", "asni2/c_minus/fc1.weight" }));
        Assert.That(tags, Has.None.EqualTo("asni2/c_minus/fc2.weight"), "that layer has no negative weights");
        // TensorBoard shows one kind of data a tag: fields 2 (a number), 4 (a picture) and 5 (a distribution) of a value.
        var kinds = events.SelectMany(e => e.Messages(5)).SelectMany(s => s.Messages(1)).ToLookup(v => v.Text(1), v => new[] { 2, 4, 5 }.Single(v.Has));
        Assert.That(kinds.Where(tag => tag.Distinct().Count() > 1).Select(tag => tag.Key), Is.Empty);
        Assert.That(kinds["asni1/filters/fc1.weight"], Is.EqualTo(new[] { 4 }));
    }

    [Test]
    public void The_layer_table_has_the_latest_centroids()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.Record(Phase("asni1"));
        Assert.That(File.ReadAllLines(_folder["r/layers.csv"]), Is.EqualTo(new[]
        {
            "layer,shape,weights,kept,sparsity,c_plus,c_minus,macs,live_macs,effective", "fc1.weight,3x4,12,6,0.5,,,12,6,6", "fc2.weight,2x3,6,6,0,,,6,6,6",
        }));
        run.Record(SecondPhase());
        run.Record(Phase("ticket"));
        Assert.That(File.ReadAllLines(_folder["r/layers.csv"])[1..],
            Is.EqualTo(new[] { "fc1.weight,3x4,12,6,0.5,0.5,-0.25,12,6,6", "fc2.weight,2x3,6,6,0,1.5,,6,6,6" }));
    }

    [Test]
    public void The_best_epoch_is_told_beside_the_last_and_has_no_more_weights()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        using (var run = RunFolder.Create(_folder["r"], s_run))
        {
            foreach ((int epoch, double top1, long kept) in ((int, double, long)[])[(0, 0.99, 18), (1, 0.7, 10), (2, 0.95, 10), (3, 0.95, 10), (4, 0.9, 10)])
                run.Append(new EpochRecord("gmp", epoch, 5, 0.1, 1, 1, top1, 1, 0, kept, null, 1, 1));
            run.Append(new EpochRecord("other", 0, 1, 0.1, 1, 1, 0.98, 1, 0, 10, null, 1, 1));
            run.Record(new PhaseResult("gmp", 0.9, 0.99, 0.4, 1 - 10.0 / 18, 10, 3.5, model, model));
            run.Record(new PhaseResult("cut", 0.9, 0.99, 0.4, 1 - 10.0 / 18, 10, 3.5, model, model));
        }
        JsonElement phase = Json("summary.json").GetProperty("gmp");
        Assert.That((phase.GetProperty("best_top1").GetDouble(), phase.GetProperty("best_epoch").GetInt32()), Is.EqualTo((0.95, 2)));
        Assert.That(Json("summary.json").GetProperty("cut").GetProperty("best_top1").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void What_is_live_in_vain_is_told()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        // Nobody reads the first hidden neuron, whose 2 live weights then lead nowhere.
        var mask = new Mask(6) { [0] = false, [3] = false };
        model = model with { Masks = model.Masks.SetItem(2, mask) };
        using (var run = RunFolder.Create(_folder["r"], s_run)) run.Record(new PhaseResult("gmp", 0.9, 0.99, 0.4, 1 - 10.0 / 18, 10, 3.5, model, model));
        JsonElement phase = Json("summary.json").GetProperty("gmp");
        Assert.That(phase.GetProperty("effective").GetInt64(), Is.EqualTo(8));
        Assert.That((phase.GetProperty("macs").GetInt64(), phase.GetProperty("live_macs").GetInt64()), Is.EqualTo((18L, 10L)));
        PhaseSummary read = RunSummary.Read(_folder["r"]).Phases.Single();
        Assert.That((read.EffectiveSparsity, read.LiveMacs), Is.EqualTo((1 - 8.0 / 18, 10L)));
        Assert.That(File.ReadLines(_folder["r/layers.csv"]).Select(line => line.Split(',')[^1]), Is.EqualTo(new[] { "effective", "4", "4" }));
    }

    [Test]
    public void Its_networks_can_be_loaded()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.Record(Phase("asni1"));
        TrainedNetwork loaded = RunFolder.Load(_folder["r/asni1.safetensors"], TinyNetwork.Network);
        Assert.That(loaded.Values, Is.EqualTo(TinyNetwork.TakeSnapshot().Values));
        Assert.That(loaded.Kept, Is.EqualTo(12));
    }

    /// <summary>Phases are what the summary says, in the order they ran, whatever they are called.</summary>
    [TestCase("asni1,asni2,ticket,shuffle", "asni2")]
    [TestCase("dense,ispasp", "ispasp")]
    [TestCase("gmp", "gmp")]
    [TestCase("warm,gmp,reinit", "gmp")]
    public void The_network_of_a_run_is_that_of_its_last_phase_that_is_no_control(string names, string expected)
    {
        string[] phases = names.Split(',');
        using (var run = RunFolder.Create(_folder["r"], s_run))
            foreach (string phase in phases) run.Record(Phase(phase));
        Assert.That(RunSummary.Read(_folder["r"]).Phases.Select(p => p.Phase), Is.EqualTo(phases));
        Assert.That(RunFolder.NetworkPath(_folder["r"]), Is.EqualTo(_folder[$"r/{expected}.safetensors"]));
        foreach (string phase in phases) Assert.That(RunFolder.NetworkPath(_folder["r"], phase), Is.EqualTo(_folder[$"r/{phase}.safetensors"]));
        Assert.That(() => RunFolder.NetworkPath(_folder["r"], "none"), Throws.TypeOf<UsageException>().With.Message.Contains("has no network of phase 'none'; it has ").And.Message.Contains(phases[0]));
        Assert.That(() => RunFolder.NetworkPath(_folder["nowhere"]), Throws.TypeOf<UsageException>().With.Message.Contains("does not exist"));
        File.Delete(_folder["r/summary.json"]);
        if (phases.Length == 1) Assert.That(RunFolder.NetworkPath(_folder["r"]), Is.EqualTo(_folder[$"r/{expected}.safetensors"]));
        else Assert.That(() => RunFolder.NetworkPath(_folder["r"]), Throws.TypeOf<AsniException>().With.Message.Contains("name one"));
    }

    [Test]
    public void A_folder_with_something_in_it_is_refused_and_left_alone()
    {
        File.WriteAllText(_folder["mine.txt"], "precious");
        Assert.That(() => RunFolder.Create(_folder.Path, s_run), Throws.TypeOf<UsageException>().With.Message.Contains("not empty"));
        Assert.That(() => RunFolder.Create(_folder["mine.txt"], s_run), Throws.TypeOf<UsageException>().With.Message.Contains("is a file"));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { _folder["mine.txt"] }));
    }

    [Test]
    public void A_run_that_never_trained_takes_its_folder_away()
    {
        using (var run = RunFolder.Create(_folder["runs/a/b"], s_run))
        {
            run.WriteText("recipe.yaml", "net: tiny\n");
            run.DiscardIfEmpty();
        }
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);

        Directory.CreateDirectory(_folder["given"]);
        using (var run = RunFolder.Create(_folder["given"], s_run)) run.DiscardIfEmpty();
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { _folder["given"] }), "a folder that was there stays");
        Assert.That(Directory.GetFileSystemEntries(_folder["given"]), Is.Empty);
    }

    [Test]
    public void A_run_that_never_trained_leaves_what_others_put_there()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.WriteText("recipe.yaml", "net: tiny\n");
        run.WriteText(RunFolder.StartFile, "{}");
        Directory.CreateDirectory(_folder["r/thesis"]);
        File.WriteAllText(_folder["r/thesis/mine.txt"], "precious");
        File.WriteAllText(_folder["r/checkpoints/notes.safetensors"], "not a checkpoint's name");
        Assert.That(run.DiscardIfEmpty(), Is.False);
        string[] left = [.. Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        Assert.That(left, Is.EqualTo(new[] { _folder["r/checkpoints/notes.safetensors"], _folder["r/thesis/mine.txt"] }));
    }

    [Test]
    public void A_run_with_a_checkpoint_keeps_its_folder()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.WriteText("recipe.yaml", "net: tiny\n");
        run.WriteText(RunFolder.StartFile, "{}");
        File.WriteAllText(_folder["r/checkpoints/00000001.safetensors"], "");
        Assert.That(run.DiscardIfEmpty(), Is.True);
        Assert.That(File.Exists(_folder["r/recipe.yaml"]) && File.Exists(_folder["r/checkpoints/start.json"]), Is.True);
        run.Complete();
        Assert.That(Directory.Exists(_folder["r/checkpoints"]), Is.False, "a complete run needs none");
    }

    /// <summary>Two starts at the same instant: one gets the folder, and the other touches nothing in it.</summary>
    [Test]
    public void Of_two_starts_one_gets_the_folder([Values] bool exists)
    {
        for (int round = 0; round < 200; round++)
        {
            string directory = _folder["runs" + round + "/r"];
            if (exists) Directory.CreateDirectory(directory);
            using var together = new Barrier(2);
            RunFolder?[] folders = [.. Enumerable.Range(0, 2).AsParallel().WithDegreeOfParallelism(2).Select(_ =>
            {
                together.SignalAndWait();
                try
                {
                    return RunFolder.Create(directory, s_run);
                }
                catch (UsageException)
                {
                    return null;
                }
            })];
            RunFolder winner = folders.Single(f => f is not null)!;
            winner.WriteText("recipe.yaml", "net: tiny\n");
            string[] names = [.. Directory.GetFileSystemEntries(directory).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
            Assert.That(names, Is.EqualTo(new[] { RunFolder.Metrics, RunFolder.Recipe, RunLock.FileName }));
            winner.Dispose();
        }
    }

    [Test]
    public void Runs_that_start_in_the_same_second_get_different_folders()
    {
        using RunFolder first = RunFolder.CreateNew(_folder["r"], s_run), second = RunFolder.CreateNew(_folder["r"], s_run), third = RunFolder.CreateNew(_folder["r"], s_run);
        Assert.That(new[] { first.Path, second.Path, third.Path }, Is.EqualTo(new[] { _folder["r"], _folder["r-2"], _folder["r-3"] }));
    }

    [Test, Platform("Linux")]
    public void A_place_that_cannot_be_written_is_one_sentence()
    {
        Assert.That(() => RunFolder.Create("/proc/asni-no-such-place", s_run), Throws.TypeOf<AsniException>().With.Message.Contains("cannot write"));
        Assert.That(() => RunFolder.CreateNew("/proc/asni-no-such-place", s_run), Throws.TypeOf<AsniException>().With.Message.Contains("cannot write"));
        Directory.CreateDirectory(_folder["r/run.lock"]);
        Assert.That(() => RunFolder.Take(_folder["r"]), Throws.TypeOf<AsniException>().With.Message.Contains("cannot write"));
    }

    [Test]
    public void One_process_at_a_time_works_in_a_folder()
    {
        using (var run = RunFolder.Create(_folder["r"], s_run))
        {
            Assert.That(() => RunFolder.Take(_folder["r"]), Throws.TypeOf<UsageException>().With.Message.Contains("another process works on the run in"));
            run.Append(Epoch(0));
        }
        // The first has stopped; as after a kill, its lock file is there.
        Assert.That(File.Exists(_folder["r/run.lock"]), Is.True);
        using (RunLock held = RunFolder.Take(_folder["r"])!)
        {
            Assert.That(() => RunFolder.Take(_folder["r"]), Throws.TypeOf<UsageException>());
            using var again = RunFolder.Reopen(held, s_run, []);
            again.Complete();
        }
        Assert.That(File.Exists(_folder["r/run.lock"]), Is.False);
        Assert.That(RunFolder.Take(_folder["r"]), Is.Null, "it is complete");
    }

    [Test]
    public void Checkpoints_that_a_kill_left_in_a_complete_run_go()
    {
        using (var run = RunFolder.Create(_folder["r"], s_run)) run.Complete();
        Directory.CreateDirectory(_folder["r/checkpoints"]);
        File.WriteAllText(_folder["r/checkpoints/00000001.safetensors"], "");
        Assert.That(RunFolder.Take(_folder["r"]), Is.Null);
        Assert.That(Directory.Exists(_folder["r/checkpoints"]) || File.Exists(_folder["r/run.lock"]), Is.False);
    }

    [Test]
    public void A_run_that_trained_keeps_its_folder()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        run.Append(Epoch(0));
        run.DiscardIfEmpty();
        Assert.That(File.Exists(_folder["r/metrics.jsonl"]), Is.True);
    }

    [Test]
    public void A_network_that_cannot_be_written_is_one_sentence_and_not_half_there()
    {
        using var run = RunFolder.Create(_folder["r"], s_run);
        Directory.CreateDirectory(_folder["r/asni1.safetensors.part"]);
        Assert.That(() => run.Record(Phase("asni1")), Throws.TypeOf<AsniException>().With.Message.StartsWith($"cannot write {_folder["r/asni1.safetensors"]}"));
        Assert.That(Directory.GetFiles(_folder["r"]).Order(), Is.EqualTo(new[] { _folder["r/metrics.jsonl"], _folder["r/run.lock"] }));
    }

    [TestCase("")]
    [TestCase("null")]
    [TestCase("[1, 2]")]
    [TestCase("7")]
    [TestCase("{\"complete\": tr")]
    [TestCase("{\"complete\": \"true\"}")]
    [TestCase("\0\0\0\0")]
    public void A_damaged_summary_is_one_sentence_and_no_complete_run(string text)
    {
        Directory.CreateDirectory(_folder["r"]);
        File.WriteAllText(_folder["r/summary.json"], text);
        Assert.That(RunFolder.IsComplete(_folder["r"]), Is.False);
        Assert.That(() => RunSummary.Read(_folder["r"]), Throws.TypeOf<AsniException>().With.Message.Contains("is damaged"));
    }

    [TestCase("\"network\": \"tiny\"", "\"network\": null")]
    [TestCase("\"seed\": 7", "\"seed\": -7")]
    [TestCase("\"seed\": 7", "\"seed\": 1e99")]
    [TestCase("\"mean\": [", "\"mean\": [0.5, ")]
    [TestCase("\"std\": [", "\"std\": [0], \"x\": [")]
    [TestCase("\"std\": [", "\"std\": [1e999], \"x\": [")]
    [TestCase("\"class_names\": [", "\"class_names\": [null, ")]
    [TestCase("\"kept\": 12", "\"kept\": \"12\"")]
    [TestCase("\"effective_sparsity\": ", "\"effective_sparsity\": true, \"x\": ")]
    [TestCase("\"live_macs\": ", "\"live_macs\": 0.5, \"x\": ")]
    public void A_summary_with_a_wrong_value_is_one_sentence(string was, string becomes)
    {
        RunDescription described = s_run with { ClassNames = ["a", "b"], Normalization = new Asni.Data.Normalization([0.5f], [0.25f]) };
        using (var run = RunFolder.Create(_folder["r"], described)) run.Record(Phase("asni1"));
        string text = System.Text.RegularExpressions.Regex.Replace(File.ReadAllText(_folder["r/summary.json"]), "\\[\\s+", "[");
        Assert.That(RunSummary.Read(_folder["r"]).ClassNames, Has.Count.EqualTo(2));
        Assert.That(text, Does.Contain(was));
        File.WriteAllText(_folder["r/summary.json"], text.Replace(was, becomes));
        Assert.That(() => RunSummary.Read(_folder["r"]), Throws.TypeOf<AsniException>().With.Message.Contains("is damaged"));
    }

    [Test]
    public void A_folder_at_the_summarys_name_is_one_sentence()
    {
        Directory.CreateDirectory(_folder["r/summary.json"]);
        Assert.That(RunFolder.IsComplete(_folder["r"]), Is.False);
        Assert.That(() => RunSummary.Read(_folder["r"]), Throws.TypeOf<AsniException>());
    }

    [Test]
    public void Results_without_checkpoints_are_not_written_over()
    {
        using (var run = RunFolder.Create(_folder["r"], s_run))
        {
            run.Record(Phase("asni1"));
            run.Complete();
        }
        Assert.That(RunFolder.Take(_folder["r"]), Is.Null, "complete");
        File.WriteAllText(_folder["r/summary.json"], "{");
        Assert.That(() => RunFolder.Take(_folder["r"]), Throws.TypeOf<AsniException>().With.Message.Contains("cannot be continued"));
        Assert.That(File.Exists(_folder["r/run.lock"]), Is.False);
        Directory.CreateDirectory(_folder["r/checkpoints"]);
        File.WriteAllText(_folder["r/checkpoints/start.json"], "{}");
        using RunLock? held = RunFolder.Take(_folder["r"]);
        Assert.That(held, Is.Not.Null, "a run that was stopped before its first checkpoint");
    }

    [Test]
    public void The_default_name_holds_network_data_and_time() =>
        Assert.That(s_run.DefaultFolder(new DateTime(2026, 3, 4, 5, 6, 7)), Is.EqualTo(Path.Combine("runs", "tiny-digits-20260304-050607")));

    [Test]
    public void The_size_of_the_initialization_counts_mask_signs_and_two_floats_a_layer()
    {
        // 18 weights: 3 bytes of mask; 12 kept: 2 bytes of signs; 2 layers: 16 bytes; dense 72 bytes.
        var size = InitializationSize.Measure(TinyNetwork.TakeSnapshot(), new LevelOptions());
        Assert.That(size, Is.EqualTo(new InitializationSize(3, 2, 16, 72)));
        Assert.That(size.TotalBytes, Is.EqualTo(21));
        // 12 kept: 3 bits for one of 5 levels, and 5 floats for each of 3 + 2 outputs; one magnitude for all is a float and the signs.
        Assert.That(InitializationSize.Measure(TinyNetwork.TakeSnapshot(), new LevelOptions { Levels = 5, Scope = LevelScope.Channel }), Is.EqualTo(new InitializationSize(3, 5, 100, 72)));
        Assert.That(InitializationSize.Measure(TinyNetwork.TakeSnapshot(), new LevelOptions { Levels = 1, Scope = LevelScope.Network }), Is.EqualTo(new InitializationSize(3, 2, 4, 72)));
    }

    [Test]
    public void Time_left_follows_the_pace()
    {
        var left = new TimeLeft(totalEpochs: 10);
        Assert.That(left.Estimate(0, TimeSpan.FromSeconds(3)), Is.Null);
        Assert.That(new TimeLeft(8_000_000_000).Estimate(1e-6, TimeSpan.FromDays(1))!.Value.TotalDays, Is.GreaterThan(300_000), "no overflow");
        Assert.That(left.Estimate(2.5, TimeSpan.FromSeconds(5)), Is.EqualTo(TimeSpan.FromSeconds(15)));
        Assert.That(left.Estimate(11, TimeSpan.FromSeconds(5)), Is.EqualTo(TimeSpan.Zero));
    }

    private static EpochRecord Epoch(int epoch) => new("asni1", epoch, 2, 1e-3, 0.5, 0.6, 0.9, 0.99, 0.3, 12, 0.25, 1.5, 1000);

    private static PhaseResult Phase(string name) => new(name, 0.9, 0.99, 0.4, 1.0 / 3, 12, 3.5, TinyNetwork.TakeSnapshot(), TinyNetwork.TakeSnapshot());

    private static PhaseResult SecondPhase() => Phase("asni2") with
    {
        Layers = [new LayerResult(TinyNetwork.Network.Parameters[0], 6, 0.5f, -0.25f),
            new LayerResult(TinyNetwork.Network.Parameters[2], 6, 1.5f, null)],
    };

    private JsonElement Json(string name) => JsonDocument.Parse(File.ReadAllText(_folder["r/" + name])).RootElement;

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
