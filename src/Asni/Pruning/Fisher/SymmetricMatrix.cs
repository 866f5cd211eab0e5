using System.Numerics;

namespace Asni.Pruning;

/// <summary>A symmetric positive definite matrix of doubles and what is computed with its Cholesky factor. The same bits on every processor: no sum is split among the lanes of a vector.</summary>
internal sealed class SymmetricMatrix
{
    /// <summary>At first A's upper triangle; then U, U' U = A.</summary>
    private readonly double[] _upper;

    private readonly int _size;
    private readonly double _smallest;

    /// <summary>A = d I + the sum of all v v'.</summary>
    /// <param name="vectors">v after v.</param>
    /// <param name="size">Of each v.</param>
    /// <param name="diagonal">d, above 0.</param>
    public SymmetricMatrix(double[] vectors, int size, double diagonal)
    {
        (_upper, _size, _smallest) = (new double[size * size], size, diagonal);
        int count = vectors.Length / size;
        for (int row = 0; row < size; row++)
        {
            AddScaled(_upper.AsSpan(row * size + row, size - row), vectors, row, size, vectors, row, size, count, 1);
            _upper[row * size + row] += diagonal;
        }
        Factor();
    }

    /// <summary>A = d I + another matrix.</summary>
    /// <param name="matrix">Row after row; no pivot is taken to be below d, so that rounding may have made it slightly indefinite.</param>
    /// <param name="diagonal">d, above 0.</param>
    public SymmetricMatrix(double[] matrix, double diagonal)
    {
        (_upper, _size, _smallest) = ([.. matrix], (int)Math.Sqrt(matrix.Length), diagonal);
        for (int row = 0; row < _size; row++) _upper[row * _size + row] += diagonal;
        Factor();
    }

    /// <summary>Replaces columns b by U'^-1 b, so that the sum of a column's squares is b' A^-1 b.</summary>
    /// <param name="columns">(size, count), row after row.</param>
    public void SolveLower(double[] columns, int count)
    {
        // So many columns at a time stay in a cache.
        const int tile = 64;
        for (int first = 0; first < count; first += tile)
        {
            int width = Math.Min(tile, count - first);
            for (int row = 0; row < _size; row++)
            {
                Span<double> result = columns.AsSpan(row * count + first, width);
                AddScaled(result, _upper, row, _size, columns, first, count, row, -1);
                double scale = 1 / _upper[row * _size + row];
                for (int i = 0; i < width; i++) result[i] *= scale;
            }
        }
    }

    /// <summary>Replaces b by A^-1 b.</summary>
    public void Solve(double[] b)
    {
        SolveLower(b, 1);
        for (int row = _size - 1; row >= 0; row--)
        {
            double sum = b[row];
            for (int i = row + 1; i < _size; i++) sum -= _upper[row * _size + i] * b[i];
            b[row] = sum / _upper[row * _size + row];
        }
    }

    private void Factor()
    {
        for (int row = 0; row < _size; row++)
        {
            Span<double> rest = _upper.AsSpan(row * _size + row, _size - row);
            AddScaled(rest, _upper, row, _size, _upper, row, _size, row, -1);
            // Of A >= d I no pivot is below d but by rounding.
            double pivot = Math.Sqrt(Math.Max(rest[0], _smallest));
            rest[0] = pivot;
            for (int i = 1; i < rest.Length; i++) rest[i] /= pivot;
        }
    }

    /// <summary>target += sign * the sum over t below count of scales[firstScale + t * scaleStride] * rows[firstRow + t * rowStride ...].</summary>
    private static void AddScaled(Span<double> target, double[] scales, int firstScale, int scaleStride, double[] rows, int firstRow, int rowStride, int count, double sign)
    {
        int t = 0;
        // Four at a time, so that the target is read and written less often.
        for (; t + 4 <= count; t += 4)
        {
            double s0 = sign * Scale(t), s1 = sign * Scale(t + 1), s2 = sign * Scale(t + 2), s3 = sign * Scale(t + 3);
            ReadOnlySpan<double> r0 = Row(t, target.Length), r1 = Row(t + 1, target.Length), r2 = Row(t + 2, target.Length), r3 = Row(t + 3, target.Length);
            int i = 0;
            for (; i + Vector<double>.Count <= target.Length; i += Vector<double>.Count)
            {
                Vector<double> sum = new Vector<double>(target[i..]) + s0 * new Vector<double>(r0[i..]) + s1 * new Vector<double>(r1[i..])
                    + s2 * new Vector<double>(r2[i..]) + s3 * new Vector<double>(r3[i..]);
                sum.CopyTo(target[i..]);
            }
            for (; i < target.Length; i++) target[i] = target[i] + s0 * r0[i] + s1 * r1[i] + s2 * r2[i] + s3 * r3[i];
        }
        for (; t < count; t++)
        {
            double s = sign * Scale(t);
            ReadOnlySpan<double> r = Row(t, target.Length);
            for (int i = 0; i < target.Length; i++) target[i] += s * r[i];
        }

        double Scale(int at) => scales[firstScale + at * scaleStride];

        ReadOnlySpan<double> Row(int at, int length) => rows.AsSpan(firstRow + at * rowStride, length);
    }
}
