namespace Asni.Devices;

/// <summary>Lets one thread in at a time, as often as it comes, and refuses any other instead of letting it wait.</summary>
internal sealed class SingleCaller
{
    /// <summary>Managed id of the thread that is in; 0: nobody.</summary>
    private int _thread;

    private int _depth;

    /// <returns>To be disposed of by the same thread when its call ends.</returns>
    /// <exception cref="InvalidOperationException">Another thread is in.</exception>
    public Call Enter()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (Volatile.Read(ref _thread) != thread && Interlocked.CompareExchange(ref _thread, thread, 0) != 0)
        {
            throw new InvalidOperationException("Another thread is using this device, or a model, plan or trainer on it, at this moment: they take one caller at a time, " +
                "so give each thread its own or put a lock around the calls.");
        }
        _depth++;
        return new Call(this);
    }

    public readonly ref struct Call(SingleCaller caller)
    {
        public void Dispose()
        {
            if (--caller._depth == 0) Volatile.Write(ref caller._thread, 0);
        }
    }
}
