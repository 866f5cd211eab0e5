using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Runs;
using Asni.Training;

namespace Asni.Host;

/// <summary>How a run was started, besides its recipe: kept with its checkpoints, so that --resume needs no other flag.</summary>
internal sealed record RunStart(DeviceWords Device, string? DataDir)
{
    /// <summary>What recipe file and flags said, in their words; null: not kept.</summary>
    public IReadOnlyDictionary<string, string>? Settings { get; init; }
}

/// <summary>--resume, --checkpoint-minutes and --keep-checkpoints.</summary>
internal sealed class Checkpointing
{
    private readonly Option<string> _resume = new("--resume")
    {
        Description = "continue the run in this folder from its last checkpoint, bit for bit",
        HelpName = "dir",
    };
    private readonly Option<string> _minutes = new("--checkpoint-minutes")
    {
        Description = "minutes between checkpoints within an epoch (default 10); checkpoints are also saved after an epoch of 2 seconds or more, after each phase and on Ctrl-C",
        HelpName = "n",
    };
    private readonly Option<string> _keep = new("--keep-checkpoints") { Description = "number of checkpoints to keep until the run is complete (default 2)", HelpName = "n" };

    public void AddTo(Command command)
    {
        command.Add(_resume);
        command.Add(_minutes);
        command.Add(_keep);
    }

    /// <summary>The folder of the run to resume; null for a new run.</summary>
    /// <param name="others">Flags that the run's own recipe stands in for.</param>
    /// <exception cref="UsageException">One of them was given too, or the folder holds no run.</exception>
    public string? Folder(ParseResult parsed, IEnumerable<Option> others)
    {
        if (parsed.GetValue(_resume) is not { } directory) return null;
        Option? given = others.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false });
        if (given is not null) throw new UsageException($"--resume continues a run with its own recipe and folder; leave {given.Name} out.");
        RunFolder.RequireFolder(directory);
        if (!File.Exists(Path.Combine(directory, RunFolder.Recipe)))
            throw new UsageException($"{directory} is not the folder of a run: it has no {RunFolder.Recipe}.");
        return directory;
    }

    /// <summary>How the run in a folder was started.</summary>
    public static RunStart Start(string directory)
    {
        string path = Path.Combine(directory, RunFolder.StartFile);
        try
        {
            if (File.Exists(path) && JsonSerializer.Deserialize<RunStart>(File.ReadAllText(path)) is { Device: not null } start) return start;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            // The defaults are as good a guess, and a checkpoint tells when the device is another one.
        }
        return new RunStart(new DeviceWords(null, null, null), null);
    }

    /// <param name="plan">The run.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="saves">False: only reads what another rank saved.</param>
    public CheckpointKeeper Keeper(ParseResult parsed, RunPlan plan, string folder, bool saves = true)
    {
        double minutes = Number(parsed.GetValue(_minutes), _minutes.Name, 10, 0, 1e6);
        int keep = (int)Number(parsed.GetValue(_keep), _keep.Name, 2, 1, 1e6);
        string identity = Identity(plan);
        return new CheckpointKeeper(Path.Combine(folder, RunFolder.CheckpointFolder), identity, keep, TimeSpan.FromMinutes(minutes))
        {
            Saves = saves,
            IsSameRun = written => written == identity || InWordsOfToday(written) == identity,
            Inputs = Inputs(plan),
            ImageFiles = ImageFiles(plan),
            Delivered = phase => Path.Combine(folder, RunFolder.NetworkFileName(phase)) is var file && plan.Recipe.Method.ChangesNetwork ? NetworkFormats.Read(file).Trained : RunFolder.Load(file, plan.Network),
        };
    }

    public static void Write(RunFolder folder, RunStart start) => folder.WriteText(RunFolder.StartFile, JsonSerializer.Serialize(start));

    /// <summary>What must not change between the sessions of a run.</summary>
    private static string Identity(RunPlan plan) => string.Create(CultureInfo.InvariantCulture,
        $"{RecipeYaml.Format(plan.Settings, "")}\n{plan.Network.Name} {plan.Network.Input} {plan.Network.Classes} {plan.Data.Train.Count} {plan.Data.Test.Count}");

    /// <summary>The same run as this version writes it: an earlier one may have quoted other values, or lacked settings that have their default.</summary>
    private static string InWordsOfToday(string identity)
    {
        int end = identity.LastIndexOf('\n');
        if (end < 0) return identity;
        try
        {
            return RecipeYaml.Format(SettingsLayer.Apply(RecipeYaml.Parse(identity[..end], "checkpoint")), "") + identity[end..];
        }
        catch (AsniException)
        {
            return identity;
        }
    }

    /// <summary>SHA-256 of what the run reads, by what it is called in messages.</summary>
    private static Dictionary<string, string> Inputs(RunPlan plan)
    {
        var inputs = new Dictionary<string, string>
        {
            [$"the training half of {plan.Recipe.Data}"] = plan.Data.Train.ComputeSha256(),
            [$"the test half of {plan.Recipe.Data}"] = plan.Data.Test.ComputeSha256(),
        };
        if (plan.Start is { } start) inputs["the network of --init"] = start.ComputeSha256();
        return inputs;
    }

    /// <summary>The same of files that a user may mend while the run stands still.</summary>
    private static Dictionary<string, string> ImageFiles(RunPlan plan)
    {
        var files = new Dictionary<string, string>();
        if (plan.Data.Train.ComputeFilesSha256() is { } train) files["training"] = train;
        if (plan.Data.Test.ComputeFilesSha256() is { } test) files["test"] = test;
        return files;
    }

    private static double Number(string? text, string flag, double otherwise, double min, double max)
    {
        if (text is null) return otherwise;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) || !(number >= min && number <= max))
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{flag} '{text}' is not a number of at least {min}."));
        return number;
    }
}
