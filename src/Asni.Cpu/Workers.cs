using System.Runtime.CompilerServices;

namespace Asni.Cpu;

/// <summary>One parallel region: every worker runs <see cref="Execute"/> once and takes its own share of the work.</summary>
internal interface IParallelBody
{
    /// <param name="worker">0 .. workers - 1.</param>
    void Execute(int worker, int workers);
}

/// <summary>
/// A fixed team of threads for regions of a few microseconds: no allocation, no closure; the caller is worker 0. Workers spin for a while
/// after each region, since a training step issues the next one at once, then sleep. Work is split by worker number or, where its parts do not depend on
/// each other, dealt out: results depend on the number of threads and not on timing.
/// </summary>
internal sealed unsafe class Workers : IDisposable
{
    private const int SpinsBeforeYield = 400, SpinsBeforeSleep = 50_000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;
    private readonly CpuBuffer _dealt;
    private volatile int _generation;
    private int _running;
    private volatile bool _stop;
    private delegate*<void*, int, int, void> _entry;
    private void* _body;
    private Exception? _failure;

    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _dealt = new CpuBuffer(count * Deal.Spacing * sizeof(long));
        _threads = new Thread[count - 1];
        _wake = new SemaphoreSlim[count - 1];
        _asleep = new int[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"asni-cpu-{i + 1}" };
            _threads[i].Start();
        }
    }

    public int Count { get; }

    /// <summary>Units for the next region; those of the region before must be done.</summary>
    public Deal DealOut(long units, bool descending = false) => new((long*)_dealt.Pointer, Count, units, descending);

    /// <summary>
    /// Runs the body, a local of the caller, on every worker and returns when all are done. An exception of any worker is rethrown here.
    /// </summary>
    public void Run<TBody>(ref TBody body) where TBody : struct, IParallelBody
    {
        if (Count == 1)
        {
            body.Execute(0, 1);
            return;
        }
        _failure = null;
        _body = Unsafe.AsPointer(ref body);
        _entry = &Invoke<TBody>;
        Volatile.Write(ref _running, Count - 1);
        Interlocked.Increment(ref _generation);
        for (int i = 0; i < _asleep.Length; i++)
            if (Interlocked.CompareExchange(ref _asleep[i], 0, 1) == 1) _wake[i].Release();
        try
        {
            body.Execute(0, Count);
        }
        finally
        {
            // The body lives on this stack frame: nobody may still be using it when we leave, not even on an exception.
            for (int i = 0; Volatile.Read(ref _running) != 0; i++) Pause(i);
        }
        if (_failure is { } failure) throw new InvalidOperationException("a worker thread failed: " + failure.Message, failure);
    }

    public void Dispose()
    {
        if (_stop) return;
        _stop = true;
        Interlocked.Increment(ref _generation);
        for (int i = 0; i < _wake.Length; i++) _wake[i].Release();
        foreach (Thread thread in _threads) thread.Join();
        foreach (SemaphoreSlim wake in _wake) wake.Dispose();
        _dealt.Dispose();
    }

    private static void Invoke<TBody>(void* body, int worker, int workers) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(body).Execute(worker, workers);

    private void Loop(int index)
    {
        int seen = 0;
        while (true)
        {
            WaitForWork(index, seen);
            if (_stop) return;
            seen = _generation;
            try
            {
                _entry(_body, index + 1, Count);
            }
            catch (Exception e)
            {
                _failure = e;
            }
            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>
    /// One turn of a wait, tens of nanoseconds. From some 15 microseconds on the processor is also offered to others: the thread that is waited for
    /// may be queued behind this very one when threads, of this or another process, outnumber processors.
    /// </summary>
    private static void Pause(int turn)
    {
        if (turn < SpinsBeforeYield || turn % 8 != 0) Thread.SpinWait(1);
        else Thread.Yield();
    }

    private void WaitForWork(int index, int seen)
    {
        for (int i = 0; i < SpinsBeforeSleep; i++)
        {
            if (_generation != seen) return;
            Pause(i);
        }
        Interlocked.Exchange(ref _asleep[index], 1);
        while (_generation == seen) _wake[index].Wait();
        // Whoever started the region may have released us after we saw the new generation: that permit must not wake us early next time.
        if (Interlocked.Exchange(ref _asleep[index], 0) == 0 && !_stop) _wake[index].Wait(0);
    }
}
