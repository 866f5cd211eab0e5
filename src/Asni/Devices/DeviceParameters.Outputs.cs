using Asni.Networks;

namespace Asni.Devices;

/// <summary>Numbers of a layer's outputs (filters, neurons; of a vector, its elements).</summary>
internal abstract partial class DeviceParameters
{
    /// <summary>How many outputs these parameters have together.</summary>
    public int CountOutputs(ReadOnlySpan<int> parameters)
    {
        int count = 0;
        foreach (int p in parameters) count += Parameters[p].Filter.Out;
        return count;
    }

    /// <summary>The sum of the squares of the values that make each output.</summary>
    /// <param name="parameters">Trained ones, by ascending index.</param>
    /// <param name="sums">By parameter, then by output.</param>
    public void SumOutputSquares(ReadOnlySpan<int> parameters, Span<double> sums)
    {
        CheckOutputs(parameters, sums.Length);
        SumOutputSquaresCore(parameters, sums);
    }

    /// <inheritdoc cref="SumOutputSquares"/>
    protected abstract void SumOutputSquaresCore(ReadOnlySpan<int> parameters, Span<double> sums);

    /// <summary>y = f w + b y, where f is the factor of the output that w is of. Pruned elements stay as they are.</summary>
    /// <param name="parameters">Trained ones, by ascending index.</param>
    /// <param name="factors">By parameter, then by output.</param>
    /// <param name="y">Values or gradients.</param>
    public void CombineOutputs(ReadOnlySpan<int> parameters, ReadOnlySpan<float> factors, ParameterSlot y, float b = 0)
    {
        CheckOutputs(parameters, factors.Length);
        if (y is not (ParameterSlot.Value or ParameterSlot.Gradient)) throw new ArgumentException($"{y} is neither values nor gradients", nameof(y));
        CombineOutputsCore(parameters, factors, y, b);
    }

    /// <inheritdoc cref="CombineOutputs"/>
    protected abstract void CombineOutputsCore(ReadOnlySpan<int> parameters, ReadOnlySpan<float> factors, ParameterSlot y, float b);

    private void CheckOutputs(ReadOnlySpan<int> parameters, int numbers)
    {
        RequireTrained(parameters);
        for (int i = 1; i < parameters.Length; i++)
            if (parameters[i - 1] >= parameters[i]) throw new ArgumentException("parameters are not in ascending order", nameof(parameters));
        if (numbers != CountOutputs(parameters)) throw new ArgumentException($"{numbers} numbers for {CountOutputs(parameters)} outputs", nameof(numbers));
    }
}
