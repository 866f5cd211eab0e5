namespace Asni.Pruning;

/// <summary>
/// F = damp I + 1/m sum of g g' over m gradients g of n weights: the empirical Fisher matrix, a stand-in for the second derivatives of the loss at a minimum (Hassibi, Stork 1992;
/// Singh, Alistarh 2020, arXiv 2004.14340). F is never made where m is smaller than n: by Woodbury's identity, F^-1 = (I - G (m damp I + G' G)^-1 G') / damp with the gradients
/// as the columns of G.
/// </summary>
/// <param name="gradients">G', (m, n), row after row.</param>
/// <param name="count">m.</param>
/// <param name="damp">Above 0.</param>
internal sealed class FisherBlock(double[] gradients, int count, double damp)
{
    private readonly int _size = gradients.Length / count;

    /// <summary>The diagonal of F^-1.</summary>
    public double[] InverseDiagonal()
    {
        var diagonal = new double[_size];
        if (_size <= count)
        {
            var columns = new double[_size * _size];
            for (int i = 0; i < _size; i++) columns[i * _size + i] = 1;
            Primal(gradients, _size).SolveLower(columns, _size);
            AddSquares(columns, diagonal);
            return diagonal;
        }
        double[] scaled = [.. gradients];
        Dual(gradients, _size).SolveLower(scaled, _size);
        AddSquares(scaled, diagonal);
        double[] squares = new double[_size];
        AddSquares(gradients, squares);
        // Not below 1 / F_ii but by rounding, where gradients are large beside damp.
        for (int i = 0; i < _size; i++) diagonal[i] = Math.Max((1 - diagonal[i]) / damp, 1 / (damp + squares[i] / count));
        return diagonal;
    }

    /// <summary>
    /// What is added to the weights that stay when the others become 0, so that 1/2 dw' F dw is smallest: F_LL^-1 F_LQ w_Q, L those that stay, Q the others. Of a single q it is
    /// -w_q F^-1 e_q / [F^-1]_qq. In the order of the weights; 0 where one goes.
    /// </summary>
    public double[] Compensation(ReadOnlySpan<float> weights, ReadOnlySpan<bool> stays)
    {
        var live = new List<int>();
        var slopes = new double[count];
        for (int i = 0; i < _size; i++)
        {
            if (stays[i]) live.Add(i);
            else
                for (int k = 0; k < count; k++) slopes[k] += gradients[k * _size + i] * weights[i];
        }
        var moved = new double[_size];
        if (live.Count == 0 || live.Count == _size) return moved;
        double[] ofLive = Columns(live);
        double[] change = new double[live.Count];
        if (live.Count <= count)
        {
            Multiply(ofLive, slopes, change);
            for (int i = 0; i < change.Length; i++) change[i] /= count;
            Primal(ofLive, live.Count).Solve(change);
        }
        else
        {
            Dual(ofLive, live.Count).Solve(slopes);
            Multiply(ofLive, slopes, change);
        }
        for (int i = 0; i < change.Length; i++) moved[live[i]] = change[i];
        return moved;
    }

    /// <summary>F of some weights.</summary>
    private SymmetricMatrix Primal(double[] rows, int size)
    {
        double factor = Math.Sqrt(1.0 / count);
        return new SymmetricMatrix([.. rows.Select(g => g * factor)], size, damp);
    }

    /// <summary>m damp I + G' G of some weights.</summary>
    private SymmetricMatrix Dual(double[] rows, int size)
    {
        var columns = new double[rows.Length];
        for (int k = 0; k < count; k++)
            for (int i = 0; i < size; i++) columns[i * count + k] = rows[k * size + i];
        return new SymmetricMatrix(columns, count, count * damp);
    }

    private double[] Columns(List<int> which)
    {
        var columns = new double[count * which.Count];
        for (int k = 0; k < count; k++)
            for (int i = 0; i < which.Count; i++) columns[k * which.Count + i] = gradients[k * _size + which[i]];
        return columns;
    }

    /// <summary>result = G slopes.</summary>
    private static void Multiply(double[] rows, double[] slopes, double[] result)
    {
        for (int k = 0; k < slopes.Length; k++)
            for (int i = 0; i < result.Length; i++) result[i] += rows[k * result.Length + i] * slopes[k];
    }

    /// <summary>Adds to each sum the squares of its column.</summary>
    private static void AddSquares(double[] rows, double[] sums)
    {
        for (int at = 0; at < rows.Length; at += sums.Length)
            for (int i = 0; i < sums.Length; i++) sums[i] += rows[at + i] * rows[at + i];
    }
}
