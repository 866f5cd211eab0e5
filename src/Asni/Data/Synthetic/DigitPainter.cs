using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Asni.Tensors;

namespace Asni.Data.Synthetic;

/// <summary>
/// Draws 28x28 grey digits as a pen would: a style's strokes with shaken control points, bent by a smooth random field, rotated,
/// sheared, scaled and shifted, stroked with a varying radius, softened, with noise and sometimes stray strokes or a gap.
/// The picture follows from the generator's state alone. One instance a thread.
/// </summary>
internal sealed class DigitPainter
{
    public const int Size = 28;

    /// <summary>Row length of the field, a whole number of vectors.</summary>
    private const int Pitch = 32;

    /// <summary>Straight pieces between two control points of a smooth stroke.</summary>
    private const int PiecesPerSpan = 4;

    private static readonly Vector256<float> Lanes = Vector256.Create(0f, 1, 2, 3, 4, 5, 6, 7);

    private readonly SplitMix64 _random = new(0);

    /// <summary>Per pixel, how far inside the ink it lies, in pixels (negative outside).</summary>
    private readonly float[] _depth = new float[Size * Pitch];

    private readonly float[] _controlX = new float[16], _controlY = new float[16];
    private Warp _warp;

    /// <summary>Draws a digit; the same (label, state) gives the same image.</summary>
    public void Paint(int label, ulong state, Span<byte> pixels)
    {
        _random.State = state;
        Array.Fill(_depth, -Pitch);
        _warp = Warp.Draw(_random);
        float radius = Uniform(0.75f, 1.75f);
        Stroke[][] styles = DigitGlyphs.Styles[label];
        float shake = Uniform(0.3f, 0.95f);
        foreach (Stroke stroke in styles[_random.Next(styles.Length)]) PaintStroke(stroke, shake, radius);
        if (_random.Next(100) < 12) PaintClutter();
        Develop(pixels);
    }

    private void PaintStroke(Stroke stroke, float shake, float radius)
    {
        int count = stroke.X.Length;
        for (int i = 0; i < count; i++)
        {
            _controlX[i] = stroke.X[i] + shake * Normal();
            _controlY[i] = stroke.Y[i] + shake * Normal();
        }
        // Pressure swells and fades along the stroke.
        float swing = Uniform(0, 0.35f), phase = Uniform(0, MathF.Tau), pace = Uniform(0.2f, 0.8f);
        int pieces = stroke.Smooth ? PiecesPerSpan : 3;
        int gap = _random.Next(100) < 6 ? _random.Next(count * pieces) : int.MinValue;
        (float x0, float y0) = _warp.Apply(_controlX[0], _controlY[0]);
        float r0 = radius;
        for (int step = 1; step <= (count - 1) * pieces; step++)
        {
            int span = (step - 1) / pieces;
            float t = (step - span * pieces) / (float)pieces;
            (float x1, float y1) = _warp.Apply(
                Between(_controlX, count, span, t, stroke.Smooth), Between(_controlY, count, span, t, stroke.Smooth));
            float r1 = radius * (1 + swing * MathF.Sin(phase + pace * step));
            if (step != gap) PaintSegment(x0, y0, r0, x1, y1, r1);
            (x0, y0, r0) = (x1, y1, r1);
        }
    }

    /// <summary>Position at t of span i: linear, or the uniform Catmull-Rom spline with doubled end points.</summary>
    private static float Between(float[] p, int count, int i, float t, bool smooth)
    {
        float b = p[i], c = p[i + 1];
        if (!smooth) return b + t * (c - b);
        float a = p[Math.Max(i - 1, 0)], d = p[Math.Min(i + 2, count - 1)];
        return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    }

    private void PaintClutter()
    {
        for (int n = 1 + _random.Next(2); n > 0; n--)
        {
            float x = Uniform(1, Size - 2), y = Uniform(1, Size - 2), length = Uniform(0, 6), radius = Uniform(0.4f, 1.1f);
            (float sin, float cos) = MathF.SinCos(Uniform(0, MathF.Tau));
            PaintSegment(x, y, radius, x + length * cos, y + length * sin, radius);
        }
    }

    /// <summary>Raises the depth of the pixels near a segment whose radius runs from ra to rb.</summary>
    private void PaintSegment(float ax, float ay, float ra, float bx, float by, float rb)
    {
        float reach = MathF.Max(ra, rb) + 2;
        int top = Math.Max(0, (int)MathF.Floor(MathF.Min(ay, by) - reach));
        int bottom = Math.Min(Size - 1, (int)MathF.Ceiling(MathF.Max(ay, by) + reach));
        int left = Math.Max(0, (int)MathF.Floor(MathF.Min(ax, bx) - reach)) & ~7;
        int right = Math.Min(Size - 1, (int)MathF.Ceiling(MathF.Max(ax, bx) + reach));
        float dx = bx - ax, dy = by - ay;
        float inverse = 1 / MathF.Max(dx * dx + dy * dy, 1e-6f);
        for (int y = top; y <= bottom; y++)
        {
            float py = y - ay;
            Span<Vector256<float>> row = MemoryMarshal.Cast<float, Vector256<float>>(_depth.AsSpan(y * Pitch, Pitch));
            for (int x = left; x <= right; x += 8)
            {
                Vector256<float> px = Lanes + Vector256.Create(x - ax);
                Vector256<float> along = (px * dx + Vector256.Create(py * dy)) * inverse;
                along = Vector256.Min(Vector256.Max(along, Vector256<float>.Zero), Vector256<float>.One);
                Vector256<float> ex = px - along * dx, ey = Vector256.Create(py) - along * dy;
                Vector256<float> depth = Vector256.Create(ra) + along * (rb - ra) - Vector256.Sqrt(ex * ex + ey * ey);
                row[x / 8] = Vector256.Max(row[x / 8], depth);
            }
        }
    }

    /// <summary>From depth to grey: a soft edge, the ink's darkness, and noise on top.</summary>
    private void Develop(Span<byte> pixels)
    {
        float softness = 1 / Uniform(0.9f, 2.2f), ink = Uniform(170, 255);
        int noise = _random.Next(100) < 50 ? _random.Next(40) : 0;
        ulong bits = 0;
        for (int y = 0, i = 0; y < Size; y++)
            for (int x = 0; x < Size; x++, i++)
            {
                float value = ink * Math.Clamp(_depth[y * Pitch + x] * softness + 0.5f, 0, 1);
                if (noise > 0)
                {
                    // Two random bytes make a triangular distribution around 0.
                    if ((i & 3) == 0) bits = _random.NextUInt64();
                    value += ((int)(bits & 255) + (int)(bits >> 8 & 255) - 255) * noise * (1 / 255f);
                    bits >>= 16;
                }
                pixels[i] = (byte)Math.Clamp(value + 0.5f, 0, 255);
            }
    }

    private float Uniform(float low, float high) => low + (high - low) * _random.NextSingle();

    private float Normal() => (float)_random.NextNormal();

    /// <summary>From the glyph's box to pixels: an affine map, then a smooth bend of two waves an axis.</summary>
    private struct Warp
    {
        private float _xx, _xy, _yx, _yy, _x, _y;
        private Wave _bendX, _bendY;

        public static Warp Draw(SplitMix64 random)
        {
            float Uniform(float low, float high) => low + (high - low) * random.NextSingle();
            (float sin, float cos) = MathF.SinCos(0.18f * (float)random.NextNormal());
            float scale = Uniform(0.78f, 1.1f), width = scale * Uniform(0.75f, 1.2f), shear = 0.2f * (float)random.NextNormal();
            return new Warp
            {
                _xx = width * cos,
                _xy = scale * (shear * cos - sin),
                _yx = width * sin,
                _yy = scale * (shear * sin + cos),
                _x = (Size - 1) / 2f + Uniform(-2.5f, 2.5f),
                _y = (Size - 1) / 2f + Uniform(-2.5f, 2.5f),
                _bendX = Wave.Draw(random),
                _bendY = Wave.Draw(random),
            };
        }

        public readonly (float X, float Y) Apply(float x, float y)
        {
            x -= DigitGlyphs.CenterX;
            y -= DigitGlyphs.CenterY;
            (x, y) = (_x + _xx * x + _xy * y, _y + _yx * x + _yy * y);
            return (x + _bendX.At(x, y), y + _bendY.At(x, y));
        }
    }

    /// <summary>A plane wave in pixels, of a length between half the image and twice it.</summary>
    private struct Wave
    {
        private float _fx, _fy, _phase, _amplitude;

        public static Wave Draw(SplitMix64 random)
        {
            (float sin, float cos) = MathF.SinCos(MathF.Tau * random.NextSingle());
            float frequency = MathF.Tau / (14 + 42 * random.NextSingle());
            return new Wave
            {
                _fx = frequency * cos,
                _fy = frequency * sin,
                _phase = MathF.Tau * random.NextSingle(),
                _amplitude = 1.6f * random.NextSingle(),
            };
        }

        public readonly float At(float x, float y) => _amplitude * MathF.Sin(_fx * x + _fy * y + _phase);
    }
}
