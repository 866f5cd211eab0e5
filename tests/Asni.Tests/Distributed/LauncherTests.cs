using Asni.Mpi;

namespace Asni.Tests.Distributed;

public class LauncherTests
{
    [TestCase("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1", "Open MPI's mpirun", 4, 3, 2, 1)]
    [TestCase("PMI_SIZE=2 PMI_RANK=1 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=1", "mpiexec", 2, 1, 2, 1)]
    [TestCase("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=5 SLURM_STEP_TASKS_PER_NODE=4(x2) SLURM_LOCALID=1", "srun", 8, 5, 4, 1)]
    [TestCase("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=5 SLURM_STEP_TASKS_PER_NODE=4(x2) PMI_SIZE=8 PMI_RANK=5 SLURM_LOCALID=2", "srun", 8, 5, 4, 2, Description = "--mpi=pmi2")]
    [TestCase("SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 SLURM_STEP_TASKS_PER_NODE=1(x2) PMI_SIZE=8 PMI_RANK=5 MPI_LOCALNRANKS=4 MPI_LOCALRANKID=3", "mpiexec", 8, 5, 4, 3, Description = "hydra over srun")]
    [TestCase("TORCHELASTIC_RUN_ID=none WORLD_SIZE=4 RANK=3 LOCAL_WORLD_SIZE=2 LOCAL_RANK=1", "torchrun", 4, 3, 2, 1)]
    public void What_started_the_ranks_is_told_by_their_environment(string variables, string name, int size, int rank, int localSize, int localRank) =>
        Assert.That(Find(variables), Is.EqualTo(new Launcher(name, size, rank, localSize, localRank)));

    [TestCase("")]
    [TestCase("SLURM_NTASKS=8 SLURM_PROCID=0", Description = "a batch script itself")]
    [TestCase("SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_STEP_TASKS_PER_NODE=1", Description = "a member of an array")]
    [TestCase("OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1")]
    [TestCase("WORLD_SIZE=4 RANK=3 LOCAL_WORLD_SIZE=2 LOCAL_RANK=1", Description = "somebody else's")]
    public void A_process_by_itself_has_no_launcher(string variables) => Assert.That(Find(variables), Is.Null);

    [Test]
    public void A_launcher_without_MPI_is_refused() =>
        Assert.That(() => MpiCommunicator.Open(new Launcher(Launcher.Torchrun, 4, 3, 2, 1)), Throws.TypeOf<AsniException>().With.Message.Contains("torchrun started 4 processes").And.Message.Contains("mpirun"));

    private static Launcher? Find(string variables)
    {
        var environment = variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1]);
        return Launcher.Find(environment.GetValueOrDefault);
    }
}
