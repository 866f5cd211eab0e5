using Asni.Data;
using Asni.Devices;
using Asni.Engine;

namespace Asni.Training;

/// <summary>Loads batch after batch of a dataset into a plan: made on the device where it has the images, else made here and uploaded.</summary>
internal sealed class BatchFeed : IDisposable
{
    private readonly Plan _plan;
    private readonly Dataset _data;
    private readonly Augmentation _augmentation;
    private readonly bool _shuffle;
    private readonly LaneShare _share;
    private readonly DeviceDataset? _resident;
    private SampleOrder? _order;
    private BatchLoader? _loader;
    private readonly int[] _labels;
    private SampleDraw[] _draws = [];
    private Batch? _batch;
    private int _first;
    private ulong _seed;

    /// <param name="share">Which batches are loaded; the others are other ranks'.</param>
    public BatchFeed(Plan plan, Dataset data, Augmentation augmentation, bool shuffle, LaneShare share)
    {
        (_plan, _data, _augmentation, _shuffle, _share) = (plan, data, augmentation, shuffle, share);
        _labels = new int[plan.BatchSize];
        if (data.Pixels.IsEmpty) return;
        int[] labels = [.. Enumerable.Range(0, data.Count).Select(data.GetLabel)];
        plan.CheckLabels(labels);
        _resident = plan.Model.Device.CreateDataset(data.Pixels, labels, data.Shape, data.Normalization);
    }

    /// <summary>Loads the batches of the share in an epoch from <paramref name="firstBatch"/> on, one each time the next is asked for.</summary>
    /// <param name="firstBatch">Of the share.</param>
    /// <returns>Samples of each.</returns>
    public IEnumerable<int> Epoch(ulong seed, int epoch, int firstBatch = 0)
    {
        if (seed != _seed) (_order, _loader, _seed) = (null, null, seed);
        return _resident is null ? Upload(epoch, firstBatch) : Make(_resident, epoch, firstBatch);
    }

    /// <summary>Classes of the samples that are loaded, valid until the next call.</summary>
    public ReadOnlySpan<int> Labels()
    {
        Span<int> labels = _labels.AsSpan(0, _plan.Count);
        for (int i = 0; i < labels.Length; i++) labels[i] = _batch is null ? _data.GetLabel(_draws[_first + i].Index) : _batch.Labels[i];
        return labels;
    }

    public void Dispose() => _resident?.Dispose();

    private IEnumerable<int> Make(DeviceDataset data, int epoch, int firstBatch)
    {
        _order ??= new SampleOrder(_data.Count, _augmentation, _shuffle, _seed);
        data.SetOrder(_draws = _order.Epoch(epoch));
        int batches = _share.CountOf((_data.Count + _plan.BatchSize - 1) / _plan.BatchSize);
        for (int batch = firstBatch; batch < batches; batch++)
        {
            int first = _share.Index(batch) * _plan.BatchSize;
            int count = Math.Min(_plan.BatchSize, _data.Count - first);
            _plan.Load(data, _first = first, count);
            yield return count;
        }
    }

    private IEnumerable<int> Upload(int epoch, int firstBatch)
    {
        _loader ??= new BatchLoader(_data, _plan.BatchSize, _augmentation, _shuffle, _seed) { Share = _share };
        // Behind the last step of an epoch are batches that its last step did not have.
        foreach (Batch batch in _loader.Epoch(epoch, Math.Min(firstBatch, _share.CountOf(_loader.BatchesPerEpoch))))
        {
            _plan.Load(_batch = batch, _data.Normalization);
            yield return batch.Count;
        }
    }
}
