using System.Buffers;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Runs;
using Asni.Tensors;

namespace Asni.Inference;

/// <param name="Class">Which of the network's outputs.</param>
/// <param name="Name">What the class is called; its number where it has no name.</param>
public readonly record struct ClassGuess(int Class, string Name, double Probability);

/// <summary>
/// A run's network that says what is on an image: files are read as evaluation reads them (<see cref="ImageFile"/>), normalized as in training, and run sparse
/// (<see cref="SparseModel"/>). Any number of threads may call it at once.
/// <code>
/// using var classifier = ImageClassifier.Load("runs/pets", new CpuDevice());
/// string animal = classifier.Classify("garden.jpg")[0].Name;
/// </code>
/// </summary>
public sealed class ImageClassifier : IDisposable
{
    private readonly SparseModel _model;
    private readonly Normalization _normalization;
    private readonly IReadOnlyList<string> _names;
    private readonly bool _whole;

    /// <param name="whole">Images are seen as a whole, not their middle.</param>
    private ImageClassifier(SparseModel model, Normalization normalization, IReadOnlyList<string> names, bool whole)
    {
        (_model, _normalization, _names, _whole) = (model, normalization, names, whole);
    }

    /// <param name="folder">A run folder.</param>
    /// <param name="device">Where it runs; belongs to the classifier from here on, also when loading fails.</param>
    /// <param name="maximalCallers">Calls that run at the same time, as <see cref="SparseModel.Load"/> has it; files are read and decoded before a call waits for its turn.</param>
    /// <param name="phase">Whose network: "asni1", ...; null for the last phase's that is no control.</param>
    /// <exception cref="AsniException">No network or summary there, damaged ones, or a summary that does not say how images were normalized.</exception>
    public static ImageClassifier Load(string folder, Device device, string? phase = null, int? maximalCallers = null)
    {
        string network;
        RunSummary run;
        try
        {
            run = RunSummary.Read(folder);
            network = RunFolder.NetworkPath(folder, phase);
        }
        catch
        {
            device.Dispose();
            throw;
        }
        return OfRun(SparseModel.Load(network, device, maximalCallers: maximalCallers), run);
    }

    /// <summary>A run's network that is in memory.</summary>
    /// <param name="device">Where it runs; belongs to the classifier from here on, also when this fails.</param>
    /// <param name="run">What the run's folder says of its images and classes.</param>
    /// <param name="maximalCallers">As <see cref="Load"/> has it.</param>
    /// <exception cref="AsniException">The run does not say how images were normalized, or the network does not fit what it says.</exception>
    internal static ImageClassifier Of(TrainedNetwork network, Device device, RunSummary run, int? maximalCallers = null) =>
        OfRun(SparseModel.Of(network, device, maximalCallers: maximalCallers), run);

    private static ImageClassifier OfRun(SparseModel model, RunSummary run)
    {
        if (run.Normalization is { } normalization && normalization.Mean.Length == model.Input.Channels && model.Input.Channels is 1 or 3)
            return new ImageClassifier(model, normalization, run.ClassNames, !Datasets.IsOfAnySize(run.Data));
        model.Dispose();
        throw new AsniException(run.Normalization is null
            ? $"{Path.Combine(run.Folder, RunFolder.Summary)} does not say how images were normalized: the run is by an older version."
            : $"The network in {run.Folder} reads {model.Input}, which is no image, or not the one that its summary is of.");
    }

    /// <summary>A network that is in memory, such as one of a PyTorch file, of a dataset that has a name: its normalization and classes are known by that.</summary>
    /// <param name="device">Where it runs; belongs to the classifier from here on, also when this fails.</param>
    /// <param name="data">What the network was trained on: "cifar10", "imagenet", ...</param>
    /// <param name="maximalCallers">As <see cref="Load"/> has it.</param>
    /// <exception cref="UsageException">No dataset has this name, or its images have another number of channels.</exception>
    public static ImageClassifier Of(TrainedNetwork network, Device device, string data, int? maximalCallers = null)
    {
        try
        {
            (Normalization normalization, IReadOnlyList<string> names) = Datasets.Describe(data);
            if (normalization.Mean.Length != network.Network.Input.Channels)
                throw new UsageException($"{data} has images of {normalization.Mean.Length} channels; the network reads {network.Network.Input}.");
            return new ImageClassifier(SparseModel.Of(network, device, maximalCallers: maximalCallers), normalization, names, !Datasets.IsOfAnySize(data));
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>What images are brought to.</summary>
    public Chw Input => _model.Input;

    /// <summary>The most probable classes of a JPEG, PNG, BMP or WebP file, best first.</summary>
    /// <param name="count">How many at most.</param>
    /// <exception cref="AsniException">The file cannot be read or decoded.</exception>
    /// <exception cref="ObjectDisposedException">The classifier is disposed of, or was while the call waited for its turn.</exception>
    public IReadOnlyList<ClassGuess> Classify(string path, int count = 5) => Classify(path, null, count);

    /// <summary>The same for a file that is in memory, such as an upload.</summary>
    /// <param name="file">The bytes of the file.</param>
    /// <param name="name">What messages call it.</param>
    /// <inheritdoc cref="Classify(string, int)"/>
    public IReadOnlyList<ClassGuess> ClassifyBytes(byte[] file, string name, int count = 5) => Classify(name, file, count);

    /// <param name="file">Null: the file of that name.</param>
    private ClassGuess[] Classify(string name, byte[]? file, int count)
    {
        var logits = new float[_model.Classes];
        byte[] pixels = ArrayPool<byte>.Shared.Rent(Input.Elements);
        float[] image = ArrayPool<float>.Shared.Rent(Input.Elements);
        try
        {
            if (file is null) ImageFile.Read(name, Input, _whole, pixels.AsSpan(0, Input.Elements));
            else ImageFile.Read(file, name, Input, _whole, pixels.AsSpan(0, Input.Elements));
            _normalization.Apply(pixels.AsSpan(0, Input.Elements), image.AsSpan(0, Input.Elements));
            _model.Run(image.AsSpan(0, Input.Elements), logits);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(pixels);
            ArrayPool<float>.Shared.Return(image);
        }
        return Guesses(logits, count);
    }

    private ClassGuess[] Guesses(float[] logits, int count)
    {
        // Softmax, safe from overflow.
        double largest = logits.Max(), sum = logits.Sum(l => Math.Exp(l - largest));
        return [.. logits.Select((l, c) => new ClassGuess(c, c < _names.Count ? _names[c] : $"{c}", Math.Exp(l - largest) / sum)).OrderByDescending(g => g.Probability).Take(count)];
    }

    /// <inheritdoc cref="SparseModel.Dispose"/>
    public void Dispose() => _model.Dispose();
}
