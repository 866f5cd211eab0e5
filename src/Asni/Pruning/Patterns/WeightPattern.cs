using System.Collections.Immutable;
using System.Globalization;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Where the weights that stay may lie: anywhere, N of each M along a layer's inputs, or in whole blocks.</summary>
public abstract record WeightPattern
{
    internal const string Values = "weight, N:M with N from 1 to M, such as 2:4, or blockRxC, such as block4x1";

    private const string BlockName = "block";

    internal WeightPattern() { }

    /// <summary>Each weight by itself.</summary>
    public static WeightPattern Weight { get; } = new SingleWeights();

    /// <summary>Of "weight", "2:4" or "block4x1".</summary>
    /// <exception cref="FormatException">Nothing of that kind; the message says what is.</exception>
    public static WeightPattern Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == Weight.ToString()) return Weight;
        if (text.StartsWith(BlockName, StringComparison.Ordinal))
        {
            if (Pair(text[BlockName.Length..], 'x') is ( > 0 and var outputs, > 0 and var inputs)) return new BlockPattern(outputs, inputs);
        }
        else if (Pair(text, ':') is ( > 0 and var kept, var of) && kept <= of)
        {
            return new GroupPattern(kept, of);
        }
        throw new FormatException(Values);
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public abstract override string ToString();

    /// <summary>The sparsity follows from the pattern, and with it how many weights each layer keeps.</summary>
    internal virtual bool HasSparsity => false;

    /// <summary>The final sparsity of the weights that the pattern is applied to, where another is asked for.</summary>
    internal virtual double Target(double asked) => asked;

    /// <summary>The sparsity of a whole network when <see cref="Target"/> is pruned to.</summary>
    internal virtual double Reached(double sparsity, Network network) => sparsity;

    /// <summary>The pattern's own, which takes the place of any other; null: it has none.</summary>
    internal virtual IAllocation? Allocation => null;

    internal virtual Selection Select(DeviceParameters parameters, Ranking ranking) => new(parameters, ranking);

    /// <summary>What there is to say of layers that it is not applied to; null for nothing.</summary>
    internal virtual string? Remark(ImmutableArray<Parameter> tensors) => null;

    /// <summary>Checks what it goes with.</summary>
    /// <exception cref="UsageException">It does not go with these.</exception>
    internal virtual void Validate(PruningParts parts) { }

    /// <exception cref="UsageException">The network has no layer for it.</exception>
    internal virtual void Validate(Network network) { }

    /// <summary>Two numbers; zeros for anything else.</summary>
    private static (int First, int Second) Pair(string text, char separator) =>
        text.Split(separator) is [var a, var b] && int.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            && int.TryParse(b, NumberStyles.None, CultureInfo.InvariantCulture, out int second) ? (first, second) : (0, 0);

    private sealed record SingleWeights : WeightPattern
    {
        public override string ToString() => "weight";
    }
}
