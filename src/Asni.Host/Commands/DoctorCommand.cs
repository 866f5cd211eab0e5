using System.CommandLine;
using System.Runtime.InteropServices;
using Asni.Data;
using Asni.Devices;
using Asni.Mpi;

namespace Asni.Host.Commands;

/// <summary>asni doctor: what this machine offers and which data it has.</summary>
internal static class DoctorCommand
{
    private static readonly string[] s_columns = ["what", "found"];

    /// <summary>Programs that start ranks.</summary>
    private static readonly string[] s_launchers = ["mpirun", "mpiexec.hydra", "srun"];

    public static Command Create(HostConsole console)
    {
        var dataDir = new Option<string>("--data-dir") { Description = "folder to look for datasets in", HelpName = "dir" };
        var command = new Command("doctor", "show the runtime, devices, memory and datasets of this machine; as several ranks, each of them and how fast they exchange numbers") { dataDir };
        command.SetAction(parsed =>
        {
            console.Ranks = RankAgreement.Open();
            if (console.Ranks.Size > 1) RankDiagnosis.Write(console);
            else Write(console, DatasetLocator.ForUser(parsed.GetValue(dataDir)));
            return 0;
        });
        return command;
    }

    private static void Write(HostConsole console, DatasetLocator locator)
    {
        ConsoleTable table = console.NewTable(s_columns);
        table.AddRow("asni", typeof(DoctorCommand).Assembly.GetName().Version?.ToString(3) ?? "");
        table.AddRow("runtime", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}");
        table.AddRow("processors", Format.Count(Environment.ProcessorCount));
        table.AddRow("memory", Format.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) + " for this process");
        foreach (IDeviceProvider provider in DeviceProviders.All)
            foreach ((string what, string found) in provider.Describe()) table.AddRow(what, found);
        table.AddRow("MPI", MpiLibrary.Describe());
        table.AddRow("launchers", string.Join(", ", s_launchers.Where(Launcher.IsInstalled).DefaultIfEmpty("none found")));
        foreach (DatasetStatus data in Datasets.List(locator))
            table.AddRow("data " + data.Name, data.Synthetic
                ? "synthetic, always available"
                : data.Folder ?? $"not found; {Remedies.Obtaining(data.Name)}");
        table.AddRow("data folders", string.Join(", ", locator.Folders));
        console.Write(table);
    }
}
