using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Asni.Distributed;

/// <summary>
/// Sums over ranks, one after another in the order in which they are sent, on a thread of its own. Until all are received nobody else calls the communicator, but for ending all ranks.
/// </summary>
internal sealed class BucketQueue : IDisposable
{
    private readonly OrderedSum _sum;
    private readonly BlockingCollection<(Memory<float> Numbers, int Having)> _sent = [];
    private readonly BlockingCollection<ExceptionDispatchInfo?> _done = [];

    public BucketQueue(OrderedSum sum)
    {
        _sum = sum;
        // A background thread, so that a process can end while it waits for another rank.
        new Thread(Work) { IsBackground = true, Name = "exchange between ranks" }.Start();
    }

    /// <summary>Has the sum over the first ranks put in place of the numbers, on every rank.</summary>
    /// <inheritdoc cref="OrderedSum.Run"/>
    public void Send(Memory<float> numbers, int having) => _sent.Add((numbers, having));

    /// <summary>Waits for the next one that was sent. Throws what the exchange threw.</summary>
    public void Receive() => _done.Take()?.Throw();

    public void Dispose() => _sent.CompleteAdding();

    private void Work()
    {
        ExceptionDispatchInfo? failure = null;
        foreach ((Memory<float> numbers, int having) in _sent.GetConsumingEnumerable())
        {
            try
            {
                if (failure is null) _sum.Run(numbers.Span, having);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
            _done.Add(failure);
        }
    }
}
