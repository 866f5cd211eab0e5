using System.Globalization;

namespace Asni.Distributed;

/// <summary>Processors of this machine.</summary>
internal static class Processors
{
    /// <summary>Those that a process may use beside others: its part of all, or those that it is bound to where they are fewer.</summary>
    /// <param name="processes">On this machine.</param>
    public static int ShareOf(int processes) => Math.Max(1, Math.Min(Environment.ProcessorCount, Online() / processes));

    /// <summary>All: <see cref="Environment.ProcessorCount"/> is of those that this process is bound to.</summary>
    private static int Online()
    {
        const string list = "/sys/devices/system/cpu/online";
        if (!File.Exists(list)) return Environment.ProcessorCount;
        // "0-3,6".
        return File.ReadAllText(list).Trim().Split(',').Select(range => range.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray()).Sum(ends => ends[^1] - ends[0] + 1);
    }
}
