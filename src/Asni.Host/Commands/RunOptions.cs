using System.CommandLine;

namespace Asni.Host.Commands;

/// <summary>How commands are told which network they work on: a file, or a phase of a run.</summary>
internal static class RunOptions
{
    public static Argument<string?> File() =>
        new("file") { Description = "network file (files of PyTorch and other programs need --net); or --run names a folder", Arity = ArgumentArity.ZeroOrOne };

    public static Option<string> Run() => new("--run") { Description = "run folder", HelpName = "dir" };

    public static Option<string> Phase() => new("--phase")
    {
        Description = "phase of the run whose network is used: asni2, asni1, dense, ... (default: the last one that is no control run)",
        HelpName = "phase",
    };
}
