namespace Asni.Distributed;

/// <summary>
/// The processes that train one network together, as one of them sees them. Every rank makes the same calls in the same order, each of which returns when all have made it or fails.
/// </summary>
internal abstract class Communicator : IDisposable
{
    /// <summary>A process by itself.</summary>
    public static Communicator Alone { get; } = new SingleProcess();

    /// <summary>0 to <see cref="Size"/> - 1.</summary>
    public abstract int Rank { get; }

    public abstract int Size { get; }

    /// <summary>Of them, on this machine.</summary>
    public virtual int LocalSize => Size;

    /// <summary>0 to <see cref="LocalSize"/> - 1.</summary>
    public virtual int LocalRank => Rank;

    /// <summary>Processors of this machine that each of its ranks may use.</summary>
    public virtual int Processors => Distributed.Processors.ShareOf(LocalSize);

    /// <summary>Gives every rank the bytes of one.</summary>
    public abstract void Broadcast(Span<byte> bytes, int root);

    /// <summary>Gives every rank what each has, in the order of the ranks.</summary>
    /// <param name="own">As many bytes on every rank.</param>
    /// <param name="all">As many from each rank.</param>
    public abstract void AllGather(ReadOnlySpan<byte> own, Span<byte> all);

    /// <summary>Gives rank r the r-th part of what each has, in the order of the ranks that had it.</summary>
    /// <param name="parts">Equal parts, one for each rank.</param>
    /// <param name="received">As many bytes.</param>
    public abstract void AllToAll(ReadOnlySpan<byte> parts, Span<byte> received);

    /// <summary>Returns when every rank has come here.</summary>
    public void Meet() => AllGather([0], new byte[Size]);

    /// <summary>The first rank whose bytes are not rank 0's; null: all are equal.</summary>
    /// <param name="own">As many bytes on every rank.</param>
    public int? FindDifferent(ReadOnlySpan<byte> own)
    {
        var all = new byte[own.Length * Size];
        AllGather(own, all);
        for (int rank = 1; rank < Size; rank++)
            if (!all.AsSpan(rank * own.Length, own.Length).SequenceEqual(all.AsSpan(0, own.Length))) return rank;
        return null;
    }

    /// <summary>Ends all ranks at once, those too that wait for this one. May be called while another thread of this rank is in a call.</summary>
    /// <param name="code">Exit code of the whole.</param>
    public virtual void Abort(int code) { }

    public virtual void Dispose() => GC.SuppressFinalize(this);

    private sealed class SingleProcess : Communicator
    {
        public override int Rank => 0;
        public override int Size => 1;
        public override void Broadcast(Span<byte> bytes, int root) { }
        public override void AllGather(ReadOnlySpan<byte> own, Span<byte> all) => own.CopyTo(all);
        public override void AllToAll(ReadOnlySpan<byte> parts, Span<byte> received) => parts.CopyTo(received);
    }
}
