using System.Runtime.InteropServices;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Distributed;

/// <summary>
/// Adds the gradients of all ranks, and what their running statistics became, in the order of the ranks. Numbers of live weights alone travel, in buckets: those of the last layers
/// are on their way while the backward pass goes on with the layers before, where the device computes as it is called and a processor is to spare: without one, the backward pass takes longer
/// by more than what it hides.
/// </summary>
/// <param name="lanes">Of this rank; null: it never has more than one.</param>
internal sealed class GradientExchange(Model model, Plan plan, Communicator ranks, LaneTree? lanes) : IDisposable
{
    private const int Elements = 4 << 20 >> 2, FirstElements = 1 << 20 >> 2;

    private readonly BucketQueue _queue = new(ranks);
    private readonly int[] _stepOf = [.. model.Network.Parameters.Select(p => plan.StepOf(p.Index))];
    private readonly bool _isBeside = ranks.Processors > model.Device.HostThreads;
    private GradientBucket[] _buckets = [];
    private float[] _numbers = [];
    private int _masksVersion = -1, _next, _having;
    private bool _dense;

    /// <summary>Numbers that are added up in a step as it was last.</summary>
    public long Length => _buckets.Sum(b => (long)b.Length);

    /// <summary>Before the backward pass of the last own lane of a step.</summary>
    /// <param name="having">The first ranks, as many, have gradients; the others only take the sums.</param>
    /// <param name="dense">Gradients of pruned weights travel too.</param>
    public void Begin(int having, bool dense)
    {
        if (_masksVersion != model.Parameters.MasksVersion || _dense != dense) Divide(dense);
        (_next, _having) = (0, having);
    }

    /// <summary>What the plan is to call in the backward pass.</summary>
    public Action<int>? DuringBackward => _isBeside ? AfterBackward : null;

    /// <summary>Sends what is complete after the backward pass of one of the plan's steps.</summary>
    public void AfterBackward(int step)
    {
        for (; _next < _buckets.Length && _buckets[_next].Step >= step; _next++)
        {
            GradientBucket bucket = _buckets[_next];
            if (bucket.Trained.Length > 0) lanes?.AddLast(bucket.Trained, _dense);
            else lanes?.AddLastRunning();
            bucket.Pack();
            _queue.Send(bucket.Numbers, _having);
        }
    }

    /// <summary>After the backward pass, or in place of it where this rank has no lane in the step. Leaves the sums.</summary>
    public void Finish()
    {
        AfterBackward(step: -1);
        foreach (GradientBucket bucket in _buckets)
        {
            _queue.Receive();
            bucket.Unpack();
        }
    }

    public void Dispose() => _queue.Dispose();

    private void Divide(bool dense)
    {
        DeviceParameters parameters = model.Parameters;
        int[] lengths = [.. parameters.Parameters.Select(p => checked((int)(dense || !p.IsTrained ? p.Elements : parameters.Live(p.Index))))];
        if (!dense) RequireEqual(lengths);
        Parameter[] running = [.. parameters.Parameters.Where(p => !p.IsTrained)];
        List<GradientBucket> buckets = [.. Parts().Select(part => NewBucket(part, part.Min(p => _stepOf[p.Index])))];
        if (running.Length > 0) buckets.Add(NewBucket(running, step: -1));
        long all = buckets.Sum(b => _queue.RoundUp(b.Length));
        if (all > Array.MaxLength) throw new AsniException($"{all} numbers are more than ranks can exchange in a step.");
        if (_numbers.Length < all) _numbers = new float[all];
        int at = 0;
        foreach (GradientBucket bucket in buckets)
        {
            bucket.Numbers = _numbers.AsMemory(at, (int)_queue.RoundUp(bucket.Length));
            at += bucket.Numbers.Length;
        }
        (_buckets, _masksVersion, _dense) = ([.. buckets], parameters.MasksVersion, dense);

        // In the order of the backward pass; the first is small, so that it leaves early.
        IEnumerable<Parameter[]> Parts()
        {
            var part = new List<Parameter>();
            long length = 0;
            int limit = FirstElements;
            foreach (Parameter p in parameters.Parameters.Where(p => p.IsTrained).OrderByDescending(p => _stepOf[p.Index]).ThenBy(p => p.Index))
            {
                if (length > 0 && length + lengths[p.Index] > limit)
                {
                    yield return [.. part];
                    part.Clear();
                    (length, limit) = (0, Elements);
                }
                part.Add(p);
                length += lengths[p.Index];
            }
            yield return [.. part];
        }

        GradientBucket NewBucket(Parameter[] part, int step) => new(parameters, part, [.. part.Select(p => lengths[p.Index])], dense, step);
    }

    /// <summary>Ranks that send other numbers than the others would wait for ever.</summary>
    private void RequireEqual(int[] lengths)
    {
        ReadOnlySpan<byte> own = MemoryMarshal.AsBytes(lengths.AsSpan());
        var all = new byte[own.Length * ranks.Size];
        ranks.AllGather(own, all);
        for (int rank = 1; rank < ranks.Size; rank++)
            if (!all.AsSpan(rank * own.Length, own.Length).SequenceEqual(all.AsSpan(0, own.Length)))
                throw new AsniException($"pruning masks of rank {rank} differ from rank 0's: a fault of memory or a mixed cluster; resume from the checkpoint.");
    }
}
