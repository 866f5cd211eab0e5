using Asni.Pruning;
using Asni.Tests.Devices;

namespace Asni.Tests.Pruning;

/// <summary>The inverse of the empirical Fisher matrix of a block, and what the weights that stay are moved by.</summary>
public class FisherBlockTests
{
    /// <summary>g = (1, 2, 0), (0, 1, -1), damp 0.5: F = ((1, 1, 0), (1, 3, -0.5), (0, -0.5, 1)).</summary>
    private static readonly double[] s_gradients = [1, 2, 0, 0, 1, -1];

    /// <param name="copies">Of the gradients, which change nothing of F: with two there are more gradients than weights.</param>
    [TestCase(1)]
    [TestCase(2)]
    public void A_block_of_three_weights_is_what_it_is_by_hand(int copies)
    {
        var block = new FisherBlock([.. Enumerable.Repeat(s_gradients, copies).SelectMany(g => g)], 2 * copies, 0.5);
        Assert.That(block.InverseDiagonal(), Is.EqualTo((double[])[2.75 / 1.75, 1 / 1.75, 2 / 1.75]).Within(1e-12));
        // F_LL^-1 F_LQ w_Q = ((3, -0.5), (-0.5, 1))^-1 (1, 0) 0.6.
        Assert.That(block.Compensation([0.6f, -0.5f, 1], [false, true, true]), Is.EqualTo((double[])[0, 0.6 / 2.75, 0.3 / 2.75]).Within(1e-7));
        // The one that stays makes up for both: (1 * 0.6 - 0.5 * 1) / 3.
        Assert.That(block.Compensation([0.6f, -0.5f, 1], [false, true, false]), Is.EqualTo((double[])[0, 0.1 / 3, 0]).Within(1e-7));
        Assert.That(block.Compensation([0.6f, -0.5f, 1], [true, true, true]), Is.All.Zero);
        Assert.That(block.Compensation([0.6f, -0.5f, 1], [false, false, false]), Is.All.Zero);
    }

    [TestCase(1, 1, 0.1)]
    [TestCase(7, 130, 1e-3)]
    [TestCase(64, 65, 1e-5)]
    [TestCase(65, 64, 1e-5)]
    [TestCase(200, 9, 1e-7)]
    [TestCase(3, 1, 10)]
    public void It_is_the_inverse_and_the_minimum_at_any_size(int count, int size, double damp)
    {
        double[] g = [.. Values.Random(3, (long)count * size, 0.3f).Select(v => (double)v)];
        var block = new FisherBlock(g, count, damp);
        double[,] fisher = Fisher(g, count, size, damp);
        double[] expected = [.. Enumerable.Range(0, size).Select(i => Inverse(fisher)[i, i])];
        foreach ((double a, double b) in block.InverseDiagonal().Zip(expected)) Assert.That(a, Is.EqualTo(b).Within(1e-7 * Math.Abs(b)));

        float[] w = Values.Random(4, size);
        bool[] stays = [.. Values.Random(5, size).Select(v => v > 0.2f)];
        double[] moved = block.Compensation(w, stays);
        // At the smallest 1/2 dw' F dw, with dw = -w where weights go, nothing is gained by moving any of the others.
        double[] change = [.. moved.Select((m, i) => stays[i] ? m : -w[i])];
        double scale = Enumerable.Range(0, size).Max(i => Enumerable.Range(0, size).Sum(k => Math.Abs(fisher[i, k] * change[k])));
        for (int i = 0; i < size; i++)
        {
            if (stays[i]) Assert.That(Enumerable.Range(0, size).Sum(k => fisher[i, k] * change[k]), Is.Zero.Within(1e-9 * scale));
            else Assert.That(moved[i], Is.Zero);
        }
    }

    /// <summary>Of a single weight the paper's own formula: -w_q F^-1 e_q / [F^-1]_qq.</summary>
    [Test]
    public void For_one_weight_the_others_move_as_in_the_paper()
    {
        double[] g = [.. Values.Random(6, 4 * 11).Select(v => (double)v)];
        float[] w = Values.Random(7, 11);
        double[,] inverse = Inverse(Fisher(g, 4, 11, 0.01));
        double[] moved = new FisherBlock(g, 4, 0.01).Compensation(w, [.. Enumerable.Range(0, 11).Select(i => i != 5)]);
        for (int i = 0; i < 11; i++) Assert.That(moved[i], Is.EqualTo(i == 5 ? 0 : -w[5] * inverse[i, 5] / inverse[5, 5]).Within(1e-9));
    }

    /// <summary>Gradients so large beside damp that F^-1 has no digit left in double precision: finite, and not negative.</summary>
    [TestCase(3, 40)]
    [TestCase(40, 40)]
    public void Hopeless_numbers_stay_finite(int count, int size)
    {
        double[] g = [.. Enumerable.Repeat(1e9, count * size)];
        var block = new FisherBlock(g, count, 1e-30);
        Assert.That(block.InverseDiagonal(), Is.All.Positive.And.All.LessThan(double.PositiveInfinity));
        Assert.That(block.Compensation(Values.Random(1, size), [.. Enumerable.Range(0, size).Select(i => i % 2 == 0)]), Is.All.Matches<double>(double.IsFinite));
    }

    private static double[,] Fisher(double[] g, int count, int size, double damp)
    {
        var fisher = new double[size, size];
        for (int i = 0; i < size; i++)
        {
            fisher[i, i] = damp;
            for (int j = 0; j < size; j++)
                for (int k = 0; k < count; k++) fisher[i, j] += g[k * size + i] * g[k * size + j] / count;
        }
        return fisher;
    }

    /// <summary>Gauss and Jordan's, with pivots in order, as the matrix is positive definite.</summary>
    private static double[,] Inverse(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        var a = (double[,])matrix.Clone();
        var b = new double[n, n];
        for (int i = 0; i < n; i++) b[i, i] = 1;
        for (int p = 0; p < n; p++)
        {
            double pivot = a[p, p];
            for (int j = 0; j < n; j++) (a[p, j], b[p, j]) = (a[p, j] / pivot, b[p, j] / pivot);
            for (int i = 0; i < n; i++)
            {
                double factor = i == p ? 0 : a[i, p];
                for (int j = 0; j < n; j++) (a[i, j], b[i, j]) = (a[i, j] - factor * a[p, j], b[i, j] - factor * b[p, j]);
            }
        }
        return b;
    }
}
