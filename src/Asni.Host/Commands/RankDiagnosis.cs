using System.Diagnostics;
using System.Globalization;
using System.Text;
using Asni.Devices;
using Asni.Distributed;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Host.Commands;

/// <summary>What asni doctor says where a launcher started several of it.</summary>
internal static class RankDiagnosis
{
    /// <summary>Bytes of what a rank says of itself.</summary>
    private const int Length = 512;

    /// <summary>Numbers that are added up over the ranks: gradients of large, middling and very sparse networks.</summary>
    private static readonly int[] s_lengths = [6_250_000, 250_000, 25_000];

    public static void Write(HostConsole console)
    {
        using Device device = DeviceChoice.Best(new DeviceOptions { Threads = console.Ranks.Processors }).For(console.Ranks).Open();
        Write(console, device, s_lengths);
    }

    public static void Write(HostConsole console, Device device, int[] lengths)
    {
        Communicator ranks = console.Ranks;
        string[] all = Gather(ranks, Describe(ranks, device));
        var times = new List<(string Way, double Milliseconds, int Length)>();
        foreach (int length in lengths) times.Add(("", Time(ranks, length), length));
        if (Join(ranks, device) is { } by)
            foreach (int length in lengths) times.Add((" by " + by, Time(ranks, device, length), length));
        if (ranks.Rank == 0)
        {
            ConsoleTable table = console.NewTable(["rank", "machine"]);
            for (int rank = 0; rank < ranks.Size; rank++) table.AddRow(rank.ToString(CultureInfo.InvariantCulture), all[rank]);
            console.Write(table);
            foreach ((string way, double ms, int length) in times)
                console.Line(string.Create(CultureInfo.InvariantCulture, $"sum of {length * 4 / 1e6:0.#} MB on each rank{way}: {ms:0.0##} ms, {Traffic(ranks, length) / ms / 1e6:0.00} GB/s out of a rank and as many in"));
        }
        ranks.Meet();
    }

    private static string Describe(Communicator ranks, Device device) => string.Create(CultureInfo.InvariantCulture,
        $"{Environment.MachineName}, one of {ranks.LocalSize} ranks there; bound to {Environment.ProcessorCount} {(Environment.ProcessorCount == 1 ? "processor" : "processors")}; {device.Description}");

    /// <summary>By what the ranks' devices exchange; null on every rank: they do not.</summary>
    private static string? Join(Communicator ranks, Device device)
    {
        var all = new byte[ranks.Size];
        ranks.AllGather([device is IExchangingDevice ? (byte)1 : (byte)0], all);
        return all.Contains((byte)0) ? null : GradientExchange.Join(device, ranks, SumOrder.Ordered);
    }

    private static string[] Gather(Communicator ranks, string own)
    {
        byte[] text = new byte[Length], all = new byte[Length * ranks.Size];
        Encoding.UTF8.GetEncoder().Convert(own, text, flush: true, out _, out _, out _);
        ranks.AllGather(text, all);
        return [.. all.Chunk(Length).Select(chunk => Encoding.UTF8.GetString(chunk).TrimEnd('\0'))];
    }

    private static double Time(Communicator ranks, int length)
    {
        var sum = new OrderedSum(ranks);
        var numbers = new float[sum.RoundUp(length)];
        return Time(ranks, () => sum.Run(numbers, ranks.Size));
    }

    private static double Time(Communicator ranks, Device device, int length)
    {
        using DeviceParameters numbers = device.CreateParameters([new Parameter(0, "numbers", ParameterKind.Weight, new Shape(length), new FilterShape(length, 1, 1, 1))]);
        DeviceSum sum = ((IExchangingDevice)device).CreateSum(numbers, SumOrder.Ordered, length);
        sum.Prepare([0], dense: true);
        return Time(ranks, () =>
        {
            sum.Run([0], ParameterSlot.Gradient, dense: true, ranks.Size);
            device.Synchronize();
        });
    }

    /// <summary>Median milliseconds of a sum, as long as the slowest rank takes.</summary>
    private static double Time(Communicator ranks, Action sum)
    {
        var times = new double[5];
        sum();
        for (int i = 0; i < times.Length; i++)
        {
            ranks.Meet();
            long start = Stopwatch.GetTimestamp();
            sum();
            ranks.Meet();
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        return times.Order().ElementAt(times.Length / 2);
    }

    /// <summary>Bytes that leave each rank: its numbers twice, but for its own part.</summary>
    private static double Traffic(Communicator ranks, int length) => 2.0 * (ranks.Size - 1) / ranks.Size * length * sizeof(float);
}
