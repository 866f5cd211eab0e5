using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Asni.Cuda;
using Asni.Cuda.Launchers;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Tests.Cuda;

/// <summary>
/// What kernels and launchers hand each other is declared twice, in CUDA C++ and in C#. The C++ side is read from the sources and laid out by the rules of its
/// ABI; both must have the same fields, of the same kinds, at the same offsets.
/// </summary>
public partial class KernelArgumentTests
{
    /// <summary>Structs that are not called the same.</summary>
    private static readonly Dictionary<string, string> s_native = new()
    {
        ["ArenaArgs"] = "Arena",
        ["SegmentArgs"] = "Segment",
        ["ChunkArgs"] = "Chunk",
        ["RuleArgs"] = "UpdateRule",
        ["SumArgs"] = "LossSumArgs",
        ["SelectionState"] = "ThresholdState",
    };

    /// <summary>Of kernels that no launcher of the library calls: the driver fills memory, and the benchmarks measure limits.</summary>
    private static readonly string[] s_others = ["FillArgs", "LimitCopyArgs", "LimitMmaArgs", "LimitEmptyArgs", "LimitWgmmaArgs"];

    private static readonly Lazy<Dictionary<string, NativeStruct>> s_structs = new(() => NativeStruct.ReadAll(Path.Combine(ArchitectureTests.Root, "native")));

    private static IEnumerable<Type> Managed => typeof(CudaDevice).Assembly.GetTypes()
        .Where(t => t.IsValueType && (t.Name.EndsWith("Args", StringComparison.Ordinal) || s_native.ContainsKey(t.Name)))
        .Concat([typeof(SampleDraw), typeof(LossSums), typeof(SignStatistics)]).OrderBy(t => t.Name, StringComparer.Ordinal);

    [TestCaseSource(nameof(Managed))]
    public void Both_sides_have_the_same_fields(Type managed)
    {
        Assert.That(s_structs.Value, Contains.Key(NativeName(managed)));
        NativeStruct native = s_structs.Value[NativeName(managed)];
        var fields = managed.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Select(f => (Name: Plain(f.Name), Kind: KindOf(f.FieldType), Offset: (int)Marshal.OffsetOf(managed, f.Name))).OrderBy(f => f.Offset);
        Assert.That(fields, Is.EqualTo(native.Fields.Select(f => (Plain(f.Name), f.Kind, f.Offset))));
        Assert.That(Marshal.SizeOf(managed), Is.EqualTo(native.Size));
    }

    [Test]
    public void Every_kernel_s_struct_has_its_launcher_s() =>
        Assert.That(s_structs.Value.Keys.Where(name => name.EndsWith("Args", StringComparison.Ordinal)).Except(Managed.Select(NativeName)), Is.EquivalentTo(s_others));

    [Test]
    public void Activations_have_the_same_numbers()
    {
        string[] names = ActivationNames().Match(ActivationHeader).Groups["names"].Value.Split(',', StringSplitOptions.TrimEntries);
        Assert.That(names, Is.EqualTo(Enum.GetValues<Activation>().Order().Select((a, i) => (int)a == i ? NativeName(a) : "")));
    }

    /// <summary>What operations do not fuse goes to the smooth kernels, which give NaN for what they do not know.</summary>
    [TestCase("smooth_value")]
    [TestCase("smooth_slope")]
    public void Smooth_kernels_know_the_activations_that_operations_do_not_fuse(string function)
    {
        string body = Regex.Match(ActivationHeader, $@"\b{function}\b.*?^\}}", RegexOptions.Singleline | RegexOptions.Multiline).Value;
        Assert.That(Regex.Matches(body, @"case (\w+):").Select(m => m.Groups[1].Value),
            Is.EqualTo(Enum.GetValues<Activation>().Order().Where(a => !ActivationFunction.IsFused(a)).Select(NativeName)));
    }

    private static string ActivationHeader => File.ReadAllText(Path.Combine(ArchitectureTests.Root, "native", "include", "asni", "activation.h"));

    private static string NativeName(Activation activation) => $"activation_{activation.ToString().ToLowerInvariant()}";

    [Test]
    public void Layout_follows_the_alignment_of_fields()
    {
        Dictionary<string, NativeStruct> structs = NativeStruct.Parse("""
            struct Inner { int a; };
            struct alignas(16) Wide { const float* p; unsigned n, m; bool last; };  // ; not a field
            struct Outer { Inner inner; int64_t big; uint8_t* bytes; Wide wide; float f; };
            struct WithMethod { int a; int get() const { return a; } };
            """);
        Assert.That(structs.Keys, Is.EquivalentTo(new[] { "Inner", "Wide", "Outer" }));
        Assert.That(structs["Wide"].Fields.Select(f => (f.Name, f.Kind, f.Offset)), Is.EqualTo(new[] { ("p", "pointer", 0), ("n", "uint", 8), ("m", "uint", 12), ("last", "bool", 16) }));
        Assert.That(structs["Outer"].Fields.Select(f => f.Offset), Is.EqualTo(new[] { 0, 8, 16, 32, 64 }));
        Assert.That((structs["Inner"].Size, structs["Wide"].Size, structs["Outer"].Size), Is.EqualTo((4, 32, 80)));
    }

    private static string NativeName(Type managed) => s_native.GetValueOrDefault(managed.Name, managed.Name);

    /// <summary>snake_case and PascalCase alike; a record's field is called after its property.</summary>
    private static string Plain(string name) => BackingField().Replace(name, "$1").Replace("_", "").ToLowerInvariant();

    /// <summary>Pointers are ulong here: they are addresses of another memory.</summary>
    private static string KindOf(Type type) => type == typeof(ulong) ? "pointer" : type == typeof(long) ? "long" : type == typeof(int) ? "int" : type == typeof(uint) ? "uint"
        : type == typeof(float) ? "float" : type == typeof(double) ? "double" : type == typeof(bool) ? "bool" : s_native.GetValueOrDefault(type.Name, type.Name);

    [GeneratedRegex(@"enum \{(?<names>[^}]*)\}")]
    private static partial Regex ActivationNames();

    [GeneratedRegex("^<(.+)>k__BackingField$")]
    private static partial Regex BackingField();

    private sealed record NativeField(string Name, string Kind, int Offset);

    private sealed partial record NativeStruct(ImmutableArray<NativeField> Fields, int Size, int Alignment)
    {
        private static readonly Dictionary<string, (string Kind, int Size)> s_kinds = new()
        {
            ["int"] = ("int", 4),
            ["unsigned"] = ("uint", 4),
            ["uint32_t"] = ("uint", 4),
            ["float"] = ("float", 4),
            ["int64_t"] = ("long", 8),
            ["double"] = ("double", 8),
            ["bool"] = ("bool", 1),
        };

        public static Dictionary<string, NativeStruct> ReadAll(string native) => Parse(string.Join('\n',
            Directory.EnumerateFiles(Path.Combine(native, "include", "asni"), "*.h").Concat(Directory.EnumerateFiles(Path.Combine(native, "kernels"), "*.cu")).Select(File.ReadAllText)));

        /// <summary>Structs of fields alone; others are nothing that a launcher makes.</summary>
        public static Dictionary<string, NativeStruct> Parse(string text)
        {
            var structs = new Dictionary<string, NativeStruct>();
            foreach (Match match in Declaration().Matches(Comment().Replace(text, "")))
                if (Parse(match, structs) is { } made) structs[match.Groups["name"].Value] = made;
            return structs;
        }

        private static NativeStruct? Parse(Match match, Dictionary<string, NativeStruct> known)
        {
            var fields = ImmutableArray.CreateBuilder<NativeField>();
            int end = 0, alignment = match.Groups["align"].Success ? int.Parse(match.Groups["align"].Value, CultureInfo.InvariantCulture) : 1;
            foreach (string statement in match.Groups["body"].Value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                Match field = Field().Match(statement);
                if (!field.Success) return null;
                string type = field.Groups["type"].Value;
                (string Kind, int Size, int Alignment) layout;
                if (field.Groups["pointer"].Length > 0) layout = ("pointer", 8, 8);
                else if (s_kinds.TryGetValue(type, out (string Kind, int Size) kind)) layout = (kind.Kind, kind.Size, kind.Size);
                else if (known.TryGetValue(type, out NativeStruct? inner)) layout = (type, inner.Size, inner.Alignment);
                else return null;
                foreach (string name in field.Groups["names"].Value.Split(',', StringSplitOptions.TrimEntries))
                {
                    end = Aligned(end, layout.Alignment);
                    fields.Add(new NativeField(name, layout.Kind, end));
                    end += layout.Size;
                }
                alignment = Math.Max(alignment, layout.Alignment);
            }
            return new NativeStruct(fields.ToImmutable(), Aligned(end, alignment), alignment);
        }

        private static int Aligned(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

        [GeneratedRegex(@"//[^\n]*")]
        private static partial Regex Comment();

        [GeneratedRegex(@"struct\s+(alignas\((?<align>\d+)\)\s+)?(?<name>\w+)\s*\{(?<body>[^{}]*)\}\s*;")]
        private static partial Regex Declaration();

        [GeneratedRegex(@"^(const\s+)?(?<type>\w+)\s*(?<pointer>\*?)\s*(?<names>\w+(\s*,\s*\w+)*)$")]
        private static partial Regex Field();
    }
}
