using System.CommandLine;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Reports;
using Asni.Training;

namespace Asni.Host.Commands;

/// <summary>asni eval: evaluates a saved network on its test set.</summary>
internal static class EvalCommand
{
    public static Command Create(HostConsole console)
    {
        var run = new Option<string>("--run") { Description = "run folder", HelpName = "dir", Required = true };
        var phase = new Option<string>("--phase")
        {
            Description = "network of the folder: asni2, asni1, dense, ... (default: the first of these that is there)",
            HelpName = "phase",
        };
        var dataDir = new Option<string>("--data-dir") { Description = "folder of the dataset", HelpName = "dir" };
        var device = new DeviceChoice();
        var command = new Command("eval", "evaluate a saved network on its test set") { run, phase, dataDir };
        device.AddTo(command);
        command.SetAction(parsed =>
        {
            string file = RunNetworks.PathOf(parsed.GetValue(run)!, parsed.GetValue(phase));
            Evaluate(console, parsed.GetValue(run)!, file, DatasetLocator.ForUser(parsed.GetValue(dataDir)), device.Parse(parsed));
            return 0;
        });
        return command;
    }

    private static void Evaluate(HostConsole console, string folder, string file, DatasetLocator locator, DeviceRequest request)
    {
        RunSettings settings = SettingsLayer.Apply(RecipeYaml.Load(Path.Combine(folder, "recipe.yaml")));
        Recipe recipe = settings.Recipe;
        NetworkFileHeader header = NetworkFile.ReadHeader(file);
        Network network = NetworkZoo.Create(header.Network, header.Input, header.Classes);
        ModelSnapshot saved = RunFolder.Load(file, network);
        DatasetSplit data = DataSource.Open(recipe.Data, header.Input, settings.Limit, locator);
        CheckClasses(folder, data.Test);
        using Device device = request.Open();
        using var model = new Model(network, device);
        model.Load(saved);
        using var trainer = new Trainer(model, data, batchSize: 1, Augmentation.None, labelSmoothing: 0, new Silence());
        Metrics metrics = trainer.Evaluate();
        console.Line($"{header.Phase} of {network.Name} on {Show.Count(metrics.Samples)} test images of {recipe.Data}: "
            + $"top-1 {Show.Percent(metrics.Top1)}, top-5 {Show.Percent(metrics.Top5)}, loss {Show.Loss(metrics.Loss)}, "
            + $"sparsity {Show.Percent(model.Sparsity)} ({Show.Count(model.Kept)} weights kept), "
            + $"{Show.Number(metrics.Samples / metrics.Seconds, "N0")} images/s.");
    }

    /// <summary>Folders of images can be changed, and their classes with them.</summary>
    private static void CheckClasses(string folder, Dataset data)
    {
        IReadOnlyList<string> names = File.Exists(Path.Combine(folder, RunFolder.Summary)) ? RunSummary.Read(folder).ClassNames : [];
        if (names.Count == 0) return;
        if (names.Count != data.Classes) throw new UsageException($"the run in {folder} tells {names.Count} classes apart, {data.Name} has {data.Classes} now.");
        for (int c = 0; c < names.Count; c++)
            if (names[c] != data.ClassName(c)) throw new UsageException($"class {c} of the run in {folder} is '{names[c]}', in {data.Name} it is '{data.ClassName(c)}'.");
    }

    private sealed class Silence : ITrainingObserver;
}
