using System.Diagnostics;
using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    private const int Bins = 4096, StateBytes = 32, CandidateBytes = 8;
    private const uint Sign = 0x8000_0000;

    /// <summary>
    /// The search's state, then its histogram, which is all zero between searches, then live elements of each segment, then listed ones of each warp.
    /// </summary>
    private CudaBuffer? _selection;

    /// <summary>Elements that the first pass leaves undecided, each warp's in a place of its own: all of them, at worst.</summary>
    private CudaBuffer? _candidates;

    /// <summary>Ties of each chunk, then live elements of each segment.</summary>
    private CudaBuffer? _cut;

    public override Threshold FindThreshold(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        Search(parameters, keep, ranking, prune: false);
        return Found(parameters, keep, ranking, out _);
    }

    /// <summary>The search's second pass prunes what it can decide, and the list of the rest settles it: about two reads of the weights.</summary>
    protected override Threshold PruneCore(ReadOnlySpan<int> parameters, long keep, Span<long> live, Ranking ranking)
    {
        SearchArgs args = Search(parameters, keep, ranking, prune: true);
        Launch("threshold_finish", SearchBlocks(args.Count), args with { Count = Parameters.Length });
        Threshold threshold = Found(parameters, keep, ranking, out bool allTies);
        if (allTies) ReadLive(parameters, args.Live, live);
        else ApplyThresholdCore(parameters, threshold, live);
        return threshold;
    }

    private SearchArgs Search(ReadOnlySpan<int> parameters, long keep, Ranking ranking, bool prune)
    {
        long among = 0;
        foreach (int p in parameters) among += _live[p];
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, among);
        return Search(_arena, List(parameters), keep, ranking, prune);
    }

    /// <param name="arena">With the mask of the elements that count.</param>
    private SearchArgs Search(in ArenaArgs arena, ChunkList list, long keep, Ranking ranking, bool prune)
    {
        int blocks = SearchBlocks(list.Count), warps = Math.Max(1, blocks * ChunkArgs.Warps);
        long live = StateBytes + Bins * sizeof(uint), listed = live + Parameters.Length * sizeof(int);
        long capacity = (list.Count + warps - 1) / warps * (long)ChunkArgs.Elements;
        _selection ??= new CudaBuffer(_stream, listed + SearchBlocksAtMost * ChunkArgs.Warps * sizeof(uint));
        var args = new SearchArgs
        {
            Arena = arena,
            Ranking = RankedBy(ranking),
            Chunks = list.Pointer,
            State = _selection.Pointer,
            Histogram = _selection.Pointer + StateBytes,
            Candidates = Grown(ref _candidates, warps * capacity * CandidateBytes),
            Listed = _selection.Pointer + (ulong)listed,
            Live = _selection.Pointer + (ulong)live,
            Keep = keep,
            Capacity = capacity,
            Count = list.Count,
            Prune = prune ? 1 : 0,
        };
        if (prune) _stream.Fill32(args.Live, 0, Parameters.Length);
        foreach (string pass in (ReadOnlySpan<string>)["threshold_histogram", "threshold_split", "threshold_refine"])
        {
            Launch(pass, blocks, in args);
            Launch("threshold_select", 1, in args);
            args.Pass++;
        }
        return args;
    }

    /// <summary>Enough to fill the GPU, a warp for each chunk if there are few; each keeps a histogram in shared memory over all its chunks.</summary>
    private int SearchBlocks(int chunks) => Math.Min((chunks + ChunkArgs.Warps - 1) / ChunkArgs.Warps, SearchBlocksAtMost);

    // As many as the registers of its kernels let a multiprocessor hold.
    private int SearchBlocksAtMost => _stream.Context.MultiprocessorCount * 3;

    private RankingArgs RankedBy(Ranking ranking) => new() { Numbers = Slot(ranking.Slot()).Pointer, IsSigned = ranking.IsSigned() ? 1 : 0 };

    /// <param name="allTies">Whether all elements that rank as the cut does are kept.</param>
    private Threshold Found(ReadOnlySpan<int> parameters, long keep, Ranking ranking, out bool allTies)
    {
        SelectionState state = Fetch<SelectionState>(_selection!.Pointer, 1)[0];
        if (state.Nan != 0) throw CreateUnrankable(FindNan(parameters, ranking), ranking);
        allTies = state.Keep == state.Ties;
        return keep == 0
            ? new Threshold(float.PositiveInfinity, 0, ranking)
            : new Threshold(Number(state.Prefix, ranking), state.Keep, ranking);
    }

    /// <summary>rank_key of the kernels.</summary>
    private static uint Key(float number, Ranking ranking)
    {
        uint bits = BitConverter.SingleToUInt32Bits(number);
        if (!ranking.IsSigned()) return bits << 1;
        return number == 0 ? Sign : (bits & Sign) != 0 ? ~bits : bits | Sign;
    }

    /// <summary>What has this key.</summary>
    private static float Number(uint key, Ranking ranking) =>
        BitConverter.UInt32BitsToSingle(!ranking.IsSigned() ? key >> 1 : (key & Sign) != 0 ? key ^ Sign : ~key);

    protected override void ApplyThresholdCore(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live)
    {
        ulong counts = Cut(_arena, List(parameters), threshold);
        ReadLive(parameters, counts, live);
    }

    /// <summary>Takes what the threshold does not keep out of an arena's mask.</summary>
    /// <returns>Where the numbers of elements that it keeps of each parameter are.</returns>
    private ulong Cut(in ArenaArgs arena, ChunkList list, Threshold threshold)
    {
        long ties = Math.Max(1, list.Count) * sizeof(long);
        ulong cut = Grown(ref _cut, ties + Parameters.Length * sizeof(int));
        _stream.Fill32(cut + (ulong)ties, 0, Parameters.Length);
        var args = new CutArgs
        {
            Arena = arena,
            Ranking = RankedBy(threshold.Ranking),
            Chunks = list.Pointer,
            Ties = cut,
            Live = cut + (ulong)ties,
            KeepEqual = threshold.KeepEqual,
            Key = Key(threshold.Value, threshold.Ranking),
            Count = list.Count,
        };
        Launch("threshold_ties", list.Count, in args);
        Launch("threshold_scan", 1, in args);
        Launch("threshold_prune", list.Count, in args);
        return args.Live;
    }

    private void ReadLive(ReadOnlySpan<int> parameters, ulong from, Span<long> live)
    {
        var counts = new int[Parameters.Length];
        _stream.Download<int>(counts, from);
        for (int i = 0; i < parameters.Length; i++) live[i] = _live[parameters[i]] = counts[parameters[i]];
    }

    /// <summary>The first of them that ranks a live element by NaN; where there is none, a dead one, which growth ranks.</summary>
    private Parameter FindNan(ReadOnlySpan<int> parameters, Ranking ranking)
    {
        Parameter? dead = null;
        foreach (int p in parameters)
        {
            var values = new float[Parameters[p].Elements];
            Download(p, ranking.Slot(), values);
            Mask? mask = GetMask(p);
            for (int i = 0; i < values.Length; i++)
            {
                if (!float.IsNaN(values[i])) continue;
                if (mask?[i] != false) return Parameters[p];
                dead ??= Parameters[p];
            }
        }
        return dead ?? throw new UnreachableException("the kernels found NaN");
    }

    private readonly record struct SelectionState(long Keep, uint Prefix, int Nan, uint Ties);

    private struct RankingArgs
    {
        public ulong Numbers;
        public int IsSigned;
    }

    private struct SearchArgs
    {
        public ArenaArgs Arena;
        public RankingArgs Ranking;
        public ulong Chunks, State, Histogram, Candidates, Listed, Live;
        public long Keep, Capacity;
        public int Count, Pass, Prune;
    }

    private struct CutArgs
    {
        public ArenaArgs Arena;
        public RankingArgs Ranking;
        public ulong Chunks, Ties, Live;
        public long KeepEqual;
        public uint Key;
        public int Count;
    }
}
