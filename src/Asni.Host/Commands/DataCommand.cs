using System.CommandLine;
using Asni.Data;
using Asni.Data.Download;
using Spectre.Console;

namespace Asni.Host.Commands;

/// <summary>asni data: lists and downloads datasets.</summary>
internal static class DataCommand
{
    private static readonly string[] s_columns = ["dataset", "what", "where"];

    public static Command Create(HostConsole console) =>
        new("data", "list and download datasets") { List(console), Get(console) };

    private static Command List(HostConsole console)
    {
        Option<string> dataDir = DataDir();
        var command = new Command("list", "list datasets and the folders where they were found") { dataDir };
        command.SetAction(parsed =>
        {
            ConsoleTable table = console.NewTable(s_columns);
            foreach (DatasetStatus data in Datasets.List(DatasetLocator.ForUser(parsed.GetValue(dataDir))))
                table.AddRow(data.Name, data.Description,
                    data.Synthetic ? "synthetic" : data.Folder ?? "not found");
            console.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Get(HostConsole console)
    {
        var name = new Argument<string>("name") { Description = "mnist, fashion-mnist, cifar10, cifar100" };
        Option<string> dataDir = DataDir();
        var command = new Command("get", "download a dataset and verify its checksums") { name, dataDir };
        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(dataDir) ?? DatasetLocator.UserCache;
            using var interrupt = new Interrupt(() => console.Error.WriteLine("stopping; the next download continues from the files that are already here"));
            try
            {
                string there = Download(console, parsed.GetValue(name)!, folder, interrupt.Token);
                console.Line($"{parsed.GetValue(name)} is in {there}.");
                return 0;
            }
            catch (OperationCanceledException) when (interrupt.Requested)
            {
                return Entry.Interrupted;
            }
        });
        return command;
    }

    private static string Download(HostConsole console, string name, string folder, CancellationToken cancel)
    {
        var downloader = new DatasetDownloader();
        if (!console.IsLive) return downloader.GetAsync(name, folder, new FileLines(console), cancel).GetAwaiter().GetResult();
        return console.Screen.Status().Start($"downloading {Markup.Escape(name)}", status =>
            downloader.GetAsync(name, folder, new StatusLine(status), cancel).GetAwaiter().GetResult());
    }

    private static Option<string> DataDir() => new("--data-dir") { Description = "data folder (default: the user's cache)", HelpName = "dir" };

    /// <summary>One line a file.</summary>
    private sealed class FileLines(HostConsole console) : IProgress<DownloadProgress>
    {
        private string? _file;

        public void Report(DownloadProgress value)
        {
            if (value.File == _file) return;
            _file = value.File;
            console.Line("downloading " + value.File);
        }
    }

    private sealed class StatusLine(StatusContext status) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => status.Status = Markup.Escape(
            $"{value.File}: {Format.Bytes(value.Received)}{(value.Total is { } total ? " of " + Format.Bytes(total) : "")}");
    }
}
