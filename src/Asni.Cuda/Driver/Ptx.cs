using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Asni.Cuda.Driver;

/// <summary>The PTX embedded in an assembly, this one unless told otherwise: one file for each kernel file and architecture, "convolution.sm_80.ptx".</summary>
internal static partial class Ptx
{
    private const string Prefix = "ptx/", Suffix = ".ptx";
    private static readonly ConcurrentDictionary<string, Lazy<PtxFiles>> s_own = new();

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

    /// <summary>The kernels of an architecture. Those of this assembly are read once in a process: that takes more time than all else of opening a device.</summary>
    public static PtxFiles Read(string architecture, Assembly? assembly = null) =>
        assembly is null ? s_own.GetOrAdd(architecture, a => new(() => new PtxFiles(Texts(a, null)))).Value : new PtxFiles(Texts(architecture, assembly));

    // The text of every file of an architecture, by the kernel file's name.
    private static Dictionary<string, string> Texts(string architecture, Assembly? assembly)
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

/// <summary>The PTX texts of one architecture; none when the simulator runs without PTX.</summary>
internal sealed class PtxFiles
{
    public static readonly PtxFiles None = new(new Dictionary<string, string>());
    private readonly Lazy<string> _fingerprint;

    /// <param name="texts">By the kernel file's name.</param>
    public PtxFiles(IReadOnlyDictionary<string, string> texts)
    {
        Texts = texts;
        FileOfKernel = texts.SelectMany(text => Ptx.Kernels(text.Value), (text, kernel) => (kernel, text.Key)).ToDictionary();
        _fingerprint = new(() => Hash(texts));
    }

    /// <summary>By the kernel file's name.</summary>
    public IReadOnlyDictionary<string, string> Texts { get; }

    /// <summary>By the kernel's name.</summary>
    public IReadOnlyDictionary<string, string> FileOfKernel { get; }

    /// <summary>Tells builds of the kernels apart.</summary>
    public string Fingerprint => _fingerprint.Value;

    private static string Hash(IReadOnlyDictionary<string, string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((_, string text) in texts.OrderBy(t => t.Key, StringComparer.Ordinal)) hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 6));
    }
}
