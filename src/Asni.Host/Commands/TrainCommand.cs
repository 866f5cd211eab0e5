using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Host.Display;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Reports;
using Asni.Runs;
using Asni.Settings;
using Asni.Training;

namespace Asni.Host.Commands;

/// <summary>asni [train]: runs a method and keeps what came of it in a run folder.</summary>
internal sealed class TrainCommand
{
    private readonly HostConsole _console;
    private readonly Dictionary<string, Option> _settings = [];
    private readonly Dictionary<string, Option<bool>> _off = [];
    private readonly Option<string> _dataDir = new("--data-dir")
    {
        Description = "folder of the dataset (default: $ASNI_DATA, ./data, then the user's cache)",
        HelpName = "dir",
    };
    private readonly Option<string> _recipe = new("--recipe") { Description = "YAML file with settings; flags override it", HelpName = "file" };
    private readonly Option<string> _out = new("--out") { Description = "run folder, new or empty (default runs/NET-DATA-TIME)", HelpName = "dir" };
    private readonly Option<bool> _orResume = new("--or-resume") { Description = "continue the run in --out where it holds one of these settings: for jobs that are started again" };
    private readonly DeviceChoice _device = new();
    private readonly Checkpointing _checkpointing = new();

    public TrainCommand(HostConsole console)
    {
        _console = console;
        foreach (Setting<RunSettings> setting in RunSettingList.All)
        {
            string flag = "--" + setting.Key, help = RunSettingList.Help(setting);
            _settings[setting.Key] = setting.IsSwitch ? new Option<bool>(flag) { Description = help } : new Option<string>(flag) { Description = help, HelpName = setting.Key };
            if (setting.OffSummary is { } off) _off[setting.Key] = new Option<bool>("--no-" + setting.Key) { Description = off };
        }
    }

    public void AddTo(Command command)
    {
        foreach (Option option in _settings.Values) command.Add(option);
        foreach (Option off in _off.Values) command.Add(off);
        command.Add(_dataDir);
        command.Add(_recipe);
        command.Add(_out);
        command.Add(_orResume);
        _device.AddTo(command);
        _checkpointing.AddTo(command);
        command.SetAction(Run);
    }

    private int Run(ParseResult parsed)
    {
        _console.Ranks = RankAgreement.Open();
        if (_checkpointing.Folder(parsed, [.. _settings.Values, .. _off.Values, _recipe, _out, _orResume]) is { } resumed) return Resume(parsed, resumed);
        SettingsLayer file = parsed.GetValue(_recipe) is { } path ? RecipeYaml.Load(path) : SettingsLayer.Empty;
        SettingsLayer flags = Flags(parsed);
        if (parsed.GetValue(_orResume) && Begun(parsed.GetValue(_out), file.Under(flags)) is { } begun) return Resume(parsed, begun);
        DeviceRequest request = _device.Parse(parsed, RankAgreement.Device(Ranks), Ranks);
        string? dataDir = parsed.GetValue(_dataDir);
        RunPlan plan = RankAgreement.WithLanes(RunPlanner.Plan(file, flags, DatasetLocator.ForUser(dataDir), request.Threads), Ranks, given: file.Has("lanes") || flags.Has("lanes"));
        using Device device = request.Open();
        RunDescription run = Describe(plan, device);
        // Before there is a folder: a signal never leaves one that cannot go on.
        using Interrupt interrupt = StopAfterStep();
        RankAgreement.Require(Ranks, plan, device);
        if (Ranks.Rank > 0) return Follow(plan, device, null, interrupt);
        if (parsed.GetValue(_orResume)) RunFolder.ClearUnbegun(parsed.GetValue(_out)!);
        using RunFolder folder = parsed.GetValue(_out) is { } directory ? RunFolder.Create(directory, run) : RunFolder.CreateNew(run.DefaultFolder(DateTime.Now), run);
        try
        {
            CheckpointKeeper checkpoints = _checkpointing.Keeper(parsed, plan, folder.Path);
            // The recipe last: where there is one the run can be resumed, and then with the threads and data that it was started with.
            Checkpointing.Write(folder, new RunStart(request.Words, dataDir is null ? null : Path.GetFullPath(dataDir)) { Settings = file.Under(flags) });
            folder.WriteText(RunFolder.Recipe, RecipeYaml.Format(plan.Settings, "asni --recipe recipe.yaml repeats this run"));
            Announce(plan, device, request.Note, folder);
            return Train(plan, device, folder, checkpoints, interrupt);
        }
        catch (Exception e)
        {
            if (folder.DiscardIfEmpty()) _console.Line(DescribeContinuation(e, folder));
            throw;
        }
    }

    /// <summary>The folder of --out where it holds a run, which rank 0 sees for all; null where it does not.</summary>
    /// <exception cref="UsageException">The run there was started with other settings.</exception>
    /// <param name="now">What recipe file and flags say.</param>
    private string? Begun(string? directory, IReadOnlyDictionary<string, string> now)
    {
        if (directory is null) throw new UsageException("--or-resume needs --out, the folder that is continued where it holds a run.");
        string recipe = Path.Combine(directory, RunFolder.Recipe);
        if (!RankAgreement.OfRank0(Ranks, File.Exists(recipe))) return null;
        if (Checkpointing.Start(directory).Settings is not { } before) return directory;
        foreach (string key in before.Keys.Union(now.Keys).Order())
            if (before.GetValueOrDefault(key) != now.GetValueOrDefault(key))
                throw new UsageException($"the run in {directory} was started with {Words(before, key)}, not {Words(now, key)}; give another --out.");
        return directory;

        static string Words(IReadOnlyDictionary<string, string> settings, string key) => settings.TryGetValue(key, out string? text) ? $"{key} {text}" : $"no {key}";
    }

    /// <summary>Of which rank 0 alone keeps what comes of it.</summary>
    private Communicator Ranks => _console.Ranks;

    /// <summary>Trains as another rank than 0.</summary>
    private int Follow(RunPlan plan, Device device, CheckpointKeeper? checkpoints, Interrupt interrupt)
    {
        RunResult result = MethodRunner.Run(plan.Recipe, plan.Network, plan.Data, device, Ranks, start: plan.Start, checkpoints: checkpoints, cancellationToken: interrupt.Token);
        Ranks.Meet();
        return result.Complete ? 0 : Entry.Interrupted;
    }

    /// <summary>Goes on with the run in a folder from its newest checkpoint, or from its beginning when it was stopped before the first.</summary>
    private int Resume(ParseResult parsed, string directory)
    {
        using RunLock? held = Ranks.Rank == 0 ? RunFolder.Take(directory) : null;
        if (!RankAgreement.OfRank0(Ranks, held is not null))
        {
            _console.Line($"the run in {directory} is complete: there is nothing to resume.");
            return 0;
        }
        RunStart start = Checkpointing.Start(directory);
        DeviceRequest request = _device.Parse(parsed, start.Device, Ranks);
        string? dataDir = parsed.GetValue(_dataDir) ?? start.DataDir;
        SettingsLayer recipe = RecipeYaml.Load(Path.Combine(directory, RunFolder.Recipe));
        RunPlan plan = RankAgreement.WithLanes(RunPlanner.Plan(recipe, SettingsLayer.Empty, DatasetLocator.ForUser(dataDir), request.Threads), Ranks, given: true);
        using Device device = request.Open();
        CheckpointKeeper checkpoints = _checkpointing.Keeper(parsed, plan, directory, saves: Ranks.Rank == 0);
        CheckpointPosition? at = checkpoints.FindNewest(plan.Recipe.Method.ChangesNetwork ? null : plan.Network, _console.Note);
        using Interrupt interrupt = StopAfterStep();
        // All have read the folder before one writes to it.
        RankAgreement.Require(Ranks, plan, device, at);
        if (held is null) return Follow(plan, device, checkpoints, interrupt);
        using RunFolder folder = RunFolder.Reopen(held, Describe(plan, device), at is null ? [] : at.Epochs);
        Announce(plan, device, request.Note, folder);
        if (at is not null && at.Device != device.Description)
            _console.Note($"the run started on {at.Device}; on {device.Description} its results are rounded differently.");
        _console.Line(at is null ? "no checkpoint was saved yet: the run starts from the beginning" : string.Create(CultureInfo.InvariantCulture,
            $"resumed at epoch {at.Epoch + 1} of {at.Phase}, step {at.Progress.Step + 1}"));
        try
        {
            return Train(plan, device, folder, checkpoints, interrupt);
        }
        catch (Exception e)
        {
            _console.Line(DescribeContinuation(e, folder));
            throw;
        }
    }

    /// <summary>After a failure that left something of the run. The same steps from the same checkpoint diverge again.</summary>
    private static string DescribeContinuation(Exception failure, RunFolder folder) => failure is DivergenceException
        ? $"the checkpoints before the divergence are kept: start a new run with a lower --lr; asni --resume {folder.Path} would repeat the steps since the last one."
        : $"the training so far is saved: asni --resume {folder.Path} continues it.";

    private Interrupt StopAfterStep() => new(() => _console.Error.WriteLine("stopping after this step and saving a checkpoint; press Ctrl-C again to exit at once"));

    private static RunDescription Describe(RunPlan plan, Device device) => new(plan.Network, plan.Recipe.Data, plan.Data.Source, device.Description,
        plan.Recipe.Seed, plan.Data.Train.Count, plan.Data.Test.Count)
    {
        Recipe = plan.Recipe,
        Normalization = plan.Data.Train.Normalization,
        ClassNames = [.. Enumerable.Range(0, plan.Data.Train.Classes).Select(plan.Data.Train.GetClassName)],
    };

    private int Train(RunPlan plan, Device device, RunFolder folder, CheckpointKeeper checkpoints, Interrupt interrupt)
    {
        folder.ReportWriter = RunReport.Write;
        var display = TrainingDisplay.For(_console, plan.TrainedEpochs);
        var observer = new RunObserver(plan.Recipe.Method, folder, display, interrupt);
        RunResult? result = null;
        display.Around(() => result = MethodRunner.Run(plan.Recipe, plan.Network, plan.Data, device, Ranks, observer, folder.Record, plan.Start,
            checkpoints, interrupt.Token));
        if (observer.Failure is { } failure) throw failure;
        // Another rank may have been asked.
        bool stopped = interrupt.Requested || !result!.Complete;
        if (!stopped) folder.Complete();
        ResultTable.Write(_console, result!, folder);
        _console.Line($"run folder: {folder.Path}");
        if (stopped) _console.Line($"asni --resume {folder.Path} continues the run.");
        // No rank leaves while another still has something to write.
        Ranks.Meet();
        return stopped ? Entry.Interrupted : 0;
    }

    private SettingsLayer Flags(ParseResult parsed)
    {
        var values = new Dictionary<string, SettingValue>();
        foreach (Setting<RunSettings> setting in RunSettingList.All)
        {
            if (parsed.GetResult(_settings[setting.Key]) is not { Implicit: false } given) continue;
            string text = setting.IsSwitch ? SettingText.Text(given.GetValueOrDefault<bool>()) : given.GetValueOrDefault<string>() ?? "";
            values[setting.Key] = new SettingValue(text, "--" + setting.Key);
        }
        foreach ((string key, Option<bool> off) in _off.Where(o => parsed.GetValue(o.Value)))
            if (!values.TryAdd(key, new SettingValue("false", off.Name))) throw new UsageException($"--{key} and {off.Name} exclude each other.");
        return new SettingsLayer(values);
    }

    private void Announce(RunPlan plan, Device device, string? deviceNote, RunFolder folder)
    {
        Recipe r = plan.Recipe;
        string text(FormattableString s) => s.ToString(CultureInfo.InvariantCulture);
        foreach (string note in plan.Notes) _console.Note(note);
        _console.Line(text($"network     {plan.Network.Name}, input {plan.Network.Input}, {plan.Network.ParameterCount:N0} parameters, ")
            + text($"{plan.Network.WeightCount:N0} of them prunable weights"));
        string part = plan.Settings.Limit is null || DataSource.IsSynthetic(r.Data) ? "" : text($"; the first {plan.Data.Train.Count:N0} of them");
        _console.Line("data        " + plan.Data.Source + part);
        _console.Line("device      " + device.Description);
        if (Ranks.Size > 1) _console.Line(text($"ranks       {Ranks.Size}, with {r.Lanes / Ranks.Size} of {r.Lanes} lanes each{(GradientExchange.Join(device, Ranks, r.Reduce) is { } by ? "; gradients by " + by : "")}"));
        if (deviceNote is not null) _console.Line("            no GPU is used: " + deviceNote);
        PhasePlan first = plan.Phases.First();
        string sparsity = r.Method.FinalSparsity(r, plan.Network) is { } final ? text($", sparsity {final * 100:0.0#} %") : "";
        _console.Line(text($"recipe      {r.Method.Name}, {first.Epochs} epochs, batch {r.BatchSize}{(r.Lanes > 1 ? $" in {r.Lanes} lanes" : "")}, ")
            + text($"{SettingText.Name(r.Optimizer.Kind)}, lr {first.LearningRate.Initial} {SettingText.Name(first.LearningRate.Kind)}{sparsity}, seed {r.Seed}"));
        _console.Line("run folder  " + folder.Path);
        _console.Line();
    }
}
