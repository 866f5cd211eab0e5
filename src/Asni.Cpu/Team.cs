using System.Runtime.CompilerServices;

namespace Asni.Cpu;

/// <summary>
/// Threads that help one caller at a time through its regions. Each has a share of its own; a share whose thread has not begun when the caller is done with
/// its own is done by the caller, so that no caller waits for a processor to become free. Threads spin for a while after each region, since a training step
/// issues the next one at once, then sleep.
/// </summary>
internal sealed unsafe class Team
{
    private const int SpinsBeforeYield = 400, SpinsBeforeSleep = 50_000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;

    /// <summary>The last region in which each thread's share was begun, by whomever.</summary>
    private readonly int[] _begun;

    private volatile int _generation;
    private int _running;
    private int _taken = 1;
    private volatile bool _stop;
    private delegate*<void*, int, int, void> _entry;
    private void* _body;
    private Exception? _failure;

    /// <summary>Whoever makes a team has taken it.</summary>
    /// <param name="count">Workers, the caller included: 2 or more.</param>
    public Team(int count)
    {
        Count = count;
        _threads = new Thread[count - 1];
        _wake = new SemaphoreSlim[count - 1];
        _asleep = new int[count - 1];
        _begun = new int[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"asni-cpu-{i + 1}" };
            _threads[i].Start();
        }
    }

    public int Count { get; }

    /// <summary>Takes the team, unless another caller has it.</summary>
    public bool TryTake() => Volatile.Read(ref _taken) == 0 && Interlocked.CompareExchange(ref _taken, 1, 0) == 0;

    public void GiveBack() => Volatile.Write(ref _taken, 0);

    /// <summary>Runs the body, which lies on the caller's stack, on every worker and returns when all are done. Only for who has taken the team.</summary>
    /// <exception cref="InvalidOperationException">A worker other than the first threw.</exception>
    public void Run<TBody>(ref TBody body) where TBody : struct, IParallelBody
    {
        _failure = null;
        _body = Unsafe.AsPointer(ref body);
        _entry = &Invoke<TBody>;
        Volatile.Write(ref _running, Count - 1);
        int generation = Interlocked.Increment(ref _generation);
        for (int i = 0; i < _asleep.Length; i++)
            if (Interlocked.CompareExchange(ref _asleep[i], 0, 1) == 1) _wake[i].Release();
        try
        {
            body.Execute(0, Count);
        }
        finally
        {
            for (int i = 0; i < _begun.Length; i++)
                if (Begins(i, generation)) RunPart(i);
            // The body lives on the caller's stack frame: nobody may still be using it when we leave, not even on an exception.
            for (int i = 0; Volatile.Read(ref _running) != 0; i++) Pause(i);
        }
        if (_failure is { } failure) throw new InvalidOperationException("a worker thread failed: " + failure.Message, failure);
    }

    /// <summary>Ends the threads, now or when they are next scheduled. Only for who has taken the team, and never gives it back.</summary>
    public void Stop(bool wait)
    {
        _stop = true;
        Interlocked.Increment(ref _generation);
        foreach (SemaphoreSlim wake in _wake) wake.Release();
        if (!wait) return;
        foreach (Thread thread in _threads) thread.Join();
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
            if (Begins(index, seen)) RunPart(index);
        }
    }

    /// <summary>Whether the share is the caller's of this method: of a region that still runs, and nobody has begun it.</summary>
    private bool Begins(int share, int generation) =>
        Volatile.Read(ref _begun[share]) == generation - 1 && Interlocked.CompareExchange(ref _begun[share], generation, generation - 1) == generation - 1;

    private void RunPart(int index)
    {
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
