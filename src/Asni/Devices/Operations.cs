using Asni.Networks;
using Asni.Tensors;

namespace Asni.Devices;

/// <summary>
/// A convolution, or a linear layer seen as one whose kernel covers its whole input (stride 1, no padding, one output position).
/// </summary>
/// <param name="Batch">Largest batch it will run with.</param>
/// <param name="Filter">(out, in per group, kernel height, kernel width).</param>
/// <param name="Activation">Piecewise linear, or none.</param>
/// <param name="InputGradient">Whether BackwardData will be called.</param>
/// <param name="Training">Whether any backward will be called.</param>
internal readonly record struct ConvolutionSpec(int Batch, Chw Input, FilterShape Filter, int Stride, int Padding, int Groups, bool Bias,
    Activation Activation, bool Training, bool InputGradient)
{
    public Chw Output => new(Filter.Out, (Input.Height + 2 * Padding - Filter.Height) / Stride + 1, (Input.Width + 2 * Padding - Filter.Width) / Stride + 1);

    /// <summary>Multiply-accumulates of one sample's forward pass.</summary>
    public long Macs => (long)Output.Elements * Filter.FanIn;
}

/// <summary>A prepared convolution or linear layer: y = activation(conv(x, w) + b).</summary>
internal abstract class ConvolutionOperation(ConvolutionSpec spec) : IDisposable
{
    public ConvolutionSpec Spec { get; } = ActivationFunction.IsFused(spec.Activation) ? spec : throw new ArgumentException($"a convolution fuses no {spec.Activation}", nameof(spec));

    /// <summary>
    /// Tells that the weights have this parameter's mask as it is now, so that the device may choose a sparse kernel. Until the first call all
    /// live. Pruned weights are also 0 in w.
    /// </summary>
    /// <param name="parameters">Of the same device.</param>
    /// <param name="parameter">Index of the weights.</param>
    public virtual void SetMask(DeviceParameters parameters, int parameter) { }

    /// <summary>
    /// The same operation for another caller, who only runs Forward, at the same time as others; what the device made of the weights and their mask is shared where it can be.
    /// Weights and masks must stay as they are from here on; this operation is disposed of last.
    /// </summary>
    /// <param name="device">Made by <see cref="Device.ForAnotherCaller"/> of this operation's device.</param>
    public virtual ConvolutionOperation ForAnotherCaller(Device device) => device.CreateConvolution(Spec);

    public abstract void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y);

    /// <summary>
    /// First call of the backward pass: dy *= activation'(y) in place, and db = sum of that over batch and positions when there is a bias.
    /// </summary>
    public abstract void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy);

    /// <summary>
    /// dw = gradient of the weights (overwritten). x is what the last Forward read, unchanged: a device may have kept it in a form of its own.
    /// </summary>
    /// <param name="dense">False: what stands at pruned positions means nothing, not even that it is finite. True: it is their gradient too.</param>
    public abstract void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false);

    /// <summary>dx = gradient of the input, or dx += when <paramref name="accumulate"/>. dy is as BackwardWeights read it, if that was called.</summary>
    public abstract void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <param name="Batch">Largest batch it will run with.</param>
/// <param name="Add">Whether a skip tensor is added before the activation.</param>
/// <param name="Activation">Piecewise linear, or none.</param>
internal readonly record struct BatchNormSpec(int Batch, Chw Shape, float Epsilon, float Momentum, bool Add, Activation Activation, bool Training);

/// <summary>A prepared batch-norm: y = activation(norm(x) * w + b [+ skip]). Keeps the mean and 1/std that it normalized with for its backward pass.</summary>
internal abstract class BatchNormOperation(BatchNormSpec spec) : IDisposable
{
    public BatchNormSpec Spec { get; } = ActivationFunction.IsFused(spec.Activation) ? spec : throw new ArgumentException($"a batch-norm fuses no {spec.Activation}", nameof(spec));

    /// <summary>Tells that x is always what this convolution's last Forward wrote, so that the device may take the batch's statistics there.</summary>
    public virtual void Follow(ConvolutionOperation producer) { }

    /// <summary>Normalizes with the batch's statistics and updates the running ones (unbiased variance), as PyTorch does.</summary>
    public abstract void ForwardTraining(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y);

    /// <summary>Normalizes with the running statistics.</summary>
    public abstract void ForwardInference(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y);

    /// <summary>
    /// dx, dw, db and, with Add, dSkip (overwritten, or += when <paramref name="accumulateSkip"/>) from dy. x and y are those of the last
    /// forward call. After ForwardInference the running statistics are constants: dx = dy * w / sqrt(variance + epsilon). dy may be overwritten; dx may be dy's memory.
    /// </summary>
    public abstract void Backward(DeviceTensor x, DeviceTensor y, DeviceTensor dy, ParameterTensor w, ParameterTensor dw, ParameterTensor db,
        bool accumulateSkip, DeviceTensor? dSkip, DeviceTensor dx);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>The four tensors of a batch-norm layer, each of C elements.</summary>
internal readonly record struct BatchNormParameters(ParameterTensor Weight, ParameterTensor Bias, ParameterTensor RunningMean, ParameterTensor RunningVariance);

internal enum PoolingKind { Max, GlobalAverage }

/// <summary>Size, stride and padding are for max pooling; global average ignores them.</summary>
internal readonly record struct PoolingSpec(PoolingKind Kind, int Batch, Chw Input, int Size, int Stride, int Padding, bool Training)
{
    public Chw Output => Kind == PoolingKind.GlobalAverage
        ? new(Input.Channels, 1, 1)
        : new(Input.Channels, (Input.Height + 2 * Padding - Size) / Stride + 1, (Input.Width + 2 * Padding - Size) / Stride + 1);
}

/// <summary>A prepared pooling. Max pooling keeps the winner's place in each window (the first of equals in row order).</summary>
internal abstract class PoolingOperation(PoolingSpec spec) : IDisposable
{
    public PoolingSpec Spec { get; } = spec;
    public abstract void Forward(DeviceTensor x, DeviceTensor y);

    /// <summary>dx = gradient of the input, or dx += when <paramref name="accumulate"/>.</summary>
    public abstract void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>Sums over the samples seen since the last read. Divide by <paramref name="Samples"/> for means.</summary>
internal readonly record struct LossSums(double Loss, long Top1, long Top5, long Samples)
{
    public static LossSums operator +(LossSums a, LossSums b) => new(a.Loss + b.Loss, a.Top1 + b.Top1, a.Top5 + b.Top5, a.Samples + b.Samples);
}

/// <summary>Logits of another network that a loss takes its targets from too.</summary>
/// <param name="Temperature">T, above 0.</param>
/// <param name="Weight">Share of the loss, [0, 1].</param>
internal readonly record struct SoftTargets(DeviceTensor Logits, float Temperature, float Weight);

/// <summary>
/// A prepared softmax cross-entropy. With smoothing s over c classes the target is (1 - s) * onehot + s / c (PyTorch's label_smoothing).
/// A sample counts for top-k when fewer than k logits exceed its label's, a tie counting as exceeding when its class index is lower.
/// A NaN logit makes the loss NaN and the sample wrong. With soft targets of weight a and temperature T a sample's loss is (1 - a) times that, plus a T^2 KL(softmax(z_t / T) || softmax(z / T)).
/// </summary>
internal abstract class LossOperation(int batch, int classes, float labelSmoothing) : IDisposable
{
    public int Batch { get; } = batch;
    public int Classes { get; } = classes;
    public float LabelSmoothing { get; } = labelSmoothing;

    /// <summary>Adds the batch's loss and counts to the sums and, when asked, writes dlogits of its mean loss.</summary>
    public void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits) => Run(logits, labels, dlogits, logits.Batch);

    /// <inheritdoc cref="Run(DeviceTensor, DeviceBuffer, DeviceTensor?)"/>
    /// <param name="of">Samples that the mean is over, where these are some of them.</param>
    /// <param name="soft">Null: labels alone count.</param>
    public abstract void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of, in SoftTargets? soft = null);

    /// <summary>True when reading the sums takes no time: there is nothing to wait for.</summary>
    public virtual bool IsAtHand => false;

    /// <summary>Waits and returns the sums.</summary>
    public abstract LossSums Read();

    /// <summary>Sets the sums that later batches are added to: 0, or what was read before, which goes on to the same last digit.</summary>
    public abstract void Set(in LossSums sums);

    /// <summary>Waits, returns the sums, and sets them to 0.</summary>
    public LossSums ReadAndReset()
    {
        LossSums sums = Read();
        Set(default);
        return sums;
    }

    public virtual void Dispose() => GC.SuppressFinalize(this);
}
