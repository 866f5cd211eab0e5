using System.CommandLine;
using Asni.Devices;
using Asni.Inference;

namespace Asni.Host.Commands;

/// <summary>asni predict: says what is on images.</summary>
internal static class PredictCommand
{
    private const int Most = 5;

    public static Command Create(HostConsole console)
    {
        var files = new Argument<string[]>("file") { Description = "JPEG, PNG, BMP or WebP images", Arity = ArgumentArity.OneOrMore };
        var run = new Option<string>("--run") { Description = "run folder", HelpName = "dir", Required = true };
        var phase = new Option<string>("--phase")
        {
            Description = "network of the folder: asni2, asni1, dense, ... (default: the last phase's)",
            HelpName = "phase",
        };
        var device = new DeviceChoice();
        var command = new Command("predict", "say what is on images, by a saved network") { files, run, phase };
        device.AddTo(command);
        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(run)!;
            _ = RunNetworks.PathOf(folder, parsed.GetValue(phase));
            using var classifier = ImageClassifier.Load(folder, device.Parse(parsed).Open(), parsed.GetValue(phase));
            bool all = true;
            foreach (string file in parsed.GetValue(files)!) all &= Predict(console, classifier, file);
            return all ? 0 : Entry.Failed;
        });
        return command;
    }

    /// <summary>Whether the file is an image; those after one that is not are predicted all the same.</summary>
    private static bool Predict(HostConsole console, ImageClassifier classifier, string file)
    {
        try
        {
            console.Line($"{file}: {string.Join(", ", classifier.Classify(file, Most).Select(g => $"{g.Name} {Show.Percent(g.Probability)}"))}");
            return true;
        }
        catch (AsniException e)
        {
            console.Fail(e.Message);
            return false;
        }
    }
}
