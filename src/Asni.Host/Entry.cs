using System.CommandLine;
using System.CommandLine.Parsing;
using Asni.Host.Commands;
using Asni.Settings;

namespace Asni.Host;

/// <summary>The command line from arguments to exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.</summary>
internal static class Entry
{
    private const string TrainVerb = "train";

    public const int Failed = 1, WrongUsage = 2, Interrupted = 130;

    public static int Run(string[] args, HostConsole console)
    {
        int code = RunCommand(args, console);
        // Where one of several fails the others would wait for it.
        if (code is not (0 or Interrupted)) console.Ranks.Abort(code);
        console.Ranks.Dispose();
        return code;
    }

    private static int RunCommand(string[] args, HostConsole console)
    {
        var verbose = new Option<bool>("--verbose") { Description = "show stack traces", Recursive = true };
        RootCommand root = Commands(console, verbose, args);
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 || EmptyValue(parsed) is not null)
        {
            console.Fail(UsageError(parsed));
            return WrongUsage;
        }
        try
        {
            int code = parsed.Invoke(new InvocationConfiguration
            {
                Output = console.Output,
                Error = console.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
            return ReportOutput(code, parsed, console);
        }
        catch (Exception e)
        {
            return Report(e, parsed, console, parsed.GetValue(verbose));
        }
    }

    /// <summary>All commands; or one alone where it is named first, because it takes longer to make the flags of all methods than most commands run.</summary>
    private static RootCommand Commands(HostConsole console, Option<bool> verbose, string[] args)
    {
        var root = new RootCommand(
            "Asni trains sparse neural networks: ASNI-I prunes weights during training, ASNI-II retrains the sparse network from two values per layer.");
        root.Add(verbose);
        (string Name, Func<Command> Create)[] others =
        [
            ("methods", () => MethodsCommand.Create(console)), ("info", () => InfoCommand.Create(console)), ("eval", () => EvalCommand.Create(console)),
            ("predict", () => PredictCommand.Create(console)), ("export", () => ExportCommand.Create(console)), ("verify", () => VerifyCommand.Create(console)),
            ("compare", () => CompareCommand.Create(console)),
            ("sweep", () => SweepCommand.Create(console, verbose, arguments => RunCommand([TrainVerb, .. arguments], console))),
            ("compact", () => CompactCommand.Create(console)), ("data", () => DataCommand.Create(console)), ("doctor", () => DoctorCommand.Create(console)),
        ];
        if (Array.Find(others, o => o.Name == args.FirstOrDefault()).Create is { } create)
        {
            root.Add(create());
            return root;
        }
        if (args is ["--version"]) return root;
        var train = new TrainCommand(console);
        // Training is what the program is for: its flags work without the verb.
        train.AddTo(root);
        var trainVerb = new Command(TrainVerb, "train a network (the default command)");
        train.AddTo(trainVerb);
        root.Add(trainVerb);
        foreach ((_, Func<Command> make) in others) root.Add(make());
        return root;
    }

    /// <summary>Output that could not be written is told; a run is in its folder all the same, and did not fail.</summary>
    private static int ReportOutput(int code, ParseResult parsed, HostConsole console)
    {
        if (console.OutputFailure is not { } failure) return code;
        string reason = failure is IOException ? failure.Message.Split(" : ")[0].TrimEnd('.') : "it is closed";
        console.Fail($"some of the output could not be written ({reason}).");
        Command command = parsed.CommandResult.Command;
        bool trains = command is RootCommand or { Name: TrainVerb } && parsed.Action == command.Action;
        return code == 0 && !trains ? Failed : code;
    }

    private static int Report(Exception failure, ParseResult parsed, HostConsole console, bool verbose)
    {
        if (failure is AsniException or OutOfMemoryException)
            console.Fail(Remedies.Sentence(failure, [.. parsed.CommandResult.Command.Options.Select(o => o.Name)]));
        else
            console.Fail($"internal error: {failure.Message.ReplaceLineEndings(" ").TrimEnd('.')} (--verbose shows the stack trace).");
        if (verbose) console.Error.WriteLine(Printable.Lines(failure.ToString()));
        return failure is UsageException ? WrongUsage : Failed;
    }

    /// <summary>"asni data get".</summary>
    private static string FullName(Command command) => command is RootCommand ? "asni" : $"{FullName(command.Parents.OfType<Command>().First())} {command.Name}";

    /// <summary>The first thing wrong with the arguments, with what was probably meant.</summary>
    private static string UsageError(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens.Count > 0)
        {
            string token = parsed.UnmatchedTokens[0];
            bool flag = token.StartsWith('-');
            IEnumerable<string> candidates = flag ? command.Options.Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
            string help = Suggestion.Closest(token, candidates) is null ? "; asni --help lists them" : "";
            return $"unknown {(flag ? "flag" : "argument")} {token}{Suggestion.For(token, candidates)}{help}.";
        }
        if (parsed.Errors.Count == 0) return $"{EmptyValue(parsed)} needs a value.";
        ParseError error = parsed.Errors[0];
        return error.SymbolResult switch
        {
            OptionResult { IdentifierToken: null } absent => $"{absent.Option.Name} is required: {absent.Option.Description}.",
            OptionResult { Tokens.Count: 0 } option => $"{option.IdentifierToken.Value} needs a value.",
            OptionResult { IdentifierTokenCount: > 1 } option => $"{option.Option.Name} is given more than once.",
            OptionResult option => $"{option.Option.Name} '{option.Tokens[0].Value}' is not {(option.Option.ValueType == typeof(int?) ? SettingText.DescribeInteger(option.Tokens[0].Value) : "a valid value")}.",
            ArgumentResult { Tokens.Count: 0 } absent => $"{FullName(command)} needs <{absent.Argument.Name}>: {absent.Argument.Description}.",
            _ when command.Subcommands.Count > 0 => $"{FullName(command)} needs one of its commands: {string.Join(", ", command.Subcommands.Select(c => c.Name))}.",
            _ => error.Message.TrimEnd('.') + ".",
        };
    }

    /// <summary>The flag or the argument that an empty text was given to; null for none. Shells make such of variables that are not set.</summary>
    private static string? EmptyValue(ParseResult parsed) => parsed.CommandResult.Children
        .FirstOrDefault(child => child.Tokens.Any(token => token.Value.Length == 0)) switch
    {
        OptionResult option => option.Option.Name,
        ArgumentResult argument => $"<{argument.Argument.Name}>",
        _ => null,
    };
}
