using System.Reflection;
using System.Runtime.CompilerServices;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Host;

namespace Asni.Tests;

/// <summary>Reads the types of the program: what they are called, and what they keep for the whole process.</summary>
public class TypeTests
{
    private const BindingFlags Statics = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly Assembly[] s_assemblies = [typeof(Device).Assembly, typeof(CpuDevice).Assembly, typeof(CudaDevice).Assembly, typeof(Entry).Assembly];

    /// <summary>Counters, and what is done once under a lock: neither changes what other code does.</summary>
    private static readonly string[] s_counters = ["CpuBuffer.s_changes", "CpuBuffer.s_live", "NativeLibraries.s_registered"];

    private static class Sample
    {
        public const int Constant = 1;
        public static readonly int ReadOnly = 1;
        public static int Fixed { get; } = 1;
        public static int Hook { get; set; }

        [ThreadStatic]
        private static int t_own;

        private static int s_shared = 1;

        public static int Own { get => t_own; set => t_own = value; }
        public static int Changed() => ++s_shared;
    }

    private static class First
    {
        public sealed class Twice<T>;
        private sealed class Inner;
    }

    private static class Second
    {
        internal sealed class Twice;
        private sealed class Inner;
    }

    /// <summary>A test that sets something for the whole process keeps all others from running beside it.</summary>
    [Test]
    public void Nothing_mutable_is_shared_by_the_process() =>
        Assert.That(s_assemblies.SelectMany(a => a.GetTypes()).SelectMany(Shared).Order(StringComparer.Ordinal), Is.EqualTo(s_counters));

    [Test]
    public void The_reader_of_statics_sees_fields_and_properties() =>
        Assert.That(Shared(typeof(Sample)), Is.EquivalentTo(new[] { "Sample.<Hook>k__BackingField", "Sample.s_shared" }));

    [Test]
    public void No_two_types_share_a_name() => Assert.That(SharedNames(s_assemblies.SelectMany(a => a.GetTypes())), Is.Empty);

    [Test]
    public void The_reader_of_names_ignores_type_parameters_and_private_types() =>
        Assert.That(SharedNames(typeof(First).GetNestedTypes(BindingFlags.Public | BindingFlags.NonPublic).Concat(typeof(Second).GetNestedTypes(BindingFlags.NonPublic))),
            Is.EqualTo(new[] { "Twice: Asni.Tests.TypeTests+First+Twice`1, Asni.Tests.TypeTests+Second+Twice" }));

    private static IEnumerable<string> Shared(Type type) =>
        IsMadeByCompiler(type) ? [] : type.GetFields(Statics).Where(f => !f.IsInitOnly && !f.IsLiteral && f.GetCustomAttribute<ThreadStaticAttribute>() is null).Select(f => $"{type.Name}.{f.Name}");

    /// <summary>Generic or not; private types inside others are those types' own affair.</summary>
    private static IEnumerable<string> SharedNames(IEnumerable<Type> types) =>
        from type in types
        where !type.IsNestedPrivate && !IsMadeByCompiler(type)
        group type.FullName by type.Name.Split('`')[0] into names
        where names.Count() > 1
        select $"{names.Key}: {string.Join(", ", names.Order(StringComparer.Ordinal))}";

    private static bool IsMadeByCompiler(Type type) =>
        type.Name.Contains('<') || type.GetCustomAttribute<CompilerGeneratedAttribute>() is not null || (type.DeclaringType is { } outer && IsMadeByCompiler(outer))
        || type.Namespace?.StartsWith("Asni", StringComparison.Ordinal) != true;
}
