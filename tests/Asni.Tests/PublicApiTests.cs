using System.Reflection;
using System.Text;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;

namespace Asni.Tests;

/// <summary>
/// The libraries' public types and members against approved lists, so that a change is seen. ASNI_APPROVE=1 in the environment writes the
/// lists anew.
/// </summary>
public class PublicApiTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [TestCase(typeof(Device), "Asni")]
    [TestCase(typeof(CpuDevice), "Asni.Cpu")]
    [TestCase(typeof(CudaDevice), "Asni.Cuda")]
    public void What_applications_see_is_what_was_approved(Type one, string name)
    {
        string path = Path.Combine(ArchitectureTests.Root, "tests", "Asni.Tests", "PublicApi", name + ".txt");
        string[] now = Lines(one.Assembly);
        if (Environment.GetEnvironmentVariable("ASNI_APPROVE") == "1") File.WriteAllLines(path, now);
        string[] approved = File.ReadAllLines(path);
        string changes = string.Concat(approved.Except(now).Select(l => $"\n- {l}").Concat(now.Except(approved).Select(l => $"\n+ {l}")));
        Assert.That(changes, Is.Empty, "the public API changed; if that is meant, run this test with ASNI_APPROVE=1 and commit the list");
    }

    private static string[] Lines(Assembly assembly)
    {
        var lines = new List<string>();
        foreach (Type type in assembly.GetExportedTypes())
        {
            lines.Add($"{Kind(type)} {Name(type)}{Bases(type)}");
            lines.AddRange(type.GetMembers(Declared).Select(m => Describe(type, m)).OfType<string>().Select(m => $"{Name(type)}: {m}"));
        }
        return [.. lines.Order(StringComparer.Ordinal)];
    }

    private static string Kind(Type type) =>
        type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsSubclassOf(typeof(Delegate)) ? "delegate"
        : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";

    private static string Bases(Type type)
    {
        if (type.IsEnum || type.BaseType is not { } parent || parent == typeof(object) || parent == typeof(ValueType)) return "";
        return " : " + Name(parent);
    }

    /// <summary>Null for what applications do not see, and for what a compiler makes of a record.</summary>
    private static string? Describe(Type type, MemberInfo member) => member switch
    {
        FieldInfo f when type.IsEnum => f.IsLiteral ? $"{f.Name} = {Convert.ToInt64(f.GetRawConstantValue(), null)}" : null,
        FieldInfo f => Seen(f.IsPublic, f.IsFamily || f.IsFamilyOrAssembly) is { } a ? $"{a}{Static(f.IsStatic)}field {Name(f.FieldType)} {f.Name}" : null,
        PropertyInfo { Name: "EqualityContract" } => null,
        PropertyInfo p => Property(p),
        ConstructorInfo c => Seen(c.IsPublic, c.IsFamily || c.IsFamilyOrAssembly) is { } a && !IsCopy(type, c) ? $"{a}new({Parameters(c)})" : null,
        MethodInfo m => Method(m),
        EventInfo e => $"event {Name(e.EventHandlerType!)} {e.Name}",
        _ => null,
    };

    private static string? Property(PropertyInfo p)
    {
        MethodInfo? get = p.GetMethod, set = p.SetMethod;
        MethodInfo one = get ?? set!;
        if (Seen(one.IsPublic, one.IsFamily || one.IsFamilyOrAssembly) is not { } access) return null;
        string setter = set is null || !(set.IsPublic || set.IsFamily) ? ""
            : set.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? " init;" : " set;";
        return $"{access}{Static(one.IsStatic)}{Virtual(one)}{Name(p.PropertyType)} {p.Name} {{{(get is null ? "" : " get;")}{setter} }}";
    }

    private static string? Method(MethodInfo m)
    {
        if (m.IsSpecialName && !m.Name.StartsWith("op_", StringComparison.Ordinal)) return null;
        if (m.Name is "Equals" or "GetHashCode" or "ToString" or "PrintMembers" or "Deconstruct" or "<Clone>$" or "op_Equality" or "op_Inequality") return null;
        if (Seen(m.IsPublic, m.IsFamily || m.IsFamilyOrAssembly) is not { } access) return null;
        string generic = m.IsGenericMethodDefinition ? $"<{string.Join(", ", m.GetGenericArguments().Select(a => a.Name))}>" : "";
        return $"{access}{Static(m.IsStatic)}{Virtual(m)}{Name(m.ReturnType)} {m.Name}{generic}({Parameters(m)})";
    }

    private static bool IsCopy(Type type, ConstructorInfo c) => c.GetParameters() is [{ } only] && only.ParameterType == type && !c.IsPublic;
    private static string? Seen(bool isPublic, bool isProtected) => isPublic ? "" : isProtected ? "protected " : null;
    private static string Static(bool isStatic) => isStatic ? "static " : "";
    private static string Virtual(MethodInfo m) => m.IsAbstract ? "abstract " : m.IsVirtual && !m.IsFinal && m.GetBaseDefinition() == m ? "virtual " : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        $"{(p.ParameterType.IsByRef ? p.IsOut ? "out " : p.IsIn ? "in " : "ref " : "")}{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? " = " + Default(p) : "")}"));

    private static string Default(ParameterInfo p) => p.DefaultValue switch
    {
        null => p.ParameterType.IsValueType ? "default" : "null",
        string s => $"\"{s}\"",
        IFormattable f => f.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
        { } other => other.ToString()!,
    };

    private static string Name(Type type)
    {
        if (type.IsByRef) return Name(type.GetElementType()!);
        if (type.IsArray) return Name(type.GetElementType()!) + "[]";
        if (type.IsPointer) return Name(type.GetElementType()!) + "*";
        if (type.IsGenericParameter) return type.Name;
        var text = new StringBuilder(type.Namespace is { } space && space.StartsWith("Asni", StringComparison.Ordinal) && !type.IsNested ? space + "." : "");
        if (type.IsNested) text.Append(Name(type.DeclaringType!)).Append('.');
        text.Append(type.Name.Split('`')[0]);
        if (type.IsGenericType) text.Append('<').AppendJoin(", ", type.GetGenericArguments().Select(Name)).Append('>');
        return text.ToString();
    }
}
