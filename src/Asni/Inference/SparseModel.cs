using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;
using Asni.Tensors;

namespace Asni.Inference;

/// <summary>
/// A trained network that runs sparse inside a .NET application: batch-norm folded into the layers, bias and ReLU fused, pruned weights
/// skipped where that is faster. After the first call nothing is allocated. One caller at a time.
/// <code>
/// using var model = SparseModel.Load("runs/lenet300", new CpuDevice(threads: 2));
/// int digit = model.Predict(image);      // normalized floats, (C, H, W)
/// </code>
/// </summary>
public sealed class SparseModel : IDisposable
{
    /// <summary>Networks of a run folder, in the order in which one is taken.</summary>
    private static readonly string[] s_phases = ["ispasp", "asni2", "asni1", "retrain", "dense"];

    private readonly Device _device;
    private readonly Model _model;
    private readonly Plan _plan;
    private readonly int[] _labels;
    private readonly float[] _logits;

    private SparseModel(ModelSnapshot snapshot, Device device, int maximalBatch)
    {
        _device = device;
        _model = new Model(snapshot.Network, device);
        _model.Load(snapshot);
        _plan = new Plan(_model, maximalBatch, training: false);
        _labels = new int[maximalBatch];
        _logits = new float[snapshot.Network.Classes];
    }

    /// <summary>Reads a run folder's network (the last phase's), or a network file of Asni (safetensors, .asni).</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="device">Where it runs; belongs to the model from here on, also when loading fails.</param>
    /// <param name="maximalBatch">Samples of the largest batch; memory is planned for it.</param>
    /// <exception cref="AsniException">No network there, or a damaged one.</exception>
    public static SparseModel Load(string path, Device device, int maximalBatch = 1)
    {
        try
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(maximalBatch, 1);
            string file = Directory.Exists(path) ? NetworkOf(path) : path;
            NetworkFileHeader header = NetworkFormats.ReadHeader(file);
            Network network = NetworkZoo.Create(header.Network, header.Input, header.Classes);
            return new SparseModel(FoldedNetwork.Of(network, NetworkFormats.Read(file, network)), device, maximalBatch);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>A network that is in memory, such as what a phase of a run delivered.</summary>
    /// <inheritdoc cref="Load" path="/param"/>
    public static SparseModel Of(ModelSnapshot model, Device device, int maximalBatch = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximalBatch, 1);
        return new SparseModel(FoldedNetwork.Of(model.Network, new StoredWeights(model.Values, model.Masks)), device, maximalBatch);
    }

    /// <summary>One sample's input.</summary>
    public Chw Input => _model.Network.Input;

    public int Classes => _model.Network.Classes;
    public int MaximalBatch => _plan.BatchSize;

    /// <summary>Pruned share of the weights.</summary>
    public double Sparsity => _model.Sparsity;

    /// <summary>Runs a batch.</summary>
    /// <param name="images">(N, C, H, W), normalized as in training; N at most <see cref="MaximalBatch"/>.</param>
    /// <param name="logits">(N, classes).</param>
    /// <exception cref="ArgumentException">Lengths that do not fit.</exception>
    public void Run(ReadOnlySpan<float> images, Span<float> logits)
    {
        int count = images.Length / Input.Elements;
        if (count < 1 || count > MaximalBatch || images.Length != count * Input.Elements)
            throw new ArgumentException($"{images.Length} numbers are not 1 to {MaximalBatch} images of {Input}, {Input.Elements} numbers each", nameof(images));
        if (logits.Length != count * Classes)
            throw new ArgumentException($"{logits.Length} logits do not hold {count} x {Classes}", nameof(logits));
        _plan.Load(images, _labels.AsSpan(0, count));
        _plan.RunEvaluation();
        _plan.ReadLogits(logits);
    }

    /// <summary>The class of the largest logit of one image (C, H, W).</summary>
    /// <exception cref="ArgumentException">Another number of elements than the input has.</exception>
    public int Predict(ReadOnlySpan<float> image)
    {
        if (image.Length != Input.Elements) throw new ArgumentException($"{image.Length} numbers are no image of {Input}", nameof(image));
        Run(image, _logits);
        int best = 0;
        for (int c = 1; c < _logits.Length; c++)
            if (_logits[c] > _logits[best]) best = c;
        return best;
    }

    public void Dispose()
    {
        _plan.Dispose();
        _model.Dispose();
        _device.Dispose();
    }

    private static string NetworkOf(string folder)
    {
        foreach (string phase in s_phases)
        {
            string file = Path.Combine(folder, RunFolder.NetworkFileName(phase));
            if (File.Exists(file)) return file;
        }
        throw new AsniException($"{folder} holds no network; a run folder with {RunFolder.NetworkFileName("asni1")} or the like was expected.");
    }
}
