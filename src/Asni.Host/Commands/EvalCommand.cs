using System.CommandLine;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Networks;
using Asni.Runs;
using Asni.Training;

namespace Asni.Host.Commands;

/// <summary>asni eval: evaluates a saved network on its test set.</summary>
internal static class EvalCommand
{
    public static Command Create(HostConsole console)
    {
        var file = RunOptions.File();
        var run = RunOptions.Run();
        var phase = RunOptions.Phase();
        var data = new Option<string>("--data") { Description = "with a network file: dataset whose test set is used", HelpName = "data" };
        var dataDir = new Option<string>("--data-dir") { Description = "folder of the dataset", HelpName = "dir" };
        var weights = new WeightFile();
        var device = new DeviceChoice();
        var command = new Command("eval", "evaluate a saved network on a test set") { file, run, phase, data, dataDir };
        weights.AddTo(command);
        device.AddTo(command);
        command.SetAction(parsed =>
        {
            DatasetLocator locator = DatasetLocator.ForUser(parsed.GetValue(dataDir));
            if (parsed.GetValue(file) is null == parsed.GetValue(run) is null) throw new UsageException("give either a network file or --run DIR.");
            if (parsed.GetValue(run) is { } folder)
            {
                weights.RequireNone(parsed);
                if (parsed.GetValue(data) is not null) throw new UsageException("--data goes with a network file: a run says what its data are.");
                EvaluateRun(console, folder, RunFolder.NetworkPath(folder, parsed.GetValue(phase)), locator, device.Parse(parsed));
                return 0;
            }
            if (parsed.GetValue(phase) is not null) throw new UsageException("--phase goes with --run.");
            string name = parsed.GetValue(data) ?? throw new UsageException("a network file needs --data, the dataset to evaluate it on.");
            string path = parsed.GetValue(file)!;
            DatasetSplit split = DataSource.OpenTest(name, weights.InputOf(parsed, path, name), locator);
            StoredNetwork network = weights.Read(parsed, path, console, split.Test.Shape, split.Test.Classes).RequireFinite();
            Evaluate(console, network, split, split.Test.Name, device.Parse(parsed));
            return 0;
        });
        return command;
    }

    private static void EvaluateRun(HostConsole console, string folder, string file, DatasetLocator locator, DeviceRequest request)
    {
        RunSettings settings = SettingsLayer.Apply(RecipeYaml.Load(Path.Combine(folder, "recipe.yaml")));
        StoredNetwork network = NetworkFormats.Read(file).RequireFinite();
        DatasetSplit data = DataSource.Open(settings.Recipe.Data, network.Trained.Network.Input, settings.Limit, locator);
        CheckClasses(folder, data.Test);
        Evaluate(console, network, data, settings.Recipe.Data, request);
    }

    private static void Evaluate(HostConsole console, StoredNetwork stored, DatasetSplit data, string dataName, DeviceRequest request)
    {
        Network network = stored.Trained.Network;
        if (network.Classes != data.Test.Classes) throw new UsageException($"{stored.Path} has {network.Classes} classes, {dataName} has {data.Test.Classes}.");
        if (network.Input != data.Test.Shape) throw new UsageException($"{stored.Path} has the input size {network.Input}, {dataName} has {data.Test.Shape} images.");
        using Device device = request.Open();
        using var model = new Model(network, device);
        model.Load(stored.Trained);
        using var evaluator = new Evaluator(model, data.Test);
        Metrics metrics = evaluator.Evaluate();
        console.Line($"{stored.Phase} of {network.Name} on {Format.Count(metrics.Samples)} test images of {dataName}: "
            + $"top-1 {Format.Percent(metrics.Top1)}, top-5 {Format.Percent(metrics.Top5)}, loss {Format.Loss(metrics.Loss)}, "
            + $"sparsity {Format.Percent(model.Sparsity)} ({Format.Count(model.Kept)} weights kept), "
            + $"{Format.Number(metrics.Samples / metrics.Seconds, "N0")} images/s.");
    }

    /// <summary>Folders of images can be changed, and their classes with them.</summary>
    private static void CheckClasses(string folder, Dataset data)
    {
        IReadOnlyList<string> names = File.Exists(Path.Combine(folder, RunFolder.Summary)) ? RunSummary.Read(folder).ClassNames : [];
        if (names.Count == 0) return;
        if (names.Count != data.Classes) throw new UsageException($"the run in {folder} has {names.Count} classes, {data.Name} has {data.Classes} now.");
        for (int c = 0; c < names.Count; c++)
            if (names[c] != data.GetClassName(c)) throw new UsageException($"class {c} of the run in {folder} is '{names[c]}', in {data.Name} it is '{data.GetClassName(c)}'.");
    }
}
