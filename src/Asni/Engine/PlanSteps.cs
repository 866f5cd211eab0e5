using Asni.Devices;
using Asni.Networks;

namespace Asni.Engine;

/// <summary>
/// One step of a plan with its operation and tensors bound. Tensors are bound at the plan's batch size; each call says how many samples are valid.
/// </summary>
internal abstract class PlanStep : IDisposable
{
    public required Node Node { get; init; }
    public required DeviceTensor X { get; init; }
    public required DeviceTensor Y { get; init; }

    /// <summary>Gradient of Y; unset in plans that only infer.</summary>
    public DeviceTensor Dy { get; init; }

    /// <summary>Gradient of X; null when nobody needs it.</summary>
    public DeviceTensor? Dx { get; init; }

    /// <summary>Another consumer of X has already written Dx in this backward pass.</summary>
    public bool AccumulateDx { get; init; }

    /// <summary>Indices of the parameters whose gradients <see cref="Backward"/> writes.</summary>
    public virtual IEnumerable<int> Trains => [];

    public abstract void Forward(int batch, bool training);
    /// <param name="dense">Weight gradients are defined at pruned positions too.</param>
    public abstract void Backward(int batch, bool dense);

    /// <summary>Has the operation derive anew what it derives from a mask, where that has moved.</summary>
    public virtual void TakeMask(DeviceParameters parameters) { }
    public virtual void Dispose() { }
}

internal sealed class ConvolutionStep : PlanStep
{
    public required ConvolutionOperation Operation { get; init; }
    public required ParameterTensor Weight { get; init; }
    public required ParameterTensor? Bias { get; init; }
    public ParameterTensor WeightGradient { get; init; }

    /// <summary>Null when there is no bias, or its gradient is always 0.</summary>
    public ParameterTensor? BiasGradient { get; set; }

    private int _maskVersion = -1;

    public override IEnumerable<int> Trains => Bias is { } bias ? [Weight.Parameter.Index, bias.Parameter.Index] : [Weight.Parameter.Index];

    public override void Forward(int batch, bool training) => Operation.Forward(X.WithBatch(batch), Weight, Bias, Y.WithBatch(batch));

    public override void Backward(int batch, bool dense)
    {
        DeviceTensor dy = Dy.WithBatch(batch);
        if (BiasGradient is not null || Operation.Spec.Activation != Activation.None)
            Operation.BackwardOutput(Y.WithBatch(batch), BiasGradient, dy);
        Operation.BackwardWeights(X.WithBatch(batch), dy, WeightGradient, dense);
        if (Dx is { } dx) Operation.BackwardData(dy, Weight, AccumulateDx, dx.WithBatch(batch));
    }

    public override void TakeMask(DeviceParameters parameters)
    {
        int weight = Weight.Parameter.Index, version = parameters.MaskVersion(weight);
        if (version == _maskVersion) return;
        Operation.SetMask(parameters, weight);
        _maskVersion = version;
    }

    public override void Dispose() => Operation.Dispose();
}

internal sealed class BatchNormStep : PlanStep
{
    public required BatchNormOperation Operation { get; init; }
    public required BatchNormParameters Parameters { get; init; }
    public required DeviceTensor? Skip { get; init; }
    public ParameterTensor WeightGradient { get; init; }
    public ParameterTensor BiasGradient { get; init; }
    public DeviceTensor? SkipGradient { get; init; }
    public bool AccumulateSkip { get; init; }

    public override IEnumerable<int> Trains => [Parameters.Weight.Parameter.Index, Parameters.Bias.Parameter.Index];

    public override void Forward(int batch, bool training)
    {
        DeviceTensor x = X.WithBatch(batch), y = Y.WithBatch(batch);
        if (training) Operation.ForwardTraining(x, Parameters, Skip?.WithBatch(batch), y);
        else Operation.ForwardInference(x, Parameters, Skip?.WithBatch(batch), y);
    }

    public override void Backward(int batch, bool dense) => Operation.Backward(X.WithBatch(batch), Y.WithBatch(batch), Dy.WithBatch(batch), Parameters.Weight,
        WeightGradient, BiasGradient, AccumulateSkip, SkipGradient?.WithBatch(batch), Dx!.Value.WithBatch(batch));

    public override void Dispose() => Operation.Dispose();
}

internal sealed class PoolingStep : PlanStep
{
    public required PoolingOperation Operation { get; init; }
    public override void Forward(int batch, bool training) => Operation.Forward(X.WithBatch(batch), Y.WithBatch(batch));

    public override void Backward(int batch, bool dense)
    {
        if (Dx is { } dx) Operation.Backward(Dy.WithBatch(batch), AccumulateDx, dx.WithBatch(batch));
    }

    public override void Dispose() => Operation.Dispose();
}

/// <summary>y = activation(x [+ skip]) where nothing could absorb it.</summary>
internal sealed class ElementwiseStep : PlanStep
{
    public required Device Device { get; init; }
    public required Activation Activation { get; init; }

    /// <summary>The activation is differentiated from Y, not from X.</summary>
    public required bool KeepsOutput { get; init; }
    public required DeviceTensor? Skip { get; init; }
    public DeviceTensor? SkipGradient { get; init; }
    public bool AccumulateSkip { get; init; }

    public override void Forward(int batch, bool training)
    {
        if (Skip is { } skip) Device.Add(X.WithBatch(batch), skip.WithBatch(batch), Activation, Y.WithBatch(batch));
        else Device.Activate(X.WithBatch(batch), Activation, Y.WithBatch(batch));
    }

    public override void Backward(int batch, bool dense)
    {
        DeviceTensor dy = Dy.WithBatch(batch);
        if (Activation != Activation.None) Device.ActivateBackward((KeepsOutput ? Y : X).WithBatch(batch), Activation, dy);
        if (Dx is { } dx) Device.Copy(dy, AccumulateDx, dx.WithBatch(batch));
        if (SkipGradient is { } skip) Device.Copy(dy, AccumulateSkip, skip.WithBatch(batch));
    }
}
