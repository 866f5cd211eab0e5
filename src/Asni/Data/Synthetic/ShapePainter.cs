using System.Runtime.Intrinsics;
using Asni.Tensors;

namespace Asni.Data.Synthetic;

/// <summary>
/// Draws one textured shape at a random place, size and angle before a background of waves, in random colours, often with a bar
/// across it, and noise. As in photographs, most images of a class have its usual hue and texture, so that a network learns
/// something at once and more from the outline. The picture follows from the generator's state alone. One instance a thread.
/// </summary>
internal sealed class ShapePainter
{
    /// <summary>Colours closer than this (sum of channel differences, each 0..255) could make a shape invisible.</summary>
    private const float MinContrast = 150;

    /// <summary>Shapes lean to either side by up to this many radians: with any angle a small network would need far more images.</summary>
    private const float MaxTilt = 0.6f;

    /// <summary>Percent of the images that have the hue of their class, and of those that have its texture.</summary>
    private const int UsualHues = 85, UsualTextures = 85;

    private static readonly Vector256<float> Lanes = Vector256.Create(0f, 1, 2, 3, 4, 5, 6, 7);

    private readonly SplitMix64 _random = new(0);
    private readonly float[] _base = new float[3], _swingA = new float[3], _swingB = new float[3];
    private readonly float[] _fillA = new float[3], _fillB = new float[3], _bar = new float[3];
    private float[] _rows = [];

    /// <summary>An affine function of a pixel's place: x fx + y fy + c.</summary>
    private readonly record struct Affine(float Fx, float Fy, float C)
    {
        public Vector256<float> At(Vector256<float> x, float y) => x * Fx + Vector256.Create(y * Fy + C);
    }

    /// <summary>Draws a shape; the same (label, state, size) gives the same image.</summary>
    public void Paint(int label, ulong state, int height, int width, Span<byte> chw)
    {
        _random.State = state;
        int pitch = (width + 7) & ~7;
        if (_rows.Length < 3 * pitch) _rows = new float[3 * pitch];
        DrawColours(label);
        float unit = Math.Min(height, width), radius = unit * Uniform(0.25f, 0.45f);
        (Affine u, Affine v) = Frame(width * Uniform(0.32f, 0.68f), height * Uniform(0.32f, 0.68f), radius, Uniform(-MaxTilt, MaxTilt));
        (Affine barU, Affine barV) = Frame(width * Uniform(0.1f, 0.9f), height * Uniform(0.1f, 0.9f), unit, Uniform(0, MathF.Tau));
        float barWidth = _random.Next(100) < 35 ? Uniform(0.03f, 0.08f) : -1;
        Affine waveA = Wave(unit, 0.4f, 2), waveB = Wave(unit, 1.5f, 6);
        (int texture, float waves) = DrawTexture(label);
        (Affine fillU, Affine fillV) = Frame(0, 0, unit / waves, MathF.Tau * _random.NextSingle());
        int noise = _random.Next(40);

        for (int y = 0; y < height; y++)
        {
            for (int i = 0; i < pitch; i += 8)
            {
                Vector256<float> x = Lanes + Vector256.Create((float)i);
                Vector256<float> ink = Coverage(ShapeField.Distance(label, u.At(x, y), v.At(x, y)) * radius);
                Vector256<float> bar = barWidth < 0
                    ? Vector256<float>.Zero
                    : Coverage(ShapeField.Box(barU.At(x, y), barV.At(x, y), 2, barWidth) * unit);
                Vector256<float> fill = ShapeTexture.At(texture, fillU.At(x, y), fillV.At(x, y));
                Vector256<float> a = ShapeTexture.Wave(waveA.At(x, y)), b = ShapeTexture.Wave(waveB.At(x, y));
                for (int c = 0; c < 3; c++)
                {
                    Vector256<float> colour = Vector256.Create(_base[c]) + a * _swingA[c] + b * _swingB[c];
                    colour += ink * (Vector256.Create(_fillA[c]) + fill * (_fillB[c] - _fillA[c]) - colour);
                    colour += bar * (Vector256.Create(_bar[c]) - colour);
                    colour.CopyTo(_rows, c * pitch + i);
                }
            }
            for (int c = 0; c < 3; c++) StoreRow(_rows.AsSpan(c * pitch, width), noise, chw.Slice((c * height + y) * width, width));
        }
    }

    private void DrawColours(int label)
    {
        for (int c = 0; c < 3; c++)
        {
            _swingA[c] = Uniform(-35, 35);
            _swingB[c] = Uniform(-20, 20);
            _bar[c] = Uniform(0, 255);
        }
        float hue = _random.Next(100) < UsualHues ? (label + Uniform(-0.6f, 0.6f)) / ShapeField.Names.Length : _random.NextSingle();
        DrawFill(hue, Uniform(0.4f, 1), Uniform(0.4f, 1));
        do
        {
            for (int c = 0; c < 3; c++) _base[c] = Uniform(20, 235);
        } while (Contrast(_fillA) < MinContrast);
        for (int c = 0; c < 3; c++) _fillB[c] = Math.Clamp(_fillA[c] + Uniform(-100, 100), 0, 255);
    }

    /// <summary>Sets the shape's colour from hue (in turns), saturation and value.</summary>
    private void DrawFill(float hue, float saturation, float value)
    {
        for (int c = 0; c < 3; c++)
        {
            float turn = hue + c / 3f, fromPeak = 6 * MathF.Abs(turn - MathF.Floor(turn) - 0.5f);
            _fillA[c] = 255 * value * (1 - saturation * Math.Clamp(2 - fromPeak, 0, 1));
        }
    }

    /// <summary>A class's texture is one of the patterns, coarse for the first half of the classes and fine for the others.</summary>
    private (int Kind, float Waves) DrawTexture(int label)
    {
        (int kind, bool fine) = _random.Next(100) < UsualTextures
            ? (label % ShapeTexture.Count, label >= ShapeTexture.Count)
            : (_random.Next(ShapeTexture.Count), _random.Next(2) == 1);
        return (kind, fine ? Uniform(6, 9) : Uniform(3, 5));
    }

    private float Contrast(float[] colour) =>
        MathF.Abs(colour[0] - _base[0]) + MathF.Abs(colour[1] - _base[1]) + MathF.Abs(colour[2] - _base[2]);

    /// <summary>Coordinates with the origin at (x, y), rotated, one unit being <paramref name="scale"/> pixels.</summary>
    private static (Affine U, Affine V) Frame(float x, float y, float scale, float angle)
    {
        (float sin, float cos) = MathF.SinCos(angle);
        (sin, cos) = (sin / scale, cos / scale);
        return (new Affine(cos, sin, -x * cos - y * sin), new Affine(-sin, cos, x * sin - y * cos));
    }

    /// <summary>A plane wave's phase in turns; low..high waves across the image.</summary>
    private Affine Wave(float unit, float low, float high)
    {
        (float sin, float cos) = MathF.SinCos(MathF.Tau * _random.NextSingle());
        float frequency = Uniform(low, high) / unit;
        return new Affine(frequency * cos, frequency * sin, _random.NextSingle());
    }

    /// <summary>How much of a pixel is covered when its centre lies at this distance, in pixels, from an edge.</summary>
    private static Vector256<float> Coverage(Vector256<float> distance) =>
        Vector256.Min(Vector256.Max(Vector256.Create(0.5f) - distance, Vector256<float>.Zero), Vector256<float>.One);

    /// <summary>Rounds to bytes with uniform noise of the given full width; a random byte a pixel.</summary>
    private void StoreRow(ReadOnlySpan<float> row, int noise, Span<byte> to)
    {
        float scale = noise / 255f, offset = 0.5f - noise / 2f;
        ulong bits = 0;
        for (int x = 0; x < row.Length; x++)
        {
            if ((x & 7) == 0) bits = _random.NextUInt64();
            to[x] = (byte)Math.Clamp(row[x] + offset + scale * (int)(bits & 255), 0, 255);
            bits >>= 8;
        }
    }

    private float Uniform(float low, float high) => low + (high - low) * _random.NextSingle();
}
