using System.Runtime.Intrinsics;

namespace Asni.Data.Synthetic;

/// <summary>Fill patterns of `shapes`: 0 for one colour, 1 for the other, one period a unit. Eight points at a time.</summary>
internal static class ShapeTexture
{
    public const int Count = 5;

    public static Vector256<float> At(int kind, Vector256<float> u, Vector256<float> v) => kind switch
    {
        0 => Vector256<float>.Zero,
        1 => Unit(Triangle(u) * 3),
        2 => Unit(Triangle(u) * Triangle(v) * 6),
        3 => Unit((Triangle(u) + Triangle(v) - Vector256.Create(0.6f)) * 3),
        4 => Unit(Wave(u + Wave(v) * 0.3f)),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>A smooth wave of period 1 in -1..1: a triangle wave with its corners rounded by a cubic.</summary>
    public static Vector256<float> Wave(Vector256<float> turns)
    {
        Vector256<float> t = Triangle(turns);
        return t * (Vector256.Create(1.5f) - t * t * 0.5f);
    }

    private static Vector256<float> Triangle(Vector256<float> turns) =>
        Vector256.Abs(turns - Vector256.Floor(turns) - Vector256.Create(0.5f)) * 4 - Vector256<float>.One;

    /// <summary>From -1..1 to 0..1, cut off outside.</summary>
    private static Vector256<float> Unit(Vector256<float> value) =>
        Vector256.Min(Vector256.Max(value * 0.5f + Vector256.Create(0.5f), Vector256<float>.Zero), Vector256<float>.One);
}
