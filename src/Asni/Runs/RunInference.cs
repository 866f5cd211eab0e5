using Asni.Devices;
using Asni.Formats;
using Asni.Inference;

namespace Asni.Runs;

/// <summary>
/// Makes ready to run what a run folder holds: which of its networks, and how its images were normalized, the folder says.
/// <code>
/// using var device = new CpuDevice();
/// using var classifier = RunInference.LoadClassifier("runs/pets", device);
/// string animal = classifier.Classify("garden.jpg")[0].Name;
/// </code>
/// </summary>
public static class RunInference
{
    /// <summary>A network of the folder.</summary>
    /// <param name="phase">Whose network: "asni1", ...; null for the last phase's that is no control.</param>
    /// <exception cref="AsniException">No network there, or a damaged one.</exception>
    /// <inheritdoc cref="SparseModel.Load" path="/param"/>
    public static SparseModel LoadModel(string folder, Device device, string? phase = null, int maxBatchSize = 1, int? maxConcurrency = null) =>
        SparseModel.Load(RunFolder.NetworkPath(folder, phase), device, maxBatchSize, maxConcurrency);

    /// <summary>A network of the folder that says what is on image files.</summary>
    /// <param name="phase">Whose network: "asni1", ...; null for the last phase's that is no control.</param>
    /// <exception cref="AsniException">No network or summary there, damaged ones, or a summary that does not say how images were normalized.</exception>
    /// <inheritdoc cref="ImageClassifier.Create(Networks.TrainedNetwork, Device, Data.ImageDescription, int?)" path="/param"/>
    public static ImageClassifier LoadClassifier(string folder, Device device, string? phase = null, int? maxConcurrency = null)
    {
        var run = RunSummary.Read(folder);
        return ImageClassifier.Create(NetworkFormats.Read(RunFolder.NetworkPath(folder, phase)).Trained, device, run.DescribeImages(), maxConcurrency);
    }
}
