using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Mpi;
using Asni.Training;

namespace Asni.Host;

/// <summary>What the ranks of one training have in common.</summary>
internal static class RankAgreement
{
    /// <summary>The ranks that a launcher started together with this process; this one alone where none did.</summary>
    /// <exception cref="AsniException">They cannot reach each other.</exception>
    public static Communicator Open() => MpiCommunicator.Open(Launcher.Find(Environment.GetEnvironmentVariable));

    /// <summary>
    /// What --threads is where it is not given: the processors of a machine, shared by its ranks, or those that the launcher has bound a rank to; on all ranks the fewest that one has.
    /// </summary>
    public static DeviceWords? Device(Communicator ranks)
    {
        if (ranks.Size == 1) return null;
        var all = new int[ranks.Size];
        ranks.AllGather(MemoryMarshal.AsBytes<int>([ranks.Processors]), MemoryMarshal.AsBytes(all.AsSpan()));
        return new DeviceWords(null, null, all.Min().ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>What rank 0 sees, for all.</summary>
    public static bool OfRank0(Communicator ranks, bool own)
    {
        Span<byte> seen = [own ? (byte)1 : (byte)0];
        ranks.Broadcast(seen, root: 0);
        return seen[0] != 0;
    }

    /// <summary>A lane for each rank, where nobody says how many there are.</summary>
    /// <param name="given">The user does.</param>
    /// <exception cref="UsageException">The lanes cannot be shared by so many ranks.</exception>
    public static RunPlan WithLanes(RunPlan plan, Communicator ranks, bool given)
    {
        int lanes = given || plan.Recipe.Lanes > 1 ? plan.Recipe.Lanes : ranks.Size;
        new LaneShare(lanes, ranks.Rank, ranks.Size).Validate();
        RunPlan shared = plan with
        {
            Settings = plan.Settings with { Recipe = plan.Settings.Recipe with { Lanes = lanes } },
            Recipe = plan.Recipe with { Lanes = lanes },
        };
        shared.Recipe.Validate();
        return shared;
    }

    /// <exception cref="AsniException">A rank is about to train something else than rank 0.</exception>
    public static void Require(Communicator ranks, RunPlan plan, Device device, CheckpointPosition? from = null)
    {
        if (ranks.Size == 1) return;
        (string What, string Text)[] common =
        [
            ("another version of Asni", typeof(Recipe).Assembly.GetName().Version?.ToString() ?? ""),
            ("another recipe", RecipeYaml.Format(plan.Settings, "")),
            ("other data", Describe(plan.Data)),
            ("other weights to start from", plan.Start?.ComputeSha256() ?? ""),
            ("another device, SIMD width or number of threads", device.Description),
            ("another checkpoint (all ranks read the run folder)", from is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{from.Phase} {from.Epoch} {from.Progress.Step}")),
        ];
        byte[] own = [.. common.SelectMany(c => SHA256.HashData(Encoding.UTF8.GetBytes(c.Text)))];
        var all = new byte[own.Length * ranks.Size];
        ranks.AllGather(own, all);
        for (int rank = 1; rank < ranks.Size; rank++)
            for (int i = 0; i < common.Length; i++)
                if (!Hash(rank, i).SequenceEqual(Hash(0, i))) throw new AsniException($"rank {rank} has {common[i].What} than rank 0.");
        // What is asked for and cannot be is told before there is a folder.
        GradientExchange.Join(device, ranks, plan.Recipe.Reduce);

        Span<byte> Hash(int rank, int i) => all.AsSpan(rank * own.Length + i * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes);
    }

    private static string Describe(DatasetSplit data) => string.Create(CultureInfo.InvariantCulture,
        $"{data.Train.Name} {data.Train.Shape} {data.Train.Classes} {data.Train.Count} {data.Test.Count} {data.Train.GetLabel(0)} {data.Train.GetLabel(data.Train.Count - 1)}");
}
