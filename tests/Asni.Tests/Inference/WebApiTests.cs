using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Asni.Cpu;
using Asni.Formats;
using Asni.Runs;
using Asni.Tests.Host;

namespace Asni.Tests.Inference;

/// <summary>examples/WebApi as a process, asked by several callers at once.</summary>
public class WebApiTests
{
    private const string Listening = "Now listening on: ";

    [Test]
    public async Task Posts_at_the_same_time_get_the_classes_of_the_files()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Outcome run = CommandLine.Run("--net", "lenet300", "--data", "digits", "--limit", "300", "--epochs", "2", "--sparsity", "0.5", "--method", "asni1", "--threads", "1", "--out", folder["run"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        byte[][] files = [.. Enumerable.Range(0, 8).Select(Picture)];
        int[] expected;
        using (var device = new CpuDevice(1))
        using (var classifier = RunInference.LoadClassifier(folder["run"], device)) expected = [.. files.Select(f => classifier.ClassifyBytes(f, "it")[0].Class)];

        using Process server = Start(folder["run"]);
        try
        {
            string url = await UrlOf(server) + "/classify";
            using var client = new HttpClient();
            await Parallel.ForEachAsync(Enumerable.Range(0, 200), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, cancellation) =>
            {
                using HttpResponseMessage response = await client.PostAsync(url, new ByteArrayContent(files[i % 8]), cancellation);
                using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync(cancellation));
                Assert.That(answer.RootElement[0].GetProperty("class").GetInt32(), Is.EqualTo(expected[i % 8]));
            });
            using HttpResponseMessage refused = await client.PostAsync(url, new StringContent("no image"));
            Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
            Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("cannot be decoded"));
        }
        finally
        {
            server.Kill();
        }
    }

    private static byte[] Picture(int seed)
    {
        var pixels = new byte[28 * 28 * 3];
        new Random(seed).NextBytes(pixels);
        return new PngImage(28, 28, pixels).Encode();
    }

    private static Process Start(string run) =>
        Process.Start(new ProcessStartInfo("dotnet", [ProgramProcess.Built("examples", "WebApi"), run, "--urls", "http://127.0.0.1:0"]) { RedirectStandardOutput = true })!;

    private static async Task<string> UrlOf(Process server)
    {
        while (await server.StandardOutput.ReadLineAsync() is { } line)
            if (line.Contains(Listening)) return line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Trim();
        throw new InvalidOperationException("the example ended");
    }
}
