using Asni.Methods;

namespace Asni.Tests.Host;

/// <summary>asni methods, and that each method's own example is a command that works.</summary>
public class MethodsTests : FolderTest
{
    [Test]
    public void The_list_names_every_method()
    {
        string list = CommandLine.Run("methods").Output;
        foreach (Method method in Method.All) Assert.That(list, Does.Contain(method.Name).And.Contain(method.Summary[..20]));
    }

    [TestCaseSource(nameof(Names))]
    public void A_method_says_formula_source_settings_and_an_example(string name)
    {
        CommandLine.Outcome outcome = CommandLine.Run("methods", name);
        Assert.That(outcome.ExitCode, Is.Zero);
        MethodRow row = Method.Find(name)!.Row;
        Assert.That(outcome.Output, Does.Contain(row.Source).And.Contain(row.Formula.Split('\n')[0].TrimEnd()).And.Contain($"asni --method {name}"));
        foreach (var setting in row.Settings) Assert.That(outcome.Output, Does.Contain("--" + setting.Key));
    }

    /// <summary>Shortened, and on synthetic data: what is checked is that the flags go together.</summary>
    [TestCaseSource(nameof(Names))]
    public void The_example_runs(string name)
    {
        MethodRow row = Method.Find(name)!.Row;
        string first = _folder["first"];
        string[] shortened = ["--net", name switch { "sglp" => "resnet20", "ssc" => "conv2", _ => "mlp300" }, "--data", "digits", "--limit", name is "sglp" or "ssc" ? "60" : "200", "--epochs", "3", "--device", "cpu", "--threads", "1"];
        bool needs = row.Example.Any(e => e.Key == "init");
        string wanted = name == "retrain" ? "asni1" : "dense";
        if (needs) Assert.That(CommandLine.Run([.. shortened, "--method", wanted, "--out", first]).ExitCode, Is.Zero);
        var flags = row.Example.Where(e => e.Key != "net").SelectMany(e => (string[])["--" + e.Key, e.Key == "init" ? Path.Combine(first, wanted + ".safetensors") : e.Value]);
        string[] run = row.StartsTrained && needs ? [.. shortened.Where(s => s is not ("--epochs" or "3")), "--finetune-epochs", "1"] : shortened;
        CommandLine.Outcome outcome = CommandLine.Run([.. run, "--method", name, .. flags, "--out", _folder["run"]]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
    }

    private static IEnumerable<string> Names => Method.All.Select(m => m.Name);
}
