namespace Asni.Cpu;

/// <summary>One parallel region: every worker runs <see cref="Execute"/> once and takes its own share of the work.</summary>
internal interface IParallelBody
{
    /// <param name="worker">0 .. workers - 1.</param>
    void Execute(int worker, int workers);
}

/// <summary>
/// What one caller has of the process's threads, for regions of a few microseconds: no allocation, no closure; the caller is worker 0. It takes a team for each
/// region, or does all shares itself while others have the teams. Work is split by worker number or, where its parts do not depend on each other, dealt
/// out: results depend on the number of workers, and not on timing nor on which thread was which worker.
/// </summary>
internal sealed unsafe class Workers : IDisposable
{
    private readonly TeamPool? _pool;
    private readonly CpuBuffer _queue;
    private Team? _last;
    private int _busy;
    private int _disposed;

    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _queue = new CpuBuffer(count * WorkQueue.Spacing * sizeof(long));
        if (count > 1) _pool = TeamPool.Join(count);
    }

    /// <summary>One that is forgotten gives its threads back too.</summary>
    ~Workers() => Leave(wait: false);

    public int Count { get; }

    /// <summary>Work items for the next region; those of the region before must be done.</summary>
    public WorkQueue Queue(long items, bool descending = false)
    {
        if (Volatile.Read(ref _busy) != 0) throw Busy();
        return new((long*)_queue.Pointer, Count, items, descending);
    }

    /// <summary>
    /// Runs the body, a local of the caller, on every worker and returns when all are done. An exception of any worker is rethrown here.
    /// </summary>
    /// <exception cref="InvalidOperationException">A worker other than the first threw, or another thread is in a region.</exception>
    public void Run<TBody>(ref TBody body) where TBody : struct, IParallelBody
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0) throw Busy();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);
            if (_pool is null) body.Execute(0, 1);
            else if (_pool.Take(_last) is { } team) RunOn(team, ref body);
            else
                for (int worker = 0; worker < Count; worker++) body.Execute(worker, Count);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    public void Dispose()
    {
        Leave(wait: true);
        _queue.Dispose();
        GC.SuppressFinalize(this);
    }

    private void RunOn<TBody>(Team team, ref TBody body) where TBody : struct, IParallelBody
    {
        _last = team;
        try
        {
            team.Run(ref body);
        }
        finally
        {
            _pool!.GiveBack(team);
        }
    }

    private void Leave(bool wait)
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) _pool?.Leave(wait);
    }

    private static InvalidOperationException Busy() => new("the CPU device is used by another thread at this moment, and takes one caller at a time");
}
