using System.Buffers;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Tensors;

namespace Asni.Inference;

/// <summary>
/// A trained network that runs sparse inside a .NET application: batch-norm folded into the layers, bias and ReLU fused, pruned weights
/// skipped where that is faster. Any number of threads may call it at once: weights are shared, and each call has activations of its own. A plan of these that was used
/// once is kept, and from then on nothing is allocated. Its device is the caller's, as that of a <see cref="Model"/> is: whoever makes a device disposes of it, after what
/// is on it. Nothing else may run on the device at the same time as a call, so that models called at once need a device each; devices that it makes of it for further callers are its own.
/// <code>
/// using var device = new CpuDevice(threads: 2);
/// using var model = SparseModel.Load("asni2.safetensors", device);
/// int digit = model.Predict(image);      // normalized floats, (C, H, W); from any thread
/// </code>
/// </summary>
public sealed class SparseModel : IDisposable
{
    private readonly Model _model;
    private readonly PlanPool _plans;

    /// <summary>No class is known: they are read only.</summary>
    private readonly int[] _labels;

    private int _disposed;

    private SparseModel(TrainedNetwork snapshot, Device device, int maxBatchSize, int? maxConcurrency)
    {
        _model = new Model(snapshot.Network, device);
        try
        {
            _model.Load(snapshot);
            _plans = new PlanPool(_model, maxBatchSize, maxConcurrency ?? Environment.ProcessorCount);
        }
        catch
        {
            _model.Dispose();
            throw;
        }
        _labels = new int[maxBatchSize];
        Sparsity = _model.Sparsity;
    }

    /// <summary>Reads a network file of Asni (safetensors, .asni).</summary>
    /// <param name="device">Where it runs; the caller's, who disposes of it after the model.</param>
    /// <param name="maxBatchSize">Samples of the largest batch; memory is planned for it.</param>
    /// <param name="maxConcurrency">
    /// Calls that run at the same time. Each beyond the first takes memory for its own activations, when it is first needed and until the model is disposed of; further callers
    /// wait for their turn. 1: no more memory than one caller's. Null: as many as there are processors, for more would not be faster. A GPU runs one call at a time, whatever is given.
    /// </param>
    /// <exception cref="AsniException">No network there, or a damaged one.</exception>
    public static SparseModel Load(string path, Device device, int maxBatchSize = 1, int? maxConcurrency = null)
    {
        CheckSizes(maxBatchSize, maxConcurrency);
        return new SparseModel(FoldedNetwork.Fold(NetworkFormats.Read(path).Trained), device, maxBatchSize, maxConcurrency);
    }

    /// <summary>A network that is in memory, such as what a phase of a run delivered.</summary>
    /// <inheritdoc cref="Load" path="/param"/>
    public static SparseModel Create(TrainedNetwork model, Device device, int maxBatchSize = 1, int? maxConcurrency = null)
    {
        CheckSizes(maxBatchSize, maxConcurrency);
        return new SparseModel(FoldedNetwork.Fold(model), device, maxBatchSize, maxConcurrency);
    }

    /// <summary>One sample's input.</summary>
    public Chw Input => _model.Network.Input;

    public int Classes => _model.Network.Classes;
    public int MaxBatchSize => _plans.BatchSize;

    /// <summary>Pruned share of the weights.</summary>
    public double Sparsity { get; }

    /// <summary>Runs a batch.</summary>
    /// <param name="images">(N, C, H, W), normalized as in training; N at most <see cref="MaxBatchSize"/>.</param>
    /// <param name="logits">(N, classes).</param>
    /// <exception cref="ArgumentException">Lengths that do not fit.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of, or was while the call waited for its turn.</exception>
    public void Run(ReadOnlySpan<float> images, Span<float> logits)
    {
        int count = images.Length / Input.Elements;
        if (count < 1 || count > MaxBatchSize || images.Length != count * Input.Elements)
            throw new ArgumentException($"{images.Length} numbers are not 1 to {MaxBatchSize} images of {Input}, {Input.Elements} numbers each", nameof(images));
        if (logits.Length != count * Classes)
            throw new ArgumentException($"{logits.Length} logits do not hold {count} x {Classes}", nameof(logits));
        Plan plan = _plans.Take();
        try
        {
            plan.Load(images, _labels.AsSpan(0, count));
            plan.RunEvaluation();
            plan.ReadLogits(logits);
        }
        finally
        {
            _plans.GiveBack(plan);
        }
    }

    /// <summary>The class of the largest logit of one image (C, H, W).</summary>
    /// <exception cref="ArgumentException">Another number of elements than the input has.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed of, or was while the call waited for its turn.</exception>
    public int Predict(ReadOnlySpan<float> image)
    {
        if (image.Length != Input.Elements) throw new ArgumentException($"{image.Length} numbers are no image of {Input}", nameof(image));
        float[] rented = ArrayPool<float>.Shared.Rent(Classes);
        try
        {
            Span<float> logits = rented.AsSpan(0, Classes);
            Run(image, logits);
            int best = 0;
            for (int c = 1; c < logits.Length; c++)
                if (logits[c] > logits[best]) best = c;
            return best;
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    /// <summary>Waits for calls that run; those that wait for their turn, and later ones, get an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _plans.Dispose();
        _model.Dispose();
    }

    private static void CheckSizes(int maxBatchSize, int? maxConcurrency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatchSize, 1);
        if (maxConcurrency is { } callers) ArgumentOutOfRangeException.ThrowIfLessThan(callers, 1, nameof(maxConcurrency));
    }
}
