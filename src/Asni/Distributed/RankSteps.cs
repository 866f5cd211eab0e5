using System.Runtime.InteropServices;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;

namespace Asni.Distributed;

/// <summary>What the ranks of a training tell each other in each step, so that all go on, fail or stop alike.</summary>
/// <param name="stop">Cancelled on every rank after the same step, once <paramref name="asked"/> is on any.</param>
internal sealed class RankSteps(Communicator ranks, CancellationTokenSource stop, CancellationToken asked)
{
    private readonly List<LossSums> _own = [];
    private LossSums[] _all = [], _message = [];

    public Communicator Ranks => ranks;

    /// <summary>How gradients are added.</summary>
    public SumOrder Sum { get; init; }

    /// <summary>Sums over all lanes of the epoch so far.</summary>
    public LossSums Sums { get; private set; }

    public void StartEpoch(in LossSums sums) => Sums = sums;

    /// <summary>After each own lane, in their order.</summary>
    public void AddLane(in LossSums lane) => _own.Add(lane);

    /// <summary>After the own lanes of a step: adds the losses of all ranks' lanes up in the order of the lanes, and hears whether a rank was asked to stop.</summary>
    /// <param name="lanes">Of the step, of all ranks.</param>
    public void Exchange(LaneShare share, int lanes)
    {
        int each = share.Own + 1;
        if (_message.Length != each) (_message, _all) = (new LossSums[each], new LossSums[each * ranks.Size]);
        Array.Clear(_message);
        _own.CopyTo(_message);
        _message[^1] = new LossSums(0, 0, 0, asked.IsCancellationRequested ? 1 : 0);
        _own.Clear();
        ranks.AllGather(MemoryMarshal.AsBytes(_message.AsSpan()), MemoryMarshal.AsBytes(_all.AsSpan()));
        for (int lane = 0; lane < lanes; lane++) Sums += _all[lane / share.Own * each + lane % share.Own];
        for (int rank = 0; rank < ranks.Size; rank++)
            if (_all[rank * each + each - 1].Samples != 0) stop.Cancel();
    }

    /// <summary>After an epoch.</summary>
    /// <exception cref="AsniException">Ranks that computed the same have come to different weights.</exception>
    public void RequireEqual(Model model, string where)
    {
        if (ranks.FindDifferent(Convert.FromHexString(model.TakeSnapshot().ComputeSha256())) is { } rank)
            throw new AsniException($"weights of rank {rank} differ from rank 0's after {where}: a fault of memory or a mixed cluster; resume from the checkpoint.");
    }
}
