using System.Runtime.ExceptionServices;

namespace Asni.Data;

/// <summary>
/// Fills reusable batches from a dataset, in the order of <see cref="SampleOrder"/>. Batches that cost more than a copy are filled ahead
/// on background threads; copies are made in place, where a hand-over between threads would cost more than the copy. Images that must be decoded are read on all
/// processors.
/// One epoch may be enumerated at a time.
/// </summary>
internal sealed class BatchLoader
{
    /// <summary>A copy of this many bytes takes some hundred microseconds; above, reading ahead pays.</summary>
    private const long CopyAheadBytes = 4 << 20;

    private readonly Dataset _data;
    private readonly SampleOrder _order;
    private readonly Batch[] _batches;
    private readonly int _workers;
    private readonly ThreadLocal<Augmenter> _augmenters;
    private readonly bool _ahead, _parts;
    private bool _active;

    /// <param name="data">Must allow reads from several threads.</param>
    /// <param name="batchSize">Samples a batch; the last batch of an epoch holds what is left.</param>
    /// <param name="augmentation">Random changes; <see cref="Augmentation.None"/> for evaluation.</param>
    /// <param name="shuffle">A new order each epoch; otherwise the dataset's own.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="workers">Threads that fill ahead, when filling ahead pays.</param>
    public BatchLoader(
        Dataset data, int batchSize, Augmentation augmentation = default, bool shuffle = true, ulong seed = 0, int workers = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(augmentation.CropPadding, nameof(augmentation));
        _data = data;
        BatchSize = Math.Min(batchSize, data.Count);
        BatchesPerEpoch = (data.Count + BatchSize - 1) / BatchSize;
        _parts = data.HasRandomCrops && augmentation != Augmentation.None;
        _order = new SampleOrder(data.Count, data.HasRandomCrops ? augmentation with { CropPadding = 0 } : augmentation, shuffle, seed);
        bool copies = !data.Pixels.IsEmpty && augmentation == Augmentation.None;
        _ahead = BatchesPerEpoch > 1 && !(copies && (long)BatchSize * data.Shape.Elements < CopyAheadBytes);

        // Reading ahead: one batch with the consumer, one ready, one in each worker's hands.
        _batches = [.. Enumerable.Range(0, _ahead ? workers + 2 : 1).Select(_ => new Batch(BatchSize, data.Shape))];
        _workers = workers;
        _augmenters = new ThreadLocal<Augmenter>(() => new Augmenter(data.Shape));
    }

    /// <summary>Samples a full batch; never more than the dataset has.</summary>
    public int BatchSize { get; }

    /// <summary>Batches in an epoch, the last partial one included.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>Which of them are filled; the others are other ranks'.</summary>
    internal LaneShare Share { get; init; } = LaneShare.All(1);

    /// <summary>True when batches are filled on background threads.</summary>
    internal bool FillsAhead => _ahead;

    /// <summary>
    /// The batches of the share in an epoch, from its <paramref name="firstBatch"/> on (to resume within an epoch). A batch is valid until the next one
    /// is asked for; an epoch allocates, a step does not unless it decodes images. Leaving the loop early stops the background threads.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another epoch of this loader is still being enumerated.</exception>
    public IEnumerable<Batch> Epoch(int epoch, int firstBatch = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstBatch, BatchesPerEpoch);
        return Enumerate(epoch, firstBatch);
    }

    private IEnumerable<Batch> Enumerate(int epoch, int firstBatch)
    {
        if (_active) throw new InvalidOperationException("One epoch of a loader at a time: its batches are shared.");
        _active = true;
        try
        {
            SampleDraw[] draws = _order.Epoch(epoch);
            ulong? parts = _parts ? _order.Parts(epoch) : null;
            int batches = Share.CountOf(BatchesPerEpoch);
            if (_ahead)
            {
                using var prefetcher = new BatchPrefetcher(_batches, _workers, firstBatch, batches, (index, _, batch) => Fill(draws, parts, Share.Index(index), batch));
                while (prefetcher.Next() is { } batch) yield return batch;
            }
            else
            {
                for (int index = firstBatch; index < batches; index++)
                {
                    Fill(draws, parts, Share.Index(index), _batches[0]);
                    yield return _batches[0];
                }
            }
        }
        finally
        {
            _active = false;
        }
    }

    private void Fill(SampleDraw[] draws, ulong? parts, int batchIndex, Batch batch)
    {
        int first = batchIndex * BatchSize;
        batch.Count = Math.Min(BatchSize, draws.Length - first);
        if (!_data.HasRandomCrops)
        {
            for (int i = 0; i < batch.Count; i++) Fill(draws[first + i], parts, batch, i);
            return;
        }
        FillSideBySide(draws, first, parts, batch);
    }

    private void FillSideBySide(SampleDraw[] draws, int first, ulong? parts, Batch batch)
    {
        try
        {
            Parallel.For(0, batch.Count, i => Fill(draws[first + i], parts, batch, i));
        }
        catch (AggregateException e)
        {
            // What one image's reader says; others may have failed beside it.
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private void Fill(SampleDraw draw, ulong? parts, Batch batch, int i)
    {
        int size = _data.Shape.Elements;
        batch.Labels[i] = _data.GetLabel(draw.Index);
        ulong? part = parts is { } stream ? SampleStream.At(stream, draw.Index) : null;
        _augmenters.Value!.Read(_data, draw, part, batch.Pixels.AsSpan(i * size, size));
    }
}
