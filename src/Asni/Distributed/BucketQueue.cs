using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Asni.Distributed;

/// <summary>Sums over ranks, one after another in the order in which they are sent, beside whoever sends them. Until all are received nobody else calls the communicator.</summary>
internal sealed class BucketQueue : IDisposable
{
    private readonly OrderedSum _sum;
    private readonly BlockingCollection<(Memory<float> Numbers, int Having)> _sent = [];
    private readonly BlockingCollection<ExceptionDispatchInfo?> _done = [];

    public BucketQueue(Communicator ranks)
    {
        _sum = new OrderedSum(ranks);
        // In the background: a rank that fails while this one waits for others in a call of theirs ends with it.
        new Thread(Work) { IsBackground = true, Name = "exchange between ranks" }.Start();
    }

    /// <inheritdoc cref="OrderedSum.RoundUp"/>
    public long RoundUp(long length) => _sum.RoundUp(length);

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
