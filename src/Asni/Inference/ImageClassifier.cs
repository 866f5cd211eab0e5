using System.Buffers;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Inference;

/// <param name="Class">Which of the network's outputs.</param>
/// <param name="Name">What the class is called; its number where it has no name.</param>
public readonly record struct ClassGuess(int Class, string Name, double Probability);

/// <summary>
/// A network that says what is on an image: files are read as evaluation reads them (<see cref="ImageFile"/>), normalized as in training, and run sparse
/// (<see cref="SparseModel"/>). Any number of threads may call it at once. Its device is the caller's, as that of a <see cref="SparseModel"/> is.
/// <code>
/// using var device = new CpuDevice();
/// using var classifier = ImageClassifier.Create(network, device, Datasets.Describe("cifar10"));
/// string animal = classifier.Classify("garden.jpg")[0].Name;
/// </code>
/// </summary>
public sealed class ImageClassifier : IDisposable
{
    private readonly SparseModel _model;
    private readonly ImageDescription _images;

    private ImageClassifier(SparseModel model, ImageDescription images) => (_model, _images) = (model, images);

    /// <summary>Classifies with a network that is in memory, such as one of a PyTorch file.</summary>
    /// <param name="images">What it saw in training; <see cref="Datasets.Describe"/> knows the datasets that have a name.</param>
    /// <param name="device">Where it runs; the caller's, who disposes of it after the classifier.</param>
    /// <param name="maxConcurrency">Calls that run at the same time, as <see cref="SparseModel.Load"/> has it; files are read and decoded before a call waits for its turn.</param>
    /// <exception cref="UsageException">The images have another number of channels than the network reads, or neither 1 nor 3.</exception>
    public static ImageClassifier Create(TrainedNetwork network, Device device, ImageDescription images, int? maxConcurrency = null)
    {
        int channels = images.Normalization.Mean.Length;
        if (channels != network.Network.Input.Channels || channels is not (1 or 3))
            throw new UsageException($"The images have {channels} channels, of which there can be 1 or 3; the network reads {network.Network.Input}.");
        return new ImageClassifier(SparseModel.Create(network, device, maxConcurrency: maxConcurrency), images);
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
            if (file is null) ImageFile.Read(name, Input, _images.UsesWholeImage, pixels.AsSpan(0, Input.Elements));
            else ImageFile.Read(file, name, Input, _images.UsesWholeImage, pixels.AsSpan(0, Input.Elements));
            _images.Normalization.Apply(pixels.AsSpan(0, Input.Elements), image.AsSpan(0, Input.Elements));
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
        return [.. logits.Select((l, c) => new ClassGuess(c, c < _images.ClassNames.Count ? _images.ClassNames[c] : $"{c}", Math.Exp(l - largest) / sum)).OrderByDescending(g => g.Probability).Take(count)];
    }

    /// <inheritdoc cref="SparseModel.Dispose"/>
    public void Dispose() => _model.Dispose();
}
