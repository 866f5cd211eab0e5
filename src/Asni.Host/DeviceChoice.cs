using System.CommandLine;
using Asni.Cpu;
using Asni.Devices;

namespace Asni.Host;

/// <summary>--device and --threads.</summary>
internal sealed class DeviceChoice
{
    private static readonly string[] s_names = ["auto", "cpu"];

    private readonly Option<string> _device = new("--device") { Description = "auto, cpu", HelpName = "device" };
    private readonly Option<string> _threads = new("--threads")
    {
        Description = "threads of the CPU device; all processors when absent",
        HelpName = "n",
    };

    public void AddTo(Command command)
    {
        command.Add(_device);
        command.Add(_threads);
    }

    /// <exception cref="UsageException">No such device, or not a number of threads.</exception>
    public int Threads(ParseResult parsed)
    {
        string device = parsed.GetValue(_device) ?? s_names[0];
        if (!s_names.Contains(device))
            throw new UsageException($"--device '{device}' is not one of {string.Join(", ", s_names)}{Suggestion.For(device, s_names)}.");
        if (parsed.GetValue(_threads) is not { } text) return Environment.ProcessorCount;
        if (!int.TryParse(text, out int threads) || threads is < 1 or > 1024)
            throw new UsageException($"--threads '{text}' is not a number from 1 to 1024.");
        return threads;
    }

    public static Device Open(int threads) => new CpuDevice(threads);
}
