namespace Asni.Data;

/// <summary>
/// Fills a ring of batches ahead of one consumer. Workers take batch numbers in turn, batch n always lands in slot n modulo the
/// ring's length, and the consumer gets them in order. A failed fill is thrown where the consumer asks for that batch.
/// </summary>
internal sealed class BatchPrefetcher : IDisposable
{
    private readonly Batch[] _ring;
    private readonly bool[] _filled;
    private readonly Exception?[] _errors;
    private readonly Action<int, int, Batch> _fill;
    private readonly int _end;
    private readonly Thread[] _threads;
    private readonly object _gate = new();
    private int _nextToFill, _nextToGive, _released;
    private bool _stopped;

    /// <param name="ring">At least workers + 1 batches; all are free.</param>
    /// <param name="workers">Background threads.</param>
    /// <param name="first">First batch number.</param>
    /// <param name="end">One past the last batch number.</param>
    /// <param name="fill">Fills a batch: (batch number, worker, batch); called on several threads.</param>
    public BatchPrefetcher(Batch[] ring, int workers, int first, int end, Action<int, int, Batch> fill)
    {
        (_ring, _end, _fill) = (ring, end, fill);
        _filled = new bool[ring.Length];
        _errors = new Exception?[ring.Length];
        _nextToFill = _nextToGive = _released = first;
        _threads = new Thread[workers];
        for (int i = 0; i < workers; i++)
        {
            int worker = i;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"asni images {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>The next batch, valid until the next call; null after the last.</summary>
    public Batch? Next()
    {
        lock (_gate)
        {
            // The consumer is done with the batch it was given before.
            _released = _nextToGive;
            Monitor.PulseAll(_gate);
            if (_nextToGive == _end) return null;
            int slot = _nextToGive % _ring.Length;
            while (!_filled[slot]) Monitor.Wait(_gate);
            _filled[slot] = false;
            _nextToGive++;
            if (_errors[slot] is { } error)
                throw new AsniException($"Reading batch {_nextToGive - 1} of an epoch failed: {error.Message}", error);
            return _ring[slot];
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads) thread.Join();
    }

    private void Work(int worker)
    {
        while (true)
        {
            int number;
            lock (_gate)
            {
                while (!_stopped && _nextToFill < _end && _nextToFill >= _released + _ring.Length) Monitor.Wait(_gate);
                if (_stopped || _nextToFill >= _end) return;
                number = _nextToFill++;
            }
            int slot = number % _ring.Length;
            Exception? error = null;
            try
            {
                _fill(number, worker, _ring[slot]);
            }
            catch (Exception e)
            {
                error = e;
            }
            lock (_gate)
            {
                _errors[slot] = error;
                _filled[slot] = true;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
