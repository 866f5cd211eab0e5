using System.Text.RegularExpressions;
using Asni.Cpu;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;
using Asni.Runs;
using Asni.Tests.Host;

namespace Asni.Tests.Formats;

/// <summary>
/// Run folders by the program as it was before files held their network's graph, and checkpoints the data's digest: narrow networks on synthetic data, whole
/// runs and ones that were killed at the end of their first phase, within an epoch of it and within an epoch of the next.
/// </summary>
public partial class EarlierFilesTests : FolderTest
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
            Assert.That(Verification.Verify(stored.Trained).Faults(), Is.Empty);
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
        string folder = Copy(run);
        CommandLine.Outcome resumed = CommandLine.Run("--resume", folder);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Does.Contain("resumed at epoch"));
        Assert.That(RunFolder.IsComplete(folder), Is.True);
        TrainedNetwork before = NetworkFormats.Read(Path.Combine(s_runs, run, "asni1.safetensors")).Trained, after = NetworkFormats.Read(Path.Combine(folder, "asni1.safetensors")).Trained;
        Assert.That(after.ComputeSha256(), Is.EqualTo(before.ComputeSha256()));
    }

    /// <summary>
    /// The rows of metrics.jsonl and the digest of the network are those of a run by that program that nobody stopped. Bits depend on the width of vectors: these runs were
    /// with the smallest, which every machine has; and on the functions of the C library, whose logarithms and cosines draw the initial weights.
    /// </summary>
    [TestCase("vgg-within-epoch", "epoch 2 of asni1, step 3", "asni1", "cc676725e4079d876781107d3eac3e66d148dd6cbfa6abfbaa75f29b2b9c58ed")]
    [TestCase("vgg-within-epoch", "epoch 2 of asni1, step 3", "asni2", "634b34d9664341566833be15fe96f4f162aeed689e837952019f715b2c7acd61")]
    [TestCase("lenet-after-phase", "epoch 1 of asni2, step 4", "asni2", "8facb3836f4e52d1e31f18c5dbb7db5cf5cc7c45178433aff89312a46aea3613")]
    [TestCase("lenet-after-phase", "epoch 1 of asni2, step 4", "ticket", "af6a7756c0879bdc6c1d56206fb6d69e424b96862a61aa74152cbd432572f9c3")]
    [Platform("Linux")]
    public void A_run_that_was_killed_within_an_epoch_ends_as_one_that_was_not(string run, string place, string phase, string sha256)
    {
        string folder = Copy(run);
        using var program = new ProgramProcess(new() { ["ASNI_SIMD"] = "128" }, ["--resume", folder]);
        Assert.That(program.ExitCode(), Is.Zero, program.Error);
        Assert.That(program.Output, Does.Contain("resumed at " + place));
        string[] Rows(string file) => [.. File.ReadAllLines(Path.Combine(folder, file)).Select(row => Times().Replace(row, ""))];
        Assert.That(Rows(RunFolder.Metrics), Is.EqualTo(Rows("unbroken.jsonl")));
        Assert.That(NetworkFormats.Read(Path.Combine(folder, RunFolder.NetworkFileName(phase))).Trained.ComputeSha256(), Is.EqualTo(sha256));
    }

    /// <returns>Where a run of these is to go on.</returns>
    private string Copy(string run)
    {
        string folder = _folder["run"];
        foreach (string file in Directory.EnumerateFiles(Path.Combine(s_runs, run), "*", SearchOption.AllDirectories))
        {
            string to = Path.Combine(folder, Path.GetRelativePath(Path.Combine(s_runs, run), file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
        return folder;
    }

    [GeneratedRegex("\"(seconds|images_per_second)\":[^,}]*")]
    private static partial Regex Times();
    /// <summary>Recipes have other keys now, in another order, and keep the sparsity that was asked for rather than the height of the schedule.</summary>
    [Test]
    public void A_run_of_the_same_recipe_by_this_version_is_in_one_row_with_an_earlier_one()
    {
        string[] recipe = ["--net", "lenet300[1=4,3=3]", "--data", "digits", "--limit", "200", "--epochs", "3", "--batch", "50", "--lr", "0.00012",
            "--scale1", "0.3", "--controls", "ticket", "--threads", "1"];
        CommandLine.Outcome same = CommandLine.Run([.. recipe, "--sparsity", "0.9", "--seed", "2", "--out", _folder["same"]]);
        Assert.That(same.ExitCode, Is.Zero, same.Error);
        CommandLine.Outcome sparser = CommandLine.Run([.. recipe, "--sparsity", "0.91", "--seed", "3", "--out", _folder["sparser"]]);
        Assert.That(sparser.ExitCode, Is.Zero, sparser.Error);
        CommandLine.Outcome table = CommandLine.Run("compare", Path.Combine(s_runs, "lenet"), _folder["same"], _folder["sparser"]);
        string[][] rows = [.. table.Output.Split('\n').Where(l => l.StartsWith("| lenet300", StringComparison.Ordinal)).Select(l => l.Split('|', StringSplitOptions.TrimEntries))];
        Assert.That(rows.Select(r => (r[3], r[4])), Is.EquivalentTo(new[]
        {
            ("asni1", "1,2"), ("asni2", "1,2"), ("ticket", "1,2"), ("asni1", "3"), ("asni2", "3"), ("ticket", "3"),
        }), table.Output);
    }
}
