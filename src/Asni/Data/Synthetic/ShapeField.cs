using System.Runtime.Intrinsics;

namespace Asni.Data.Synthetic;

/// <summary>
/// The ten classes of `shapes` as distance fields in a frame where a shape is about 1 in radius: negative inside, positive outside,
/// close to the true distance near the outline. Eight points at a time.
/// </summary>
internal static class ShapeField
{
    /// <summary>Class names in label order.</summary>
    public static readonly string[] Names =
        ["circle", "square", "triangle", "star", "cross", "ring", "frame", "crescent", "half-disc", "arrow"];

    public static Vector256<float> Distance(int label, Vector256<float> u, Vector256<float> v) => label switch
    {
        0 => Length(u, v) - Broadcast(0.85f),
        1 => Box(u, v, 0.75f, 0.75f),
        2 => Triangle(u, v),
        3 => Star(u, v),
        4 => Vector256.Min(Box(u, v, 0.95f, 0.3f), Box(u, v, 0.3f, 0.95f)),
        5 => Vector256.Abs(Length(u, v) - Broadcast(0.7f)) - Broadcast(0.2f),
        6 => Vector256.Abs(Vector256.Max(Vector256.Abs(u), Vector256.Abs(v)) - Broadcast(0.62f)) - Broadcast(0.18f),
        7 => Vector256.Max(Length(u, v) - Broadcast(0.9f), Broadcast(0.75f) - Length(u - Broadcast(0.45f), v)),
        8 => Vector256.Max(Length(u, v + Broadcast(0.35f)) - Broadcast(0.95f), -v - Broadcast(0.35f)),
        9 => Arrow(u, v),
        _ => throw new ArgumentOutOfRangeException(nameof(label)),
    };

    /// <summary>Of an axis-aligned box; also used for bars in front of a shape.</summary>
    public static Vector256<float> Box(Vector256<float> u, Vector256<float> v, float halfWidth, float halfHeight) =>
        Vector256.Max(Vector256.Abs(u) - Broadcast(halfWidth), Vector256.Abs(v) - Broadcast(halfHeight));

    private static Vector256<float> Triangle(Vector256<float> u, Vector256<float> v)
    {
        Vector256<float> side = Vector256.Abs(u) * 0.8660254f - v * 0.5f;
        return Vector256.Max(side, v) - Broadcast(0.5f);
    }

    /// <summary>A pentagram: the points outside at most one of five half-planes, so the second largest of five distances counts.</summary>
    private static Vector256<float> Star(Vector256<float> u, Vector256<float> v)
    {
        Vector256<float> first = Broadcast(-10), second = Broadcast(-10);
        for (int i = 0; i < 5; i++)
        {
            (float sin, float cos) = MathF.SinCos(MathF.Tau * i / 5);
            Vector256<float> d = u * sin + v * cos;
            second = Vector256.Max(second, Vector256.Min(first, d));
            first = Vector256.Max(first, d);
        }
        return second - Broadcast(0.37f);
    }

    private static Vector256<float> Arrow(Vector256<float> u, Vector256<float> v)
    {
        Vector256<float> head = Vector256.Max(-u, (Vector256.Abs(v) + u * 0.8f - Broadcast(0.8f)) * 0.78f);
        return Vector256.Min(head, Box(u + Broadcast(0.45f), v, 0.5f, 0.24f));
    }

    private static Vector256<float> Length(Vector256<float> u, Vector256<float> v) => Vector256.Sqrt(u * u + v * v);

    private static Vector256<float> Broadcast(float value) => Vector256.Create(value);
}
