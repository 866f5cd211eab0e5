using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Host.Display;

/// <summary>What a network file holds and takes, against 32-bit floats for every element.</summary>
internal static class FileInfoTable
{
    private static readonly string[] s_coded = ["tensor", "shape", "live", "sparsity", "mask", "mask bytes", "entropy", "values", "value bytes"];
    private static readonly string[] s_plain = ["tensor", "shape", "live", "sparsity", "bytes"];

    /// <summary>Many times what networks have; laying out a table of more takes longer than reading the file.</summary>
    private const int MaxRows = 2000;

    public static void Write(HostConsole console, string path)
    {
        if (NetworkFormats.Detect(path) == NetworkFormat.Asni) WriteAsni(console, path);
        else WritePlain(console, path);
    }

    private static void WriteAsni(HostConsole console, string path)
    {
        AsniContents contents = AsniFile.Describe(path);
        ConsoleTable table = console.NewTable(s_coded, 2, 3, 5, 6, 8);
        foreach (AsniTensor t in contents.Tensors.Take(MaxRows))
            table.AddRow(t.Name, t.Shape.ToString(), Format.Count(t.Live), Sparsity(t.Live, t.Shape.Elements),
                Words(t.MaskCoding), Bytes(t.MaskBytes), Bytes((long)Math.Ceiling(t.MaskEntropyBytes)),
                Words(t.ValueCoding), Bytes(t.ValueBytes));
        console.Write(table);
        WriteRest(console, contents.Tensors.Length);
        long dense = contents.Tensors.Sum(t => sizeof(float) * t.Shape.Elements);
        console.Line(contents.Header is { } h ? $"{h.Phase} of {h.Network.Name}, input {h.Network.Input}, {h.Network.Classes} classes; the checksum is correct." : "the file does not name its network; the checksum is correct.");
        long masks = contents.Tensors.Sum(t => (long)t.MaskBytes), values = contents.Tensors.Sum(t => (long)t.ValueBytes);
        long entropy = (long)contents.Tensors.Sum(t => t.MaskEntropyBytes);
        console.Line($"masks {Format.Bytes(masks)} (entropy {Format.Bytes(entropy)}), values {Format.Bytes(values)}; "
            + $"the file {Size(contents.FileBytes, dense)}.");
    }

    private static void WritePlain(HostConsole console, string path)
    {
        using NamedTensors file = NamedTensors.Open(path);
        ConsoleTable table = console.NewTable(s_plain, 2, 3, 4);
        long dense = 0;
        foreach ((string name, var dims) in file.Shapes)
        {
            long elements = dims.Aggregate(1L, (n, d) => n * d), live = file.ReadMask(name)?.Live ?? elements;
            dense += sizeof(float) * elements;
            if (table.Rows == MaxRows) continue;
            table.AddRow(name, dims.IsEmpty ? "scalar" : string.Join('x', dims), Format.Count(live),
                Sparsity(live, elements), Bytes(sizeof(float) * elements));
        }
        console.Write(table);
        WriteRest(console, file.Shapes.Count);
        if (NetworkFormats.TryReadHeader(path) is { } h) console.Line($"{h.Phase} of {h.Network.Name}, input {h.Network.Input}, {h.Network.Classes} classes.");
        console.Line($"{file.Shapes.Count} tensors; the file {Size(new FileInfo(path).Length, dense)}.");
    }

    private static void WriteRest(HostConsole console, int tensors)
    {
        if (tensors > MaxRows) console.Line($"and {Format.Count(tensors - MaxRows)} more tensors.");
    }

    private static string Size(long bytes, long dense) =>
        $"{Format.Bytes(bytes)} ({Format.Count(bytes)} bytes); dense 32-bit floats {Format.Bytes(dense)}, "
        + $"{Format.Number((double)dense / bytes, "0.0")} times as much";

    private static string Sparsity(long live, long elements) => live == elements ? "" : Format.Percent(1 - (double)live / elements);

    private static string Bytes(long n) => n == 0 ? "" : Format.Count(n);

    private static string Words(MaskCoding coding) => coding switch
    {
        MaskCoding.AllLive => "",
        MaskCoding.Bits => "bits",
        MaskCoding.LiveGaps => "gaps of live",
        _ => "gaps of pruned",
    };

    private static string Words(ValueCoding coding) => coding switch
    {
        ValueCoding.Constant => "one number",
        ValueCoding.TwoNumbers => "two numbers",
        ValueCoding.Levels => "levels",
        ValueCoding.Single => "32 bits each",
        _ => "16 bits each",
    };
}
