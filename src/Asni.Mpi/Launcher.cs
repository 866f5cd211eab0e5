using System.Globalization;

namespace Asni.Mpi;

/// <summary>What a launcher says of the processes that it started.</summary>
/// <param name="Name">In words.</param>
/// <param name="LocalSize">Processes on this machine.</param>
/// <param name="LocalRank">Among them.</param>
internal sealed record Launcher(string Name, int Size, int Rank, int LocalSize, int LocalRank)
{
    public const string Slurm = "srun", Torchrun = "torchrun";

    private static readonly (string Name, string Size, string Rank, string LocalSize, string LocalRank)[] s_known =
    [
        // Hydra starts its ranks on other nodes by srun, whose variables they then have too.
        ("mpiexec", "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"),
        ("Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
        // Of a job step alone: what runs in the batch script itself is one process.
        (Slurm, "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE", "SLURM_LOCALID"),
        (Torchrun, "WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE", "LOCAL_RANK"),
    ];

    /// <param name="variable">Of the environment.</param>
    /// <returns>Null where this process is by itself.</returns>
    public static Launcher? Find(Func<string, string?> variable)
    {
        foreach ((string name, string size, string rank, string localSize, string localRank) in s_known)
            // Others set torchrun's names too.
            if ((name != Torchrun || variable("TORCHELASTIC_RUN_ID") is not null) && Number(variable(size)) is > 1 and int processes && Number(variable(localSize)) is { } here)
                return new Launcher(name, processes, Number(variable(rank)) ?? 0, here, Number(variable(localRank)) ?? 0);
        return null;
    }

    /// <summary>Whether the folders of PATH have a program that starts ranks.</summary>
    public static bool IsInstalled(string program) =>
        Environment.GetEnvironmentVariable("PATH")?.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program))) == true;

    /// <summary>Slurm writes "4(x2)" for 4 on each of 2 nodes.</summary>
    private static int? Number(string? text) => text is not null && int.TryParse(text.Split('(', ',')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
