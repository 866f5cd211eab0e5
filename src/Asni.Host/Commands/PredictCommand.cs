using System.CommandLine;
using Asni.Data;
using Asni.Devices;
using Asni.Formats;
using Asni.Inference;
using Asni.Networks;
using Asni.Runs;

namespace Asni.Host.Commands;

/// <summary>asni predict: says what is on images.</summary>
internal static class PredictCommand
{
    private const int MaxClasses = 5;

    public static Command Create(HostConsole console)
    {
        var files = new Argument<string[]>("file") { Description = "JPEG, PNG, BMP or WebP images; without --run, the network file comes first", Arity = ArgumentArity.OneOrMore };
        var run = RunOptions.Run();
        var data = new Option<string>("--data") { Description = "with a network file: dataset it was trained on, which gives the normalization: cifar10, imagenet, ...", HelpName = "data" };
        var weights = new WeightFile();
        var phase = RunOptions.Phase();
        var device = new DeviceChoice();
        var command = new Command("predict", "classify images with a saved network") { files, run, phase, data };
        weights.AddTo(command);
        device.AddTo(command);
        command.SetAction(parsed =>
        {
            string[] images = parsed.GetValue(files)!;
            (TrainedNetwork, ImageDescription) OfRun(string folder)
            {
                weights.RequireNone(parsed);
                if (parsed.GetValue(data) is not null) throw new UsageException("--data goes with a network file: a run says what its data are.");
                StoredNetwork network = NetworkFormats.Read(RunFolder.NetworkPath(folder, parsed.GetValue(phase))).RequireFinite();
                return (network.Trained, RunSummary.Read(folder).DescribeImages());
            }
            (TrainedNetwork, ImageDescription) OfFile()
            {
                if (parsed.GetValue(phase) is not null) throw new UsageException("--phase goes with --run.");
                if (images.Length < 2) throw new UsageException("give --run DIR and images, or a network file, --data and images.");
                string trainedOn = parsed.GetValue(data) ?? throw new UsageException("a network file needs --data, the dataset that it was trained on.");
                // A mistake in the name is told before the network is read.
                ImageDescription described = Datasets.Describe(trainedOn);
                StoredNetwork network = weights.Read(parsed, images[0], console).RequireFinite();
                images = images[1..];
                return (network.Trained, described);
            }
            (TrainedNetwork trained, ImageDescription seen) = parsed.GetValue(run) is { } folder ? OfRun(folder) : OfFile();
            using Device on = device.Parse(parsed).Open();
            using var classifier = ImageClassifier.Create(trained, on, seen);
            bool all = true;
            foreach (string file in images) all &= Predict(console, classifier, file);
            return all ? 0 : Entry.Failed;
        });
        return command;
    }

    /// <summary>Whether the file is an image; those after one that is not are predicted all the same.</summary>
    private static bool Predict(HostConsole console, ImageClassifier classifier, string file)
    {
        try
        {
            console.Line($"{file}: {string.Join(", ", classifier.Classify(file, MaxClasses).Select(g => $"{g.Name} {Format.Percent(g.Probability)}"))}");
            return true;
        }
        catch (AsniException e)
        {
            console.Fail(e.Message);
            return false;
        }
    }
}
