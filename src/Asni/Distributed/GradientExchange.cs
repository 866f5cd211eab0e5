using System.Runtime.InteropServices;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Distributed;

/// <summary>
/// Adds the gradients of all ranks, and what their running statistics became. Numbers of live weights alone travel, in buckets: those of the last layers
/// are on their way while the backward pass goes on with the layers before, where the device computes as it is called and a processor is to spare. Without one, what goes on beside the
/// backward pass slows it by more than it saves. Where devices exchange among themselves, they do after the backward pass.
/// </summary>
internal sealed class GradientExchange : IDisposable
{
    /// <summary>Numbers of a bucket, and of the first, which is small so that it leaves early. A larger parameter is a bucket of its own.</summary>
    private const int BucketLength = 4 << 20 >> 2, FirstLength = 1 << 20 >> 2;

    /// <summary>Numbers of a bucket that devices exchange among themselves, for whom a megabyte takes less time than a call.</summary>
    private const int DeviceLength = 25 << 20 >> 2;

    private readonly DeviceParameters _parameters;
    private readonly Communicator _ranks;
    private readonly LaneTree? _lanes;
    private readonly OrderedSum _sum;
    private readonly BucketQueue? _beside;
    private readonly DeviceSum? _onDevice;
    private readonly Device _device;
    private RecordedWork? _work;
    private readonly int[] _stepOf;
    private readonly int _first, _length;
    private GradientBucket[] _buckets = [];
    private float[] _numbers = [];
    private int _masksVersion = -1, _next, _having;
    private bool _dense;

    /// <param name="lanes">Of this rank; null: it never has more than one.</param>
    /// <param name="beside">Whether to send during the backward pass; null: if a processor is to spare.</param>
    /// <param name="lengths">Most numbers of the first bucket and of the others.</param>
    /// <exception cref="UsageException">Devices that add in an order of their own do not find each other.</exception>
    public GradientExchange(Model model, Plan plan, Communicator ranks, LaneTree? lanes, bool? beside = null, (int First, int Others)? lengths = null, SumOrder order = SumOrder.Ordered)
    {
        (_device, _parameters, _ranks, _lanes, _sum) = (model.Device, model.Parameters, ranks, lanes, new OrderedSum(ranks));
        _stepOf = [.. _parameters.Parameters.Select(p => plan.StepOf(p.Index))];
        bool onDevice = Join(_device, ranks, order) is not null;
        (_first, _length) = lengths ?? (onDevice ? (DeviceLength, DeviceLength) : (FirstLength, BucketLength));
        long most = Math.Max(Math.Max(_first, _length), _parameters.Parameters.Where(p => p.IsTrained).Max(p => p.Elements));
        most = Math.Max(most, _parameters.Parameters.Where(p => !p.IsTrained).Sum(p => p.Elements));
        if (onDevice) _onDevice = ((IExchangingDevice)_device).CreateSum(_parameters, order, most);
        else if (beside ?? ranks.Processors > _device.HostThreads) _beside = new BucketQueue(_sum);
    }

    /// <summary>Finds the devices of the other ranks, the first time. All ranks call it.</summary>
    /// <returns>By what they exchange gradients, in words; null: through the host's memory.</returns>
    /// <exception cref="UsageException">Sums are to be fast, and the devices do not exchange.</exception>
    public static string? Join(Device device, Communicator ranks, SumOrder order)
    {
        string? by = order == SumOrder.Host ? null : (device as IExchangingDevice)?.Join(ranks);
        if (by is null && order == SumOrder.Fast)
            throw new UsageException("fast sums of gradients are for ranks on a GPU each, all with the same NCCL (libnccl.so.2); ordered ones need neither.");
        return by;
    }

    /// <summary>Numbers that are added up in a step as it was last.</summary>
    public long Length => _buckets.Sum(b => (long)b.Length);

    /// <summary>What the plan is to call in the backward pass of a step's last own lane; null: nothing.</summary>
    public Action<int>? DuringBackward => _beside is null ? null : AfterBackward;

    /// <summary>Before the backward pass of the last own lane of a step.</summary>
    /// <param name="having">The first ranks, as many, have gradients; the others only take the sums.</param>
    /// <param name="dense">Gradients of pruned weights travel too.</param>
    public void Begin(int having, bool dense)
    {
        if (_masksVersion != _parameters.MasksVersion || _dense != dense) Divide(dense);
        if (_having != having) ForgetWork();
        (_next, _having) = (0, having);
    }

    /// <summary>After the backward pass, or in place of it where this rank has no lane in the step. Leaves the sums.</summary>
    public void Finish()
    {
        if (_onDevice is not null)
        {
            _lanes?.AddLast(_dense);
            (_work ??= new RecordedWork(_device, SumOnDevice)).Run();
        }
        else if (_beside is null) ExchangeAll();
        else
        {
            AfterBackward(step: -1);
            foreach (GradientBucket bucket in _buckets)
            {
                _beside.Receive();
                bucket.Unpack();
            }
        }
    }

    public void Dispose()
    {
        ForgetWork();
        _beside?.Dispose();
    }

    /// <summary>What is done once is not recorded.</summary>
    private void ForgetWork()
    {
        _work?.Dispose();
        _work = null;
    }

    private void SumOnDevice()
    {
        foreach (GradientBucket bucket in _buckets) _onDevice!.Run(bucket.Parameters, bucket.Slot, _dense, _having);
    }

    private void ExchangeAll()
    {
        _lanes?.AddLast(_dense);
        foreach (GradientBucket bucket in _buckets)
        {
            bucket.Pack();
            _sum.Run(bucket.Numbers.Span, _having);
            bucket.Unpack();
        }
    }

    /// <summary>Sends what is complete after the backward pass of one of the plan's steps.</summary>
    private void AfterBackward(int step)
    {
        for (; _next < _buckets.Length && _buckets[_next].Step >= step; _next++)
        {
            GradientBucket bucket = _buckets[_next];
            if (bucket.IsTrained) _lanes?.AddLast(bucket.Parameters, _dense);
            else _lanes?.AddLastRunning();
            bucket.Pack();
            _beside!.Send(bucket.Numbers, _having);
        }
    }

    private void Divide(bool dense)
    {
        int[] lengths = [.. _parameters.Parameters.Select(p => checked((int)(dense || !p.IsTrained ? p.Elements : _parameters.Live(p.Index))))];
        if (!dense) RequireEqual(lengths);
        Parameter[] running = [.. _parameters.Parameters.Where(p => !p.IsTrained)];
        List<GradientBucket> buckets = [.. Parts(lengths).Select(part => NewBucket(part, part.Min(p => _stepOf[p.Index])))];
        if (running.Length > 0) buckets.Add(NewBucket(running, step: -1));
        (_buckets, _masksVersion, _dense) = ([.. buckets], _parameters.MasksVersion, dense);
        if (_onDevice is null) Place(buckets);
        else
        {
            ForgetWork();
            foreach (GradientBucket bucket in buckets) _onDevice.Prepare(bucket.Parameters, dense);
        }

        GradientBucket NewBucket(Parameter[] part, int step) => new(_parameters, part, dense, step);
    }

    /// <summary>Gives the buckets memory of the host.</summary>
    private void Place(List<GradientBucket> buckets)
    {
        long all = buckets.Sum(b => _sum.RoundUp(b.Length));
        if (all > Array.MaxLength) throw new AsniException($"{all} numbers are more than ranks can exchange in a step.");
        if (_numbers.Length < all) _numbers = new float[all];
        int at = 0;
        foreach (GradientBucket bucket in buckets)
        {
            bucket.Numbers = _numbers.AsMemory(at, (int)_sum.RoundUp(bucket.Length));
            at += bucket.Numbers.Length;
        }
    }

    /// <summary>Trained parameters in the order of the backward pass, in parts of about the length of a bucket.</summary>
    private IEnumerable<Parameter[]> Parts(int[] lengths)
    {
        var part = new List<Parameter>();
        long length = 0;
        int limit = _first;
        foreach (Parameter p in _parameters.Parameters.Where(p => p.IsTrained).OrderByDescending(p => _stepOf[p.Index]).ThenBy(p => p.Index))
        {
            if (part.Count > 0 && length + lengths[p.Index] > limit)
            {
                yield return [.. part];
                part.Clear();
                (length, limit) = (0, _length);
            }
            part.Add(p);
            length += lengths[p.Index];
        }
        if (part.Count > 0) yield return [.. part];
    }

    /// <summary>With other lengths on two ranks the exchange would hang, or add numbers that do not belong together.</summary>
    private void RequireEqual(int[] lengths)
    {
        if (_ranks.FindDifferent(MemoryMarshal.AsBytes(lengths.AsSpan())) is { } rank)
            throw new AsniException($"pruning masks of rank {rank} differ from rank 0's: a fault of memory or a mixed cluster; resume from the checkpoint.");
    }
}
