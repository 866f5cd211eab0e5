using System.Runtime.ExceptionServices;
using Asni.Distributed;

namespace Asni.Tests.Distributed;

/// <summary>Ranks that are threads of this process.</summary>
internal static class ThreadRanks
{
    /// <summary>Runs it on each rank; where one fails the others do not wait for it.</summary>
    /// <returns>What each came to, or why not.</returns>
    public static (T? Result, Exception? Failure)[] Try<T>(int size, Func<Communicator, T> body)
    {
        using var world = new World(size);
        var outcomes = new (T?, Exception?)[size];
        Thread[] threads = [.. Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                outcomes[rank] = (body(new ThreadRank(world, rank)), null);
            }
            catch (Exception e)
            {
                outcomes[rank] = (default, e);
                world.Broken.Cancel();
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        return outcomes;
    }

    public static T[] Run<T>(int size, Func<Communicator, T> body)
    {
        (T? Result, Exception? Failure)[] outcomes = Try(size, body);
        Exception? first = outcomes.Select(o => o.Failure).OrderBy(f => f is OperationCanceledException).FirstOrDefault(f => f is not null);
        if (first is not null) ExceptionDispatchInfo.Throw(first);
        return [.. outcomes.Select(o => o.Result!)];
    }

    private sealed class World(int size) : IDisposable
    {
        public byte[][] Slots { get; } = new byte[size][];
        public Barrier Barrier { get; } = new(size);
        public CancellationTokenSource Broken { get; } = new();

        public void Dispose()
        {
            Barrier.Dispose();
            Broken.Dispose();
        }
    }

    private sealed class ThreadRank(World world, int rank) : Communicator
    {
        public override int Rank => rank;
        public override int Size => world.Slots.Length;

        /// <summary>One to spare beside a device of one thread: gradients leave during the backward pass.</summary>
        public override int Processors => 2;

        public override void Broadcast(Span<byte> bytes, int root)
        {
            byte[] copy = bytes.ToArray();
            Exchange(copy);
            world.Slots[root].CopyTo(bytes);
            Wait();
        }

        public override void AllGather(ReadOnlySpan<byte> own, Span<byte> all)
        {
            Exchange(own.ToArray());
            for (int r = 0; r < Size; r++) world.Slots[r].CopyTo(all[(r * own.Length)..]);
            Wait();
        }

        public override void AllToAll(ReadOnlySpan<byte> parts, Span<byte> received)
        {
            Exchange(parts.ToArray());
            int each = parts.Length / Size;
            for (int r = 0; r < Size; r++) world.Slots[r].AsSpan(rank * each, each).CopyTo(received[(r * each)..]);
            Wait();
        }

        private void Exchange(byte[] own)
        {
            world.Slots[rank] = own;
            Wait();
        }

        private void Wait() => world.Barrier.SignalAndWait(world.Broken.Token);
    }
}
