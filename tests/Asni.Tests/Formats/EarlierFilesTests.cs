using Asni.Cpu;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;
using Asni.Runs;
using Asni.Tests.Host;

namespace Asni.Tests.Formats;

/// <summary>
/// Run folders by the program as it was before files held their network's graph, and checkpoints the data's digest: narrow networks on synthetic data, whole
/// runs and ones that were killed at the end of their first phase.
/// </summary>
public class EarlierFilesTests : FolderTest
{
    private static readonly string s_runs = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "version1");

    [TestCase("lenet", "lenet300[1=4,3=3]")]
    [TestCase("vgg", "vgg11[0=4,4=4,8=6,11=6,15=6,18=6,22=6,25=6]")]
    public void Networks_of_every_format_load(string run, string name)
    {
        string folder = Path.Combine(s_runs, run);
        RunSummary summary = RunSummary.Read(folder);
        TrainedNetwork Read(string file, string phase)
        {
            StoredNetwork stored = NetworkFormats.Read(Path.Combine(folder, file));
            Assert.That((stored.Phase, stored.Trained.Network.Name), Is.EqualTo((phase, name)));
            Assert.That(Verification.Of(stored.Trained).Faults(), Is.Empty);
            return stored.Trained;
        }
        TrainedNetwork start = Read("asni2-init.safetensors", "asni2-init"), coded = Read("asni2-init.asni", "asni2-init");
        Assert.That(coded.Values, Is.EqualTo(start.Values));
        foreach (string phase in new[] { "asni1", "asni2" })
            Assert.That(Read(phase + ".safetensors", phase).Kept, Is.EqualTo(summary.Phases.Single(p => p.Phase == phase).Kept));
        using var modelDevice = new CpuDevice(1);
        using var model = RunInference.LoadModel(folder, modelDevice);
        Assert.That(model.Classes, Is.EqualTo(start.Network.Classes));
    }

    [TestCase("lenet")]
    [TestCase("vgg")]
    public void A_network_has_the_accuracy_that_the_run_wrote_down(string run)
    {
        double top1 = RunSummary.Read(Path.Combine(s_runs, run)).Phases.Single(p => p.Phase == "asni2").Top1!.Value;
        CommandLine.Outcome eval = CommandLine.Run("eval", "--run", Path.Combine(s_runs, run), "--threads", "1");
        Assert.That(eval.ExitCode, Is.Zero, eval.Error);
        Assert.That(eval.Output, Does.Contain($"top-1 {(100 * top1).ToString("F2", System.Globalization.CultureInfo.InvariantCulture)} %"));
    }

    [TestCase("lenet-stopped")]
    [TestCase("vgg-stopped")]
    public void A_killed_run_goes_on(string run)
    {
        string folder = _folder["run"];
        foreach (string file in Directory.EnumerateFiles(Path.Combine(s_runs, run), "*", SearchOption.AllDirectories))
        {
            string to = Path.Combine(folder, Path.GetRelativePath(Path.Combine(s_runs, run), file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
        CommandLine.Outcome resumed = CommandLine.Run("--resume", folder);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Does.Contain("resumed at epoch"));
        Assert.That(RunFolder.IsComplete(folder), Is.True);
        TrainedNetwork before = NetworkFormats.Read(Path.Combine(s_runs, run, "asni1.safetensors")).Trained, after = NetworkFormats.Read(Path.Combine(folder, "asni1.safetensors")).Trained;
        Assert.That(after.Sha256(), Is.EqualTo(before.Sha256()));
    }
}
