using System.Diagnostics;
using System.Text.RegularExpressions;
using Asni.Tests.Host;

namespace Asni.Tests.Bench;

/// <summary>bench/Asni.Bench as a process: nothing else runs it, so that what breaks it would be found by users.</summary>
public class BenchSuiteTests
{
    private static readonly string[] s_benchmarks =
    [
        "ConvolutionBenchmarks.Forward", "ConvolutionBenchmarks.BackwardWeights", "ConvolutionBenchmarks.BackwardData", "SparseConvolutionBenchmarks.Forward", "DepthwiseBenchmarks.Forward",
        "BatchNormBenchmarks.Backward", "ParameterBenchmarks.FindThreshold", "ParameterBenchmarks.Adam",
    ];

    [Test]
    public void BenchmarkDotNet_finds_the_benchmarks_of_all_operations()
    {
        (int code, string said) = Run("--list", "flat");
        Assert.That(code, Is.Zero, said);
        foreach (string benchmark in s_benchmarks) Assert.That(said, Does.Contain("Asni.Bench." + benchmark));
    }

    // Before they are timed, their three passes are checked.
    [TestCase("SparseConvolutionBenchmarks.Forward(Live: 0.05, Layer: \"lenet300", "sparse convolution, forward", "lenet300 784-300, 5 %", "GFLOP/s")]
    [TestCase("DepthwiseBenchmarks.BackwardData(Layer: \"mobilenet_v2 576", "depthwise convolution, data gradient", "mobilenet_v2 576 14x14", "GB/s")]
    public void Benchmarks_are_timed(string name, string operation, string layer, string unit)
    {
        (int code, string said) = Run("kernels", "--filter", $"*{name}*");
        Assert.That(code, Is.Zero, said);
        Assert.That(said, Does.Match($@"\| {operation} \| {layer} \| \d+\.\d{{3}} \| \d+ {unit} \|"));
    }

    [Test]
    public void The_page_of_the_suite_names_all_of_its_programs()
    {
        (int code, string help) = Run("--help");
        Assert.That(code, Is.Zero, help);
        string page = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "bench", "README.md"));
        string[] names = [.. Regex.Matches(help, @"^  ([a-z]+) +[A-Z]", RegexOptions.Multiline).Select(m => m.Groups[1].Value)];
        Assert.That(names, Has.Length.GreaterThan(10));
        Assert.That(names.Where(n => !page.Contains($"`{n}`")), Is.Empty);
        foreach (string script in Directory.GetFiles(Path.Combine(ArchitectureTests.Root, "bench", "peers"), "*.py").Where(f => File.ReadAllText(f).StartsWith("#!", StringComparison.Ordinal)))
            Assert.That(page, Does.Contain("peers/" + Path.GetFileName(script)));
    }

    [TestCase("There is no 'stps'; there are steps, ", "stps")]
    [TestCase("scale: --batches '4,x' is not whole numbers", "scale", "--batches", "4,x")]
    [TestCase("scale does not know '--batch'; it knows --table, ", "scale", "--batch", "4")]
    [TestCase("start: /nowhere/asni does not exist", "start", "--tool", "/nowhere/asni")]
    public void What_is_not_understood_is_said(string sentence, params string[] arguments)
    {
        (int code, string said) = Run(arguments);
        Assert.That((code, said), Is.EqualTo((2, said)));
        Assert.That(said, Does.StartWith(sentence));
    }

    private static (int Code, string Said) Run(params string[] arguments)
    {
        using var folder = new TemporaryFolder();
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [ProgramProcess.Built("bench", "Asni.Bench"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder[""],
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, said + errors.Result);
    }
}
