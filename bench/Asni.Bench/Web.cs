using System.Diagnostics;
using System.Globalization;

namespace Asni.Bench;

/// <summary>
/// Posts an image to examples/WebApi, from one connection and from several in turn, and prints one line of JSON: requests/s and the middle and the 99th of a hundred of their
/// milliseconds.
/// </summary>
internal static class Web
{
    public const string Options = "--url http://localhost:5000/classify --image FILE [--callers 8] [--seconds 3]";

    public static int Run(string[] args)
    {
        var flags = new Flags("web", args, "--url", "--image", "--callers", "--seconds");
        string url = flags.Required("--url"), image = flags.Required("--image");
        int callers = flags.Count("--callers", 8);
        double seconds = flags.Number("--seconds", 3);
        byte[] file = File.ReadAllBytes(image);
        using var client = new HttpClient();
        string answer = Post(client, url, file).Result;
        Load(client, url, file, answer, callers, seconds / 3);
        (double one, double[] oneTimes) = Load(client, url, file, answer, 1, seconds);
        (double all, double[] allTimes) = Load(client, url, file, answer, callers, seconds);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"url\": \"{url}\", \"callers\": {callers}, \"one_requests_per_second\": {one:f1}, \"requests_per_second\": {all:f1}, \"over_one\": {all / one:f3}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"one_p50_ms\": {At(oneTimes, 0.5):f3}, \"one_p99_ms\": {At(oneTimes, 0.99):f3}, \"p50_ms\": {At(allTimes, 0.5):f3}, \"p99_ms\": {At(allTimes, 0.99):f3}}}"));
        return 0;
    }

    private static (double PerSecond, double[] Times) Load(HttpClient client, string url, byte[] file, string answer, int callers, double seconds)
    {
        var watch = Stopwatch.StartNew();
        double[][] times = Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            var own = new List<double>();
            while (watch.Elapsed.TotalSeconds < seconds)
            {
                long start = Stopwatch.GetTimestamp();
                if (await Post(client, url, file) != answer) throw new AsniException($"{url} gave two answers for one image.");
                own.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            return own.ToArray();
        }))).Result;
        double[] all = [.. times.SelectMany(t => t).Order()];
        return (all.Length / watch.Elapsed.TotalSeconds, all);
    }

    private static async Task<string> Post(HttpClient client, string url, byte[] file)
    {
        using var body = new ByteArrayContent(file);
        using HttpResponseMessage response = await client.PostAsync(url, body);
        string answer = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? answer : throw new AsniException($"{url} answers {(int)response.StatusCode}: {answer}");
    }

    private static double At(double[] times, double share) => times[(int)Math.Min(times.Length - 1, share * times.Length)];
}
