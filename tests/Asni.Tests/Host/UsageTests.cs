using Asni.Formats;
using Asni.Host;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Tests.Host;

/// <summary>What users get wrong: one sentence, the right exit code, nothing left behind.</summary>
public class UsageTests : FolderTest
{
    // A command that is named first is made without the others; after a flag all are.
    [TestCase("methods")]
    [TestCase("info")]
    [TestCase("eval")]
    [TestCase("predict")]
    [TestCase("export")]
    [TestCase("verify")]
    [TestCase("compare")]
    [TestCase("sweep")]
    [TestCase("compact")]
    [TestCase("data")]
    [TestCase("doctor")]
    [TestCase("train")]
    public void A_command_is_the_same_whether_it_is_made_alone_or_with_the_others(string name)
    {
        foreach (string[] arguments in (string[][])[["--help"], ["--no-such-flag"]])
        {
            CommandLine.Outcome alone = CommandLine.Run([name, "--verbose", .. arguments]), among = CommandLine.Run(["--verbose", name, .. arguments]);
            Assert.That((alone.ExitCode, alone.Output, alone.Error), Is.EqualTo((among.ExitCode, among.Output, among.Error)), string.Join(' ', arguments));
        }
        Assert.That(CommandLine.Run("--help").Output, Does.Match($@"(?m)^  {name} "));
    }

    [Test]
    public void The_version_is_printed_alone() =>
        Assert.That(CommandLine.Run("--version").Output.Trim(), Does.Match(@"^\d+\.\d+\.\d+\S*$"));

    [TestCase("unknown flag --epohcs; did you mean --epochs.", "--epohcs", "3")]
    [TestCase("--out needs a value.", "--data", "digits", "--out", "")]
    [TestCase("<file> needs a value.", "info", "")]
    [TestCase("--seed is given more than once.", "--seed", "1", "--seed", "2")]
    [TestCase("--to is required: onnx, safetensors, asni.", "export", "x")]
    [TestCase("asni compare needs <runs>: run folders.", "compare")]
    [TestCase("asni data get needs <name>", "data", "get")]
    [TestCase("asni data needs one of its commands: list, get.", "data")]
    [TestCase("--classes 'x' is not a whole number.", "info", "--net", "lenet300", "--classes", "x")]
    [TestCase("--groups needs a network file or --net", "info", "--groups")]
    [TestCase("--classes needs --net", "info", "x", "--classes", "3")]
    [TestCase("give either a network file or --net.", "info", "x", "--net", "lenet300")]
    [TestCase("--limit '99999999999' is not a whole number from -2147483648 to 2147483647.", "--limit", "99999999999")]
    [TestCase("--limit '-99999999999' is not a whole number from -2147483648 to 2147483647.", "--limit", "-99999999999")]
    [TestCase("--classes '99999999999' is not a whole number from -2147483648 to 2147483647.", "info", "--net", "lenet300", "--classes", "99999999999")]
    [TestCase("--seed '-1' is not a whole number from 0 to 18446744073709551615.", "--seed", "-1")]
    [TestCase("--lr-steps '5,x' is not a list of whole numbers with commas between them, such as 80,120.", "--lr-policy", "multistep", "--lr-steps", "5,x")]
    [TestCase("did you mean --net", "train", "--nte", "conv2")]
    [TestCase("did you mean train", "trian")]
    [TestCase("unknown flag --xyzzy; asni --help", "--xyzzy")]
    [TestCase("did you mean conv", "--net", "conv7")]
    [TestCase("did you mean mnist", "--data", "mnits")]
    [TestCase("--sparsity '1.2' is not a number in [0, 1)", "--sparsity", "1.2")]
    [TestCase("--sparsity '-0.1' is not a number in [0, 1)", "--sparsity", "-0.1")]
    [TestCase("--sparsity 'NaN' is not a number", "--sparsity", "NaN")]
    [TestCase("--pattern '0:4' is not weight, N:M with N from 1 to M, such as 2:4, or blockRxC, such as block4x1.", "--method", "gmp", "--pattern", "0:4")]
    [TestCase("--pattern '5:4' is not weight, N:M", "--method", "gmp", "--pattern", "5:4")]
    [TestCase("--pattern '2:' is not weight, N:M", "--method", "gmp", "--pattern", "2:")]
    [TestCase("--pattern '2:4:8' is not weight, N:M", "--method", "gmp", "--pattern", "2:4:8")]
    [TestCase("--pattern '-1:4' is not weight, N:M", "--method", "gmp", "--pattern", "-1:4")]
    [TestCase("--pattern '2:99999999999' is not weight, N:M", "--method", "gmp", "--pattern", "2:99999999999")]
    [TestCase("--pattern 'block0x1' is not weight, N:M", "--method", "gmp", "--pattern", "block0x1")]
    [TestCase("--pattern 'block4' is not weight, N:M", "--method", "gmp", "--pattern", "block4")]
    [TestCase("--pattern 'block2:4' is not weight, N:M", "--method", "gmp", "--pattern", "block2:4")]
    [TestCase("the pattern 1:11 finds nothing to prune in lenet300: no layer but the last linear one has a multiple of 11 inputs.", "--method", "gmp", "--pattern", "1:11", "--data", "digits")]
    [TestCase("exclude each other", "--sparsity", "0.9", "--mag1", "0.9")]
    [TestCase("exclude each other", "--sparsity", "0.9", "--mag1", "0.9", "--rest", "20")]
    [TestCase("did you mean asni", "--method", "asni3")]
    [TestCase("there is no method 'densse'; did you mean dense", "methods", "densse")]
    [TestCase("a batch of 0", "--batch", "0")]
    [TestCase("a batch of 50 has no 4 equal lanes.", "--batch", "50", "--lanes", "4")]
    [TestCase("sensitivity logit takes the gradient of whole batches: it needs lanes 1.", "--method", "lobster", "--sensitivity", "logit", "--lanes", "2")]
    [TestCase("--allocation has no effect: layer-densities has it", "--method", "rigl", "--allocation", "er", "--layer-densities", "0.1,0.2,1")]
    [TestCase("a batch of 60 has no 0 equal lanes.", "--lanes", "0")]
    [TestCase("65 lanes: at most 64 are possible.", "--batch", "130", "--lanes", "65")]
    [TestCase("0 epochs", "--epochs", "0")]
    [TestCase("--epochs '3.5' is not a whole number", "--epochs", "3.5")]
    [TestCase("--epochs needs a value", "--epochs")]
    [TestCase("--lr 'fast' is not a number", "--lr", "fast")]
    [TestCase("learning rate -1", "--lr", "-1")]
    [TestCase("asni, asni1, cs, dense, ", "--method", "asni3")]
    [TestCase("is not one of sgd, momentum, nesterov, adam", "--optimizer", "adamw")]
    [TestCase("is not CxHxW", "--input", "32")]
    [TestCase("exclude each other", "--augment", "--no-augment")]
    [TestCase("--device 'cuda:x'", "--device", "cuda:x")]
    [TestCase("--device 'gpu:x'", "--device", "gpu:x")]
    [TestCase("--device 'tpu'", "--device", "tpu")]
    [TestCase("--precision 'fp16' is not one of fp32, tf32, bf16", "--precision", "fp16")]
    [TestCase("--precision bf16 needs --device cuda: cpu computes in fp32.", "--device", "cpu", "--precision", "bf16")]
    [TestCase("--threads '0'", "--threads", "0")]
    [TestCase("a limit of 0", "--limit", "0")]
    [TestCase("is not one of none, ticket, reinit, shuffle, initialsigns, randomsigns, layermagnitude, networkmagnitude", "--controls", "tickets")]
    [TestCase("signs that are random need levels of 1 or 2", "--levels", "3", "--signs", "random")]
    [TestCase("signs that are initial need levels of 1 or 2", "--levels", "3", "--controls", "initialsigns")]
    [TestCase("--levels '0' is not", "--levels", "0")]
    [TestCase("--run", "eval")]
    [TestCase("does not exist", "eval", "--run", "no-such-run")]
    [TestCase("--input '3x0x3' is not CxHxW", "info", "--net", "conv2", "--input", "3x0x3")]
    [TestCase("Unknown dataset 'foo'", "data", "get", "foo")]
    public void A_wrong_request_is_one_sentence_and_exit_code_2(string words, params string[] args) => CommandLine.ExpectFailure(2, words, args);

    [Test]
    public void A_file_in_place_of_a_folder_is_said_to_be_one()
    {
        string file = _folder["file"];
        File.WriteAllText(file, "");
        CommandLine.ExpectFailure(2, $"the run folder {file} is a file.", "eval", "--run", file);
        CommandLine.ExpectFailure(2, $"the run folder {file} is a file.", "--resume", file);
        CommandLine.ExpectFailure(2, $"the run folder {file} is a file.", "compare", file);
        CommandLine.ExpectFailure(2, $"the run folder {file}2 does not exist.", "compare", file + "2");
        CommandLine.ExpectFailure(1, $"The data folder '{file}' is a file; name an existing one", "--data", "mnist", "--data-dir", file);
    }

    [Test]
    public void Help_that_cannot_be_written_has_failed()
    {
        var error = new StringWriter();
        Assert.That(Entry.Run(["--help"], HostConsole.Lasting(new FullWriter(), error)), Is.EqualTo(1));
        Assert.That(error.ToString(), Does.StartWith("asni: some of the output could not be written (full)."));
    }

    private sealed class FullWriter : StringWriter
    {
        public override void Write(char value) => throw new IOException("full");
        public override void Write(string? value) => throw new IOException("full");
        public override void Write(char[] buffer, int index, int count) => throw new IOException("full");
    }

    [Test]
    public void A_missing_data_folder_is_one_sentence_and_exit_code_1()
    {
        CommandLine.ExpectFailure(1, "does not exist", "--data-dir", _folder["nowhere"], "--out", _folder["run"]);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public void A_data_folder_without_the_data_says_how_to_get_them()
    {
        CommandLine.ExpectFailure(1, "asni data get mnist", "--data", "mnist", "--data-dir", _folder.Path, "--out", _folder["run"]);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public void A_data_file_cut_short_is_one_sentence_and_leaves_no_run_folder()
    {
        Directory.CreateDirectory(_folder["mnist"]);
        foreach (string name in new[] { "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" })
            File.WriteAllBytes(_folder["mnist/" + name], [0, 0, 8, 3, 0, 0]);
        CommandLine.ExpectFailure(1, "ubyte", "--data", "mnist", "--data-dir", _folder.Path, "--out", _folder["run"]);
        Assert.That(Directory.Exists(_folder["run"]), Is.False);
    }

    [TestCase("--sparsity has no effect: it needs --method ", "--method", "dense", "--sparsity", "0.9")]
    [TestCase("--prune-biases has no effect: it needs --method ", "--method", "dense", "--prune-biases")]
    [TestCase("--min-kept has no effect: it needs --method ", "--method", "ispasp", "--min-kept", "3")]
    [TestCase("--min-kept has no effect: it needs --allocation pooled", "--method", "gmp", "--allocation", "erk", "--min-kept", "3")]
    [TestCase("--sparsity has no effect: the pattern 2:4 gives the sparsity (the method of this run is gmp)", "--method", "gmp", "--pattern", "2:4", "--sparsity", "0.5")]
    [TestCase("--sparsity has no effect: the pattern 2:4 gives the sparsity", "--method", "oneshot", "--pattern", "2:4", "--sparsity", "0.5")]
    [TestCase("--allocation has no effect: it needs --pattern weight or blockRxC", "--method", "gmp", "--pattern", "1:4", "--allocation", "erk")]
    [TestCase("--prune-biases has no effect: it needs --pattern weight or blockRxC", "--method", "gmp", "--pattern", "1:4", "--prune-biases")]
    [TestCase("--min-kept has no effect: it needs --pattern weight (", "--method", "gmp", "--pattern", "block4x1", "--min-kept", "3")]
    [TestCase("--pattern has no effect: it needs --method acdc, gmp, imp, movement, oneshot or srste", "--method", "iht", "--pattern", "2:4")]
    [TestCase("--score has no effect: it needs --method ", "--method", "asni1", "--score", "random")]
    [TestCase("--controls has no effect: it needs --method asni", "--method", "asni1", "--controls", "ticket")]
    [TestCase("--retrain-lr has no effect: it needs --method admm, asni, l0, lobster, obd, obs, oneshot, powerpropagation, proximal, retrain, str or vd", "--method", "dense", "--retrain-lr", "0.1")]
    [TestCase("--ratio has no effect: it needs --method ispasp", "--ratio", "0.5")]
    [TestCase("--all-blocks has no effect: it needs --method ispasp", "--all-blocks")]
    [TestCase("--momentum has no effect: it needs --optimizer momentum or nesterov", "--optimizer", "adam", "--momentum", "0.8")]
    [TestCase("--lr-gamma has no effect: it needs --lr-policy multistep", "--lr-policy", "cosine", "--lr-gamma", "0.5")]
    [TestCase("--cosine-stretch has no effect: it needs --lr-policy cosine", "--lr-policy", "constant", "--cosine-stretch", "2")]
    [TestCase("--exponent has no effect: it needs --schedule sine", "--exponent", "2")]
    [TestCase("--trans1 has no effect: it needs --schedule sigmoid", "--schedule", "sine", "--trans1", "0.4")]
    [TestCase("--schedule has no effect: it needs --method asni or asni1 (the method of this run is dense)", "--method", "dense", "--schedule", "sine")]
    [TestCase("--mag2 has no effect: the first phase of the schedule takes all epochs", "--epochs", "10", "--rest", "10", "--mag2", "0.1")]
    [TestCase("--retrain-cosine-stretch has no effect: the learning rate follows no cosine", "--lr-policy", "constant", "--retrain-cosine-stretch", "2")]
    [TestCase("--lr has no effect: retrain-lr has the rate", "--method", "oneshot", "--init", "EXISTING", "--net", "lenet300", "--lr", "0.1", "--retrain-lr", "0.01")]
    [TestCase("--mag2 has no effect: it needs --rest below the number of epochs", "--mag2", "0.1")]
    public void A_flag_that_would_change_nothing_is_refused(string words, params string[] flags)
    {
        Network network = NetworkZoo.Create("lenet300");
        NetworkFile.Write(_folder["file.safetensors"], MethodRunner.CreateInitialWeights(network, 1), "dense");
        string[] named = [.. flags.Select(f => f == "EXISTING" ? _folder["file.safetensors"] : f)];
        CommandLine.ExpectFailure(2, words, ["--data", "digits", .. named, "--out", _folder["run"]]);
        Assert.That(Directory.Exists(_folder["run"]), Is.False);
    }

    [Test]
    public void A_recipe_file_may_hold_settings_that_a_flag_makes_idle()
    {
        File.WriteAllText(_folder["r.yaml"], "net: lenet300\ndata: digits\nsparsity: 0.9\nratio: 0.5\n");
        CommandLine.Outcome run = CommandLine.Run("--recipe", _folder["r.yaml"], "--method", "dense", "--limit", "60", "--epochs", "1", "--threads", "1", "--device", "cpu",
            "--out", _folder["run"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }

    [TestCase("1", "a run of one epoch prunes nothing")]
    [TestCase("2", "in 2 epochs this schedule prunes 0.66 %, and the recipe's 97.02 %")]
    public void A_run_too_short_to_prune_says_so(string epochs, string words)
    {
        CommandLine.Outcome run = CommandLine.Run("--data", "digits", "--limit", "60", "--epochs", epochs, "--method", "asni1", "--threads", "1", "--device", "cpu",
            "--out", _folder["run"]);
        Assert.That(run.Output, Does.Contain(words));
    }

    [Test]
    public void A_missing_recipe_is_one_sentence() => CommandLine.ExpectFailure(2, "does not exist", "--recipe", _folder["no.yaml"]);

    [TestCase("net: lenet300\nepohcs: 3\n", "line 2: unknown key 'epohcs'; did you mean epochs.")]
    [TestCase("net: lenet300\nepochs: many\n", "line 2: epochs 'many' is not a whole number")]
    [TestCase("net: [lenet300\n", "line 2")]
    [TestCase("epochs: {a: 1}\n", "line 1: epochs is nested")]
    [TestCase("method: dense\nsparsity: many\n", "line 2: sparsity 'many' is not a number in [0, 1)")]
    [TestCase("method: asni1\ncentroids: foo\n", "line 2: centroids 'foo' is not one of sign, lloyd")]
    [TestCase("method: foo\n", "line 1: method 'foo' is not one of ")]
    [TestCase("just words\n", "is not a recipe")]
    [TestCase("epochs: 3\nepochs: 4\n", "line 2")]
    public void A_wrong_recipe_names_the_line(string yaml, string words)
    {
        File.WriteAllText(_folder["r.yaml"], yaml);
        CommandLine.ExpectFailure(2, words, "--recipe", _folder["r.yaml"], "--out", _folder["run"]);
        Assert.That(Directory.Exists(_folder["run"]), Is.False);
    }

    [Test]
    public void A_run_folder_with_something_in_it_is_refused()
    {
        File.WriteAllText(_folder["mine.txt"], "precious");
        CommandLine.ExpectFailure(2, "not empty", "--data", "digits", "--limit", "50", "--out", _folder.Path);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { _folder["mine.txt"] }));
    }

    [Test]
    public void An_input_that_the_data_do_not_have_is_refused_before_a_folder_is_made()
    {
        CommandLine.ExpectFailure(2, "--input", "--data", "digits", "--limit", "50", "--input", "1x32x32", "--out", _folder["run"]);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test, Platform("Linux")]
    public void A_folder_that_cannot_be_made_is_one_sentence() =>
        CommandLine.ExpectFailure(1, "cannot write", "--data", "digits", "--limit", "50", "--out", "/proc/asni/run");

    [Test]
    public void Verbose_shows_where() =>
        Assert.That(CommandLine.Run("--sparsity", "1.2", "--verbose").Error, Does.Contain("   at "));
}
