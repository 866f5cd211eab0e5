using System.Collections.Immutable;
using System.Numerics;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Devices;

/// <summary>What is stored for a parameter. Running statistics have values only.</summary>
internal enum ParameterSlot
{
    Value,
    Gradient,
    /// <summary>SGD: momentum buffer. Adam: first moment.</summary>
    State0,
    /// <summary>Adam: second moment.</summary>
    State1,
    /// <summary>What elements are ranked by when their magnitude is not what counts. Has memory from its first use on, 0 before; masks leave it as it is.</summary>
    Score,
    /// <summary>Weights from which the values of a forward pass were made. This slot and those below have memory from their first use on, 0 before; masks leave them as they are.</summary>
    Master,
    /// <summary>A number beside each weight that is trained too.</summary>
    Gate,
    GateGradient,
    /// <summary>As <see cref="State0"/>, of the gate.</summary>
    GateState0,
    /// <summary>As <see cref="State1"/>, of the gate.</summary>
    GateState1,
    /// <summary>Sums of the gradients of 1, 2, 4 ... 32 lanes of a step, and of what their running statistics became.</summary>
    Lanes1,
    Lanes2,
    Lanes4,
    Lanes8,
    Lanes16,
    Lanes32,
}

internal static class ParameterSlotExtensions
{
    /// <summary>Pruned elements are +0 in it.</summary>
    public static bool FollowsMask(this ParameterSlot slot) => slot is ParameterSlot.Value or ParameterSlot.State0 or ParameterSlot.State1;
}

/// <summary>What elements are ranked by. The largest stay.</summary>
internal enum Ranking
{
    /// <summary>|w|.</summary>
    Magnitude,
    /// <summary><see cref="ParameterSlot.Score"/> with its sign; -0 and +0 are equal.</summary>
    Score,
    /// <summary>|g| of the last backward pass. Of pruned elements that pass must have been dense.</summary>
    Gradient,
}

internal static class RankingExtensions
{
    /// <summary>Where the numbers are that elements are ranked by.</summary>
    public static ParameterSlot Slot(this Ranking ranking) => ranking switch
    {
        Ranking.Magnitude => ParameterSlot.Value,
        Ranking.Score => ParameterSlot.Score,
        Ranking.Gradient => ParameterSlot.Gradient,
        _ => throw new ArgumentOutOfRangeException(nameof(ranking), ranking, null),
    };

    /// <summary>Whether the sign of the numbers counts.</summary>
    public static bool IsSigned(this Ranking ranking) => ranking == Ranking.Score;
}

/// <summary>A function of one element: of the number x in some slot and, in products, of the value w.</summary>
internal enum ElementFunction
{
    /// <summary>x.</summary>
    Identity,
    /// <summary>|x|.</summary>
    Absolute,
    /// <summary>x^2.</summary>
    Square,
    /// <summary>w x.</summary>
    Product,
    /// <summary>|w x|.</summary>
    AbsoluteProduct,
    /// <summary>(w x)^2.</summary>
    SquaredProduct,
    /// <summary>w max(0, 1 - |x|).</summary>
    Insensitive,
}

internal enum UpdateKind { Sgd, Adam }

/// <summary>One optimizer step, with PyTorch's meaning of every number (torch.optim.SGD with dampening 0; torch.optim.Adam).</summary>
/// <param name="Step">1 for the first step (Adam's bias correction).</param>
/// <param name="DecayVectors">Whether weight decay also applies to biases and batch-norm parameters (PyTorch's default: yes).</param>
internal readonly record struct UpdateRule(UpdateKind Kind, float LearningRate, float WeightDecay, bool DecayVectors, float Momentum, bool Nesterov,
    float Beta1, float Beta2, float Epsilon, long Step);

/// <summary>
/// A cut that keeps exactly K elements: those that rank above <paramref name="Value"/>, and of those equal to it the
/// first <paramref name="KeepEqual"/> by (parameter index, PyTorch element index).
/// </summary>
/// <param name="Value">A magnitude, or a score.</param>
internal readonly record struct Threshold(float Value, long KeepEqual, Ranking Ranking = Ranking.Magnitude);

/// <summary>Sums and counts of one parameter's live elements by the sign of their difference from a pivot; elements equal to it belong to neither.</summary>
internal readonly record struct SignStatistics(double SumAbove, long CountAbove, double SumBelow, long CountBelow)
{
    /// <summary>Mean of the elements above, null when there are none.</summary>
    public float? MeanAbove => CountAbove == 0 ? null : (float)(SumAbove / CountAbove);
    public float? MeanBelow => CountBelow == 0 ? null : (float)(SumBelow / CountBelow);
}

/// <summary>
/// All parameters of a network on a device: values, gradients, optimizer state, masks; and the operations over many of them at once.
/// Parameters are named by <see cref="Parameter.Index"/>. Host data is always in PyTorch's element order.
/// A mask may grow as well as shrink, and has a version: whoever derives something from it looks whether the version has moved.
/// </summary>
internal abstract partial class DeviceParameters(ImmutableArray<Parameter> parameters) : IDisposable
{
    private readonly int[] _maskVersions = new int[parameters.Length];

    public ImmutableArray<Parameter> Parameters { get; } = parameters;

    /// <summary>Moves whenever a mask may have changed.</summary>
    public int MasksVersion { get; private set; }

    /// <summary>Moves whenever the parameter's mask may have changed.</summary>
    public int MaskVersion(int parameter) => _maskVersions[parameter];

    public abstract ParameterTensor Value(int parameter);
    public abstract ParameterTensor Gradient(int parameter);

    public abstract void Upload(int parameter, ParameterSlot slot, ReadOnlySpan<float> values);
    public abstract void Download(int parameter, ParameterSlot slot, Span<float> values);

    /// <summary>A slot's numbers of the live elements, in the order of the elements.</summary>
    public float[] DownloadLive(int parameter, ParameterSlot slot)
    {
        var numbers = new float[Parameters[parameter].Elements];
        Download(parameter, slot, numbers);
        if (KnownMask(parameter) is not { } mask) return numbers;
        int live = 0;
        for (int i = 0; i < mask.Words.Length; i++)
            for (ulong word = mask.Words[i]; word != 0; word &= word - 1) numbers[live++] = numbers[i * 64 + BitOperations.TrailingZeroCount(word)];
        return numbers[..live];
    }

    /// <summary>Sets or (null) removes a mask. Values and optimizer state of pruned elements become +0 at once; elements that live again start from +0.</summary>
    /// <exception cref="ArgumentException">The mask has another length than the parameter.</exception>
    public void SetMask(int parameter, Mask? mask)
    {
        Parameter p = Parameters[parameter];
        if (mask is not null && mask.Length != p.Elements) throw new ArgumentException($"{p.Name} has {p.Elements} elements, its mask {mask.Length}", nameof(mask));
        MasksMove([parameter]);
        SetMaskCore(parameter, mask);
    }

    /// <inheritdoc cref="SetMask"/>
    protected abstract void SetMaskCore(int parameter, Mask? mask);

    /// <summary>A copy of the mask, null when all elements live.</summary>
    public abstract Mask? GetMask(int parameter);

    /// <summary>Number of live elements.</summary>
    public abstract long Live(int parameter);

    /// <summary>
    /// Updates every trained parameter from its gradient. A pruned element and its state are bitwise +0 afterwards, whatever its gradient.
    /// </summary>
    public abstract void Update(in UpdateRule rule);

    /// <summary>Zeroes the optimizer state of all parameters.</summary>
    public abstract void ResetState();

    /// <summary>
    /// The cut that keeps exactly <paramref name="keep"/> of the live elements of these parameters. Needs 0 &lt;= keep &lt;= live; O(N), no sort.
    /// </summary>
    /// <exception cref="DivergenceException">A live element ranks by NaN.</exception>
    public abstract Threshold FindThreshold(ReadOnlySpan<int> parameters, long keep, Ranking ranking = Ranking.Magnitude);

    /// <summary>What <see cref="FindThreshold"/> throws for a parameter with a live element that ranks by NaN.</summary>
    internal static DivergenceException CreateUnrankable(Parameter parameter, Ranking ranking) => new(
        $"parameter {parameter.Name} has NaN among its {ranking.Slot().ToString().ToLowerInvariant()}s, expected numbers that can be ranked; "
        + (ranking == Ranking.Score ? "the network's values are too large to be scored" : "the training diverged, lower the learning rate"));

    /// <summary>Finds that cut and applies it.</summary>
    /// <param name="live">Live elements of each parameter afterwards.</param>
    public Threshold Prune(ReadOnlySpan<int> parameters, long keep, Span<long> live, Ranking ranking = Ranking.Magnitude)
    {
        MasksMove(parameters);
        return PruneCore(parameters, keep, live, ranking);
    }

    /// <inheritdoc cref="Prune"/>
    protected virtual Threshold PruneCore(ReadOnlySpan<int> parameters, long keep, Span<long> live, Ranking ranking)
    {
        Threshold threshold = FindThreshold(parameters, keep, ranking);
        ApplyThresholdCore(parameters, threshold, live);
        return threshold;
    }

    /// <summary>
    /// Prunes every live element of these parameters that the cut does not keep. <paramref name="live"/>, as long as
    /// <paramref name="parameters"/>, receives the number of live elements of each.
    /// </summary>
    public void ApplyThreshold(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live)
    {
        MasksMove(parameters);
        ApplyThresholdCore(parameters, threshold, live);
    }

    /// <inheritdoc cref="ApplyThreshold"/>
    protected abstract void ApplyThresholdCore(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live);

    /// <summary>Revives exactly <paramref name="count"/> dead elements of these parameters, those that rank highest, ties by (parameter, element); value and state are +0.</summary>
    /// <param name="count">At most as many as are dead.</param>
    /// <param name="live">Live elements of each parameter afterwards.</param>
    /// <exception cref="DivergenceException">A dead element ranks by NaN; no mask has changed.</exception>
    public void Grow(ReadOnlySpan<int> parameters, long count, Ranking ranking, Span<long> live)
    {
        long dead = 0;
        foreach (int p in parameters) dead += Parameters[p].Elements - Live(p);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, dead);
        MasksMove(parameters);
        GrowCore(parameters, count, ranking);
        for (int i = 0; i < parameters.Length; i++) live[i] = Live(parameters[i]);
    }

    /// <inheritdoc cref="Grow"/>
    protected abstract void GrowCore(ReadOnlySpan<int> parameters, long count, Ranking ranking);

    /// <summary>
    /// The <paramref name="drop"/> live elements of smallest magnitude are pruned; then the <paramref name="grow"/> that rank highest among all that are
    /// dead now come alive, ties by element. One that was dropped and has come alive again keeps value and state, the others start from +0.
    /// </summary>
    /// <param name="grow">At most as many as are dead then.</param>
    /// <exception cref="DivergenceException">An element ranks by NaN; the mask has not changed.</exception>
    public void Exchange(int parameter, long drop, long grow, Ranking ranking)
    {
        long live = Live(parameter);
        ArgumentOutOfRangeException.ThrowIfNegative(drop);
        ArgumentOutOfRangeException.ThrowIfNegative(grow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(drop, live);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(grow, Parameters[parameter].Elements - live + drop);
        MasksMove([parameter]);
        ExchangeCore(parameter, drop, grow, ranking);
    }

    /// <inheritdoc cref="Exchange"/>
    protected abstract void ExchangeCore(int parameter, long drop, long grow, Ranking ranking);

    /// <summary>Sums and counts of the live elements by the sign of their difference from pivots[i], accumulated in double, for each parameter.</summary>
    /// <param name="slot">What is summed.</param>
    public abstract void SumBySign(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SignStatistics> sums, ParameterSlot slot = ParameterSlot.Value);

    /// <summary>Sets each live element above the pivot to <paramref name="above"/>, each below it to <paramref name="below"/>; equal ones stay.</summary>
    public abstract void AssignBySign(int parameter, float pivot, float above, float below);

    /// <summary>
    /// y = a f(x, w) + b y, element by element, of trained parameters. Of a slot <paramref name="y"/> that nobody has written, and where <paramref name="b"/> is 0, nothing is
    /// read. Pruned elements of y become +0: what x has there (the gradient above all) means nothing.
    /// </summary>
    /// <param name="x">The slot that the function reads.</param>
    /// <param name="y">The slot that is written; may be <paramref name="x"/>.</param>
    /// <param name="dense">x has numbers at pruned elements too, and y takes them: no value or state.</param>
    /// <exception cref="ArgumentException">A parameter is not trained, or values or state were to become dense.</exception>
    public void Combine(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a = 1, float b = 0, bool dense = false)
    {
        RequireTrained(parameters);
        if (dense && y.FollowsMask()) throw new ArgumentException($"pruned elements are 0 in {y}", nameof(dense));
        CombineCore(parameters, function, x, y, a, b, dense);
    }

    /// <summary>Running statistics.</summary>
    protected int[] Running { get; } = [.. parameters.Where(p => !p.IsTrained).Select(p => p.Index)];

    /// <summary>y = a x + b y of all running statistics, where <see cref="ParameterSlot.Gradient"/>, which they do not have, and the lanes' slots are memory beside their values.</summary>
    public abstract void CombineRunning(ParameterSlot x, ParameterSlot y, float a = 1, float b = 0);

    /// <inheritdoc cref="Combine"/>
    protected abstract void CombineCore(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense);

    private void RequireTrained(ReadOnlySpan<int> parameters)
    {
        foreach (int p in parameters)
            if (!Parameters[p].IsTrained) throw new ArgumentException($"{Parameters[p].Name} is not trained", nameof(parameters));
    }

    /// <summary>Before the masks do: a change that fails may have happened in part.</summary>
    private void MasksMove(ReadOnlySpan<int> parameters)
    {
        MasksVersion++;
        foreach (int p in parameters) _maskVersions[p]++;
    }

    public virtual void Dispose() => GC.SuppressFinalize(this);
}
