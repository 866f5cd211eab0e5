using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Asni.Cuda;
using Asni.Mpi;
using Asni.Tests.Host;

namespace Asni.Tests.Distributed;

/// <summary>The program on several ranks, as the launchers of Open MPI and MPICH start it.</summary>
[TestFixture("mpirun.openmpi")]
[TestFixture("mpiexec.hydra")]
[NonParallelizable]
public class MpiTests(string launcher)
{
    private static readonly string[] s_run =
        ["--net", "lenet300", "--data", "digits", "--method", "asni", "--sparsity", "0.9", "--batch", "64", "--lanes", "4", "--limit", "1500", "--threads", "1"];

    private TemporaryFolder _folder = null!;

    [OneTimeSetUp]
    public void RequireLauncher()
    {
        if (!Launcher.IsInstalled(launcher)) Assert.Ignore($"{launcher} is not installed (apt-get install {(launcher.EndsWith("openmpi", StringComparison.Ordinal) ? "openmpi-bin" : "mpich")})");
    }

    [SetUp]
    public void Create() => _folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void Any_number_of_ranks_trains_to_the_same_bits()
    {
        using (var alone = new ProgramProcess([.. s_run, "--epochs", "3", "--out", _folder["1"]])) Assert.That(alone.ExitCode(), Is.Zero, alone.Error);
        foreach (int ranks in (int[])[2, 4])
        {
            string folder = _folder[ranks.ToString(CultureInfo.InvariantCulture)];
            using ProgramProcess several = Start(ranks, [.. s_run, "--epochs", "3", "--out", folder]);
            Assert.That(several.ExitCode(), Is.Zero, several.Error + several.Output);
            Assert.That(Results(folder), Is.EqualTo(Results(_folder["1"])), $"{ranks} ranks");
            Assert.That(several.Output.Split('\n').Count(line => line.StartsWith("run folder:", StringComparison.Ordinal)), Is.EqualTo(1), "rank 0 alone prints");
        }
    }

    /// <summary>Gradients of a GPU leave it as numbers of live weights too. There may be fewer GPUs than ranks.</summary>
    [Test]
    public void Ranks_on_GPUs_train_to_the_same_bits()
    {
        if (CudaDevice.GetUnavailableReason() is { } reason) Assert.Ignore(reason);
        string[] run = ["--net", "lenet300", "--data", "digits", "--method", "gmp", "--sparsity", "0.9", "--batch", "64", "--lanes", "2", "--limit", "256", "--epochs", "2", "--device", "cuda", "--out"];
        using (var alone = new ProgramProcess([.. run, _folder["1"]])) Assert.That(alone.ExitCode(), Is.Zero, alone.Error);
        using ProgramProcess several = Start(2, [.. run, _folder["2"]]);
        Assert.That(several.ExitCode(), Is.Zero, several.Error + several.Output);
        Assert.That(Results(_folder["2"]), Is.EqualTo(Results(_folder["1"])));
    }

    [Test]
    public void A_rank_that_is_killed_ends_all_and_any_number_goes_on()
    {
        string[] longer = [.. s_run, "--epochs", "20", "--checkpoint-minutes", "0.001", "--out"];
        using (var alone = new ProgramProcess([.. longer, _folder["1"]])) Assert.That(alone.ExitCode(), Is.Zero, alone.Error);
        using (ProgramProcess several = Start(2, [.. longer, _folder["2"]]))
        {
            several.WaitUntil(() => Directory.Exists(_folder["2", "checkpoints"]) && Directory.GetFiles(_folder["2", "checkpoints"], "*.safetensors").Length > 1);
            using (Process victim = RankProcesses(_folder["2"]).Last()) victim.Kill();
            Assert.That(several.EndsWithin(20_000));
            Assert.That(several.ExitCode(), Is.Not.Zero);
        }
        // MPICH's ranks spin while they wait: more than there are processors would take long.
        using ProgramProcess resumed = Start(launcher == "mpirun.openmpi" ? 4 : 1, ["--resume", _folder["2"]]);
        Assert.That(resumed.ExitCode(), Is.Zero, resumed.Error);
        Assert.That(Results(_folder["2"]), Is.EqualTo(Results(_folder["1"])));
    }

    [Test]
    public void SIGUSR1_to_one_rank_stops_all_and_the_same_line_goes_on()
    {
        // Another name of the network.
        string[] longer = [.. s_run.Select(a => a == "lenet300" ? "LeNet300" : a), "--epochs", "20", "--out", _folder["2"], "--or-resume"];
        using (ProgramProcess several = Start(2, longer))
        {
            several.WaitUntil(() => Directory.Exists(_folder["2"]) && File.Exists(_folder["2", "metrics.jsonl"]) && new FileInfo(_folder["2", "metrics.jsonl"]).Length > 0);
            using (Process one = RankProcesses(_folder["2"]).Last())
            using (Process kill = Process.Start("kill", ["-USR1", one.Id.ToString(CultureInfo.InvariantCulture)])) kill.WaitForExit();
            Assert.That(several.ExitCode(), Is.EqualTo(130), several.Error);
        }
        using (ProgramProcess other = Start(2, [.. longer, "--seed", "7"]))
        {
            Assert.That(other.ExitCode(), Is.EqualTo(2));
            Assert.That(other.Error + other.Output, Does.Contain("was started with no seed, not seed 7; give another --out."));
        }
        using (ProgramProcess again = Start(2, longer)) Assert.That(again.ExitCode(), Is.Zero, again.Error);
        using ProgramProcess complete = Start(2, longer);
        Assert.That(complete.Output, Does.Contain("is complete: there is nothing to resume."));
    }

    [Test]
    public void Ranks_of_other_settings_are_refused() => Refused("rank 1 has another recipe than rank 0.", 1,
        ["-np", "1", .. Program, .. s_run, "--out", _folder["x"], ":", "-np", "1", .. Program, .. s_run, "--seed", "2", "--out", _folder["x"]]);

    [Test]
    public void Lanes_that_cannot_be_shared_are_refused() =>
        Refused("6 lanes go on 1, 3 or 6 ranks, not on 4.", 2, ["-np", "4", .. Program, "--net", "lenet300", "--data", "digits", "--batch", "60", "--lanes", "6", "--out", _folder["x"]]);

    [Test]
    public void Fast_sums_without_GPUs_are_refused()
    {
        Refused("fast sums of gradients are for ranks on a GPU each", 2, ["-np", "2", .. Program, .. s_run, "--reduce", "fast", "--out", _folder["x"]]);
        Assert.That(Directory.Exists(_folder["x"]), Is.False);
    }

    [Test]
    public void A_failure_of_one_rank_ends_all()
    {
        _folder.Write("x/there", [1]);
        Refused("exists and is not empty", 2, ["-np", "2", .. Program, .. s_run, "--out", _folder["x"]]);
    }

    [Test]
    public void The_library_of_another_launcher_is_told()
    {
        (string other, string library) = launcher == "mpirun.openmpi" ? ("mpiexec.hydra", "libmpich.so.12") : ("mpirun.openmpi", "libmpi.so.40");
        if (!Launcher.IsInstalled(other)) Assert.Ignore($"{other} is not installed");
        Refused("sees one", 1, ["-np", "2", .. Program, .. s_run, "--out", _folder["x"]], new() { ["ASNI_MPI"] = library });
    }

    [Test]
    public void Doctor_shows_the_ranks_and_times_their_exchange()
    {
        using ProgramProcess doctor = Start(2, ["doctor"]);
        Assert.That(doctor.ExitCode(), Is.Zero, doctor.Error);
        string[] lines = doctor.Output.Split('\n');
        Assert.That(lines.Count(l => l.Contains($" {Environment.MachineName}, one of 2 ranks there; bound to ", StringComparison.Ordinal)), Is.EqualTo(2), doctor.Output);
        Assert.That(lines.Where(l => l.StartsWith("sum of ", StringComparison.Ordinal)).Select(l => l.Split(" on ")[0]), Is.EqualTo((string[])["sum of 25 MB", "sum of 1 MB", "sum of 0.1 MB"]));
    }

    [Test]
    public void Doctor_names_the_library()
    {
        using var doctor = new ProgramProcess("doctor");
        Assert.That(doctor.ExitCode(), Is.Zero, doctor.Error);
        Assert.That(doctor.Output, Does.Match(launcher == "mpirun.openmpi" ? @"\| MPI .*Open MPI \d+\.\d+\.\d+ \(libmpi\.so\.40\)" : @"\| MPI .*MPICH \d+\.\d+\.\d+ \(libmpich\.so\.12\)"));
    }

    [Test]
    public void No_library_at_all_is_told() =>
        Refused("but no MPI library was found (libnone.so)", 1, ["-np", "2", .. Program, .. s_run, "--out", _folder["x"]], new() { ["ASNI_MPI"] = "libnone.so" });

    private void Refused(string message, int code, string[] arguments, Dictionary<string, string>? environment = null)
    {
        var watch = Stopwatch.StartNew();
        using ProgramProcess refused = ProgramProcess.Of(launcher, Variables(environment), [.. Options, .. arguments]);
        Assert.That(refused.ExitCode(), Is.EqualTo(code), refused.Error + refused.Output);
        Assert.That(refused.Error + refused.Output, Does.Contain(message));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(50)), "nobody waits for a rank that has failed");
        Assert.That(File.Exists(_folder["x", "recipe.yaml"]), Is.False);
    }

    private ProgramProcess Start(int ranks, string[] arguments, Dictionary<string, string>? environment = null) =>
        ProgramProcess.Of(launcher, Variables(environment), [.. Options, "-np", ranks.ToString(CultureInfo.InvariantCulture), .. Program, .. arguments]);

    private static string[] Program => ["dotnet", ProgramProcess.Path];

    /// <summary>Ranks of a test may be more than the processors.</summary>
    private string[] Options => launcher == "mpirun.openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];

    private static Dictionary<string, string> Variables(Dictionary<string, string>? more) =>
    new(more ?? []) { ["OMPI_ALLOW_RUN_AS_ROOT"] = "1", ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1" };

    private static IEnumerable<Process> RankProcesses(string folder) => Process.GetProcessesByName("dotnet").Where(p =>
    {
        try
        {
            return File.ReadAllText($"/proc/{p.Id}/cmdline") is var line && line.Contains(folder, StringComparison.Ordinal) && line.Contains("Asni.Host.dll", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    });

    /// <summary>Networks, and metrics without times.</summary>
    private static IEnumerable<string> Results(string folder) =>
    [
        .. Directory.GetFiles(folder, "*.safetensors").Order().Select(f => $"{Path.GetFileName(f)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f)))}"),
        .. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject()).Select(e =>
        {
            foreach (string time in (string[])["seconds", "images_per_second"]) Assert.That(e.Remove(time), time);
            return e.ToJsonString();
        }),
    ];
}
