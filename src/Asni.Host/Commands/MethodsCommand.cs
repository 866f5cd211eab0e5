using System.CommandLine;
using Asni.Methods;
using Asni.Settings;

namespace Asni.Host.Commands;

/// <summary>asni methods: what a run can do to its network, and all there is to say of one method.</summary>
internal static class MethodsCommand
{
    private static readonly string[] s_columns = ["method", "what it does"], s_settingColumns = ["setting", "default", "values", "what it is"];

    public static Command Create(HostConsole console)
    {
        var name = new Argument<string?>("name") { Description = "a method: show its formula, source, settings and an example", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("methods", "list the training and pruning methods, or describe one") { name };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(name) is { } asked) Describe(console, Find(asked));
            else List(console);
            return 0;
        });
        return command;
    }

    private static Method Find(string name) => Method.Find(name)
        ?? throw new UsageException($"there is no method '{name}'{Suggestion.For(name, Method.All.Select(m => m.Name))}; asni methods lists them.");

    private static void List(HostConsole console)
    {
        ConsoleTable table = console.NewTable(s_columns);
        foreach (Method method in Method.All) table.AddRow(method.Name, method.Source.Length == 0 ? method.Summary : $"{method.Summary}. {method.Source}");
        console.Write(table);
    }

    private static void Describe(HostConsole console, Method method)
    {
        MethodRow row = method.Row;
        console.Line($"{row.Name}: {row.Summary}");
        if (row.Source.Length > 0) console.Line($"source   {row.Source}");
        console.Line($"leaves   {row.Leaves}");
        console.Line($"example  asni --method {row.Name} {string.Join(' ', row.Example.Select(e => $"--{e.Key} {e.Value}"))}");
        console.Line();
        foreach (string line in row.Formula.Split('\n')) console.Line("  " + line.TrimEnd());
        if (row.Settings.IsEmpty) return;
        console.Line();
        ConsoleTable table = console.NewTable(s_settingColumns);
        foreach (Setting<Method> setting in row.Settings) table.AddRow("--" + setting.Key, setting.Get(method) ?? "", setting.Values, setting.Summary);
        console.Write(table);
    }
}
