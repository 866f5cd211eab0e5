using System.Collections.Immutable;

namespace Asni.Tensors;

/// <summary>An immutable list of dimensions in PyTorch's order, for example [64, 3, 3, 3] for a convolution weight (OIHW).</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly ImmutableArray<int> _dims;

    public Shape(params ReadOnlySpan<int> dims)
    {
        foreach (int d in dims) ArgumentOutOfRangeException.ThrowIfLessThan(d, 1, nameof(dims));
        _dims = [.. dims];
    }

    public int Rank => _dims.IsDefault ? 0 : _dims.Length;
    public int this[int axis] => _dims[axis];
    public ImmutableArray<int> Dims => _dims.IsDefault ? [] : _dims;

    /// <summary>Number of elements; 1 for a scalar (rank 0), and the largest long where there are more than that.</summary>
    public long Elements
    {
        get
        {
            long n = 1;
            foreach (int d in Dims) n = n > long.MaxValue / d ? long.MaxValue : n * d;
            return n;
        }
    }

    public bool Equals(Shape other) => Dims.AsSpan().SequenceEqual(other.Dims.AsSpan());
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int d in Dims) hash.Add(d);
        return hash.ToHashCode();
    }

    public static bool operator ==(Shape left, Shape right) => left.Equals(right);
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    public override string ToString() => Rank == 0 ? "scalar" : string.Join('x', Dims);
}

/// <summary>The shape of one sample's activations: channels, height, width. A vector of n features is (n, 1, 1).</summary>
public readonly record struct Chw(int Channels, int Height, int Width)
{
    public int Elements => checked(Channels * Height * Width);
    public int Positions => Height * Width;
    public override string ToString() => Height == 1 && Width == 1 ? $"{Channels}" : $"{Channels}x{Height}x{Width}";
}
