using System.Reflection;
using System.Text.RegularExpressions;
using Asni.Data;
using Asni.Devices;

namespace Asni.Tests;

/// <summary>Reads the project's own sources: who knows whom, and how long files are.</summary>
public partial class ArchitectureTests
{
    private const int LongestFile = 500;

    /// <summary>Each folder of the library with the folders it may name.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Tensors"] = [],
        ["Settings"] = ["Tensors"],
        ["Networks"] = ["Tensors"],
        // CIFAR's Python version is pickled, as PyTorch's files are.
        ["Data"] = ["Formats", "Networks", "Tensors"],
        ["Formats"] = ["Networks", "Tensors"],
        // A device turns 8-bit images into inputs and for that knows Data's Normalization; it knows nothing else of Data (see below).
        ["Devices"] = ["Data", "Networks", "Tensors"],
        ["Optimizers"] = ["Devices", "Networks", "Tensors"],
        ["Engine"] = ["Data", "Optimizers", "Devices", "Networks", "Tensors"],
        ["Distributed"] = ["Data", "Engine", "Devices", "Networks", "Tensors"],
        ["Pruning"] = ["Settings", "Data", "Engine", "Optimizers", "Devices", "Networks", "Tensors"],
        ["Training"] = ["Distributed", "Pruning", "Engine", "Optimizers", "Devices", "Networks", "Tensors", "Data", "Formats"],
        ["Methods"] = ["Settings", "Training", "Distributed", "Pruning", "Engine", "Optimizers", "Devices", "Networks", "Tensors", "Data", "Formats"],
        ["Inference"] = ["Data", "Engine", "Devices", "Networks", "Tensors", "Formats"],
        ["Runs"] = ["Inference", "Methods", "Training", "Pruning", "Engine", "Optimizers", "Devices", "Networks", "Tensors", "Data", "Formats"],
        ["Reports"] = ["Runs", "Methods", "Training", "Pruning", "Engine", "Optimizers", "Devices", "Networks", "Tensors", "Data", "Formats"],
    };

    internal static readonly string Root = FindRoot();

    [Test]
    public void Folders_of_the_library_know_only_those_below_them()
    {
        string library = Path.Combine(Root, "src", "Asni");
        var broken = new List<string>();
        foreach (string file in Sources(library))
        {
            string[] path = Path.GetRelativePath(library, file).Split(Path.DirectorySeparatorChar);
            if (path.Length == 1) continue;
            if (!Allowed.TryGetValue(path[0], out string[]? allowed))
            {
                broken.Add($"{path[0]} has no place in the order");
                continue;
            }
            foreach (string named in NamedFolders(File.ReadAllText(file)))
                if (named != path[0] && !allowed.Contains(named)) broken.Add($"{string.Join('/', path)} names Asni.{named}");
        }
        Assert.That(broken, Is.Empty);
    }

    /// <summary>Whoever wants another graph asks the builder, or goes through the rewriter.</summary>
    [TestCase(@"new \w*Node\(", "Networks/NetworkBuilder.cs,Networks/Nodes.cs")]
    [TestCase(@"new Network\(", "Networks/NetworkBuilder.cs,Networks/Rewriting/GraphRewriter.cs")]
    public void Graphs_are_made_in_one_place(string pattern, string where)
    {
        string library = Path.Combine(Root, "src", "Asni");
        IEnumerable<string> found = Sources(library).Where(file => Regex.IsMatch(File.ReadAllText(file), pattern)).Select(file => Path.GetRelativePath(library, file).Replace('\\', '/'));
        Assert.That(found.Order(StringComparer.Ordinal), Is.EqualTo(where.Split(',')));
    }

    [Test]
    public void Devices_know_of_Data_only_the_normalization()
    {
        const BindingFlags all =
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var broken = from type in typeof(Device).Assembly.GetTypes()
                     where type.Namespace == typeof(Device).Namespace
                     from method in type.GetMembers(all).OfType<MethodBase>()
                     from parameter in method.GetParameters()
                     where parameter.ParameterType.Namespace == typeof(Normalization).Namespace
                         && parameter.ParameterType != typeof(Normalization)
                     select $"{type.Name}.{method.Name} takes a {parameter.ParameterType.Name}";
        Assert.That(broken, Is.Empty);
    }

    [TestCase("Asni", new string[0])]
    [TestCase("Asni.Cpu", new[] { "Asni" })]
    [TestCase("Asni.Cuda", new[] { "Asni" })]
    [TestCase("Asni.Mpi", new[] { "Asni" })]
    [TestCase("Asni.Host", new[] { "Asni", "Asni.Cpu", "Asni.Cuda", "Asni.Mpi" })]
    public void Projects_reference_only_those_below_them(string project, string[] allowed)
    {
        string text = File.ReadAllText(Path.Combine(Root, "src", project, project + ".csproj"));
        IEnumerable<string> referenced = ProjectReference().Matches(text)
            .Select(m => Path.GetFileNameWithoutExtension(m.Groups[1].Value.Replace('\\', '/')));
        Assert.That(referenced, Is.SubsetOf(allowed));
    }

    /// <summary>What the library says makes sense without the command line; Host adds the flag that helps.</summary>
    [TestCase("Asni")]
    [TestCase("Asni.Cpu")]
    [TestCase("Asni.Cuda")]
    public void The_library_speaks_of_no_flag_or_command(string project)
    {
        string source = Path.Combine(Root, "src");
        IEnumerable<string> found = from file in Sources(Path.Combine(source, project))
                                    from line in File.ReadLines(file)
                                    where SpeaksOfFlags(line)
                                    select $"{Path.GetRelativePath(source, file)}: {line.Trim()}";
        Assert.That(found, Is.Empty);
    }

    [TestCase("throw new AsniException($\"{path} lacks it; --data-dir says where it is.\");", true)]
    [TestCase("\"--net names it\"", true)]
    [TestCase("+ \"or choose --device cpu.\");", true)]
    [TestCase("$\"'asni data get {Name}' downloads it\"", true)]
    [TestCase("/// <summary>The folder of --data-dir.</summary>", true)]
    [TestCase("/// <summary>What asni eval prints.</summary>", true)]
    [TestCase("while (count > 0) items[--count] = Pop();", false)]
    [TestCase("/// <summary>The bytes of an .asni file.</summary>", false)]
    [TestCase("\"an ONNX model (asni writes them but does not read them)\"", false)]
    [TestCase("  \"color: var(--ink); --paper: #fff\"", false)]
    public void The_reader_of_messages_knows_flags_and_commands(string line, bool speaks) => Assert.That(SpeaksOfFlags(line), Is.EqualTo(speaks));

    /// <summary>A line of documentation, or one with a string, that names a flag or a command. Custom properties of style sheets look alike but for the colon.</summary>
    private static bool SpeaksOfFlags(string line) =>
        (line.TrimStart().StartsWith("///", StringComparison.Ordinal) ? line : string.Concat(StringLiteral().Matches(line).Select(m => m.Value))) is { Length: > 0 } text
        && Flag().IsMatch(text);

    [Test]
    public void No_source_file_is_too_long()
    {
        var longFiles = from folder in (string[])["src", "tests", "bench"]
                        from file in Sources(Path.Combine(Root, folder))
                        let lines = File.ReadLines(file).Count()
                        where lines > LongestFile
                        select $"{Path.GetRelativePath(Root, file)} has {lines} lines";
        Assert.That(longFiles, Is.Empty);
    }

    /// <summary>Where the processor has none, FusedMultiplyAdd calls a function that is ten times slower than a product and a sum; MultiplyAddEstimate does those.</summary>
    [Test]
    public void No_kernel_fuses_in_software()
    {
        IEnumerable<string> named = from file in Sources(Path.Combine(Root, "src"))
                                    where CodeOnly(File.ReadAllText(file)).Contains("FusedMultiplyAdd")
                                    select Path.GetRelativePath(Root, file);
        Assert.That(named, Is.Empty);
    }

    [Test]
    public void The_reader_of_using_lines_sees_every_form()
    {
        string text = "using Asni.Engine;\nglobal using Asni.Pruning;\nusing static Asni.Training.Trainer;\nusing R = Asni.Reports.Run;\n" +
            "using Asni;\nvar m = new Asni.Methods.AsniI();\n// using Asni.Data;\nusing System.Linq;\nnamespace Asni.Tensors;";
        Assert.That(NamedFolders(text), Is.EquivalentTo((string[])["Engine", "Pruning", "Training", "Reports", "Methods"]));
    }

    /// <summary>Folders named as Asni.X, in using lines or in full in the code, not in comments or the file's own namespace.</summary>
    private static IEnumerable<string> NamedFolders(string text) =>
        FolderName().Matches(OwnNamespace().Replace(CodeOnly(text), "")).Select(m => m.Groups[1].Value)
            .Where(Allowed.ContainsKey).Distinct();

    private static string CodeOnly(string text) => Comment().Replace(text, "");

    private static IEnumerable<string> Sources(string folder) =>
        from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        let parts = Path.GetRelativePath(folder, file).Split(Path.DirectorySeparatorChar)
        where !parts.Contains("obj") && !parts.Contains("bin")
        select file;

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(TestContext.CurrentContext.TestDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Asni.sln"))) folder = folder.Parent;
        return folder?.FullName
            ?? throw new DirectoryNotFoundException("the tests must run from inside the repository: no Asni.sln above them");
    }

    [GeneratedRegex(@"\bAsni\.([A-Z]\w*)")]
    private static partial Regex FolderName();

    [GeneratedRegex(@"^\s*namespace .*$", RegexOptions.Multiline)]
    private static partial Regex OwnNamespace();

    [GeneratedRegex(@"//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"""(?:[^""\\]|\\.)*""")]
    private static partial Regex StringLiteral();

    [GeneratedRegex(@"(?<![\w(-])(?>--[a-z][\w-]*)(?!:)|\basni (train|info|eval|predict|export|verify|compare|compact|data|doctor)\b")]
    private static partial Regex Flag();

    [GeneratedRegex("""<ProjectReference\s+Include="([^"]+)""")]
    private static partial Regex ProjectReference();
}
