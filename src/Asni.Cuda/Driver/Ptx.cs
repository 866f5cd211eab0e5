using System.Reflection;
using System.Text.RegularExpressions;

namespace Asni.Cuda.Driver;

/// <summary>The PTX embedded in an assembly, this one unless told otherwise: one file for each kernel file and architecture, "convolution.sm_80.ptx".</summary>
internal static partial class Ptx
{
    private const string Prefix = "ptx/", Suffix = ".ptx";

    /// <summary>The simulator has its kernels inside and takes any text without an .entry for all of them.</summary>
    public const string SimulatorStub = "// asni simulator";

    /// <summary>Architectures of the embedded files, as their names have them: sm_80, sm_90a.</summary>
    public static string[] Architectures(Assembly? assembly = null) =>
        [.. Files(assembly).Select(file => file[(file.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The architecture whose PTX suits a GPU best; null when none does.</summary>
    /// <param name="architectures">Those to choose from. sm_90a runs on 9.0 alone; a plain one on its own and everything newer.</param>
    /// <param name="capability">The GPU's compute capability.</param>
    public static string? Best(IEnumerable<string> architectures, Version capability)
    {
        int wanted = capability.Major * 10 + capability.Minor;
        return architectures
            .Where(name => Number(name) is int number && (IsSpecific(name) ? number == wanted : number <= wanted))
            .OrderByDescending(Number).ThenByDescending(IsSpecific)
            .FirstOrDefault();
    }

    /// <summary>The text of every file of an architecture, by the kernel file's name.</summary>
    public static Dictionary<string, string> Read(string architecture, Assembly? assembly = null)
    {
        var texts = new Dictionary<string, string>();
        foreach (string file in Files(assembly))
        {
            if (!file.EndsWith('.' + architecture, StringComparison.Ordinal)) continue;
            using var reader = new StreamReader((assembly ?? typeof(Ptx).Assembly).GetManifestResourceStream(Prefix + file + Suffix)!);
            texts[file[..^(architecture.Length + 1)]] = reader.ReadToEnd();
        }
        return texts;
    }

    /// <summary>The names of the kernels in a PTX text.</summary>
    public static IEnumerable<string> Kernels(string ptx) => Entry().Matches(ptx).Select(match => match.Groups[1].Value);

    // "convolution.sm_80" for each resource.
    private static IEnumerable<string> Files(Assembly? assembly) => (assembly ?? typeof(Ptx).Assembly).GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal))
        .Select(name => name[Prefix.Length..^Suffix.Length]);

    private static int Number(string architecture) => int.Parse(architecture.AsSpan(3).TrimEnd('a'));

    private static bool IsSpecific(string architecture) => architecture.EndsWith('a');

    [GeneratedRegex(@"\.entry\s+(\w+)")]
    private static partial Regex Entry();
}
