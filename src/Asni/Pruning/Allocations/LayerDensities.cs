using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>How dense the weight tensors of a network shall be, each in proportion to the others.</summary>
public sealed record LayerDensities
{
    internal const string Values = "numbers from 0 to 1 with commas between them, one a layer and not all 0, or the layers.csv of a run";

    private const string Head = "layer,shape,weights,kept,";
    private readonly ImmutableArray<double> _each;

    private LayerDensities(ImmutableArray<double> each) => _each = each;

    /// <summary>Of "0.08,0.23,1", or of the path of a layers.csv, which a run leaves and which is read at once.</summary>
    /// <exception cref="FormatException">Nothing of that kind; the message says what is.</exception>
    public static LayerDensities Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        ImmutableArray<double> each = text.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) ? Read(text) : [.. text.Split(',').Select(Number)];
        return each.Any(d => d > 0) && each.All(d => d is >= 0 and <= 1) ? new LayerDensities(each) : throw new FormatException(Values);
    }

    /// <summary>The numbers, with commas between them.</summary>
    public override string ToString() => string.Join(',', _each.Select(d => d.ToString("R", CultureInfo.InvariantCulture)));

    public bool Equals(LayerDensities? other) => other is not null && _each.SequenceEqual(other._each);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    internal IAllocation Allocation => new InProportion(this);

    /// <exception cref="UsageException">The network has another number of layers.</exception>
    internal void Validate(Network network)
    {
        int layers = network.Weights.Count();
        if (layers != _each.Length) throw new UsageException($"layer-densities has {_each.Length} numbers, and {network.Name} has {layers} layers with weights.");
    }

    private static ImmutableArray<double> Read(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"{Values}, and that file cannot be read");
        }
        return lines is [var head, ..] && head.StartsWith(Head, StringComparison.Ordinal) ? [.. lines.Skip(1).Select(line => Density(line, head.Split(',').Length))] : throw new FormatException(Values);
    }

    private static double Density(string line, int columns)
    {
        string[] fields = line.Split(',');
        if (fields.Length < columns) throw new FormatException(Values);
        // Names may have commas; what follows them does not.
        ReadOnlySpan<string> numbers = fields.AsSpan(fields.Length - columns + 2);
        return Number(numbers[1]) / Number(numbers[0]);
    }

    private static double Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw new FormatException(Values);

    private sealed class InProportion(LayerDensities densities) : IAllocation
    {
        public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
        {
            long keep = Quota.At(sparsity, tensors);
            double[] each = Apportionment.Densities(keep, tensors, [.. densities._each]);
            return Apportionment.Compute(keep, tensors, [.. tensors.Select((p, i) => each[i] * p.Elements)], selection);
        }
    }
}
