using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Reference;

/// <summary>
/// The contract written down a second time, as plainly as possible: double precision, PyTorch's layouts, one loop per index. It is what
/// every device is compared with, is itself proven by finite differences, and is never optimised.
/// </summary>
internal sealed class ReferenceDevice : Device
{
    public override string Name => "reference";
    public override string Description => "plain loops in double precision";

    internal override DeviceBuffer Allocate(long bytes) => new ReferenceBuffer(bytes);
    internal override long ActivationBytes(int batch, Chw shape) => (long)batch * shape.Elements * sizeof(double);

    internal override void Upload(ReadOnlySpan<float> nchw, DeviceTensor to)
    {
        Span<double> values = ReferenceBuffer.Doubles(to);
        for (int i = 0; i < values.Length; i++) values[i] = nchw[i];
    }

    internal override void Download(DeviceTensor from, Span<float> nchw)
    {
        Span<double> values = ReferenceBuffer.Doubles(from);
        for (int i = 0; i < values.Length; i++) nchw[i] = (float)values[i];
    }

    internal override void UploadImages(ReadOnlySpan<byte> nchw, Normalization normalization, DeviceTensor to)
    {
        Span<double> values = ReferenceBuffer.Doubles(to);
        for (int i = 0; i < values.Length; i++)
        {
            int channel = i / to.Shape.Positions % to.Shape.Channels;
            values[i] = (nchw[i] / 255.0 - normalization.Mean[channel]) / normalization.Std[channel];
        }
    }

    internal override void UploadLabels(ReadOnlySpan<int> labels, DeviceBuffer to) => labels.CopyTo(ReferenceBuffer.Integers(to));

    internal override DeviceParameters CreateParameters(ImmutableArray<Parameter> parameters) => new ReferenceParameters(parameters);
    internal override ConvolutionOperation CreateConvolution(in ConvolutionSpec spec) => new ReferenceConvolution(spec);
    internal override BatchNormOperation CreateBatchNorm(in BatchNormSpec spec) => new ReferenceBatchNorm(spec);
    internal override PoolingOperation CreatePooling(in PoolingSpec spec) => new ReferencePooling(spec);
    internal override LossOperation CreateLoss(int batch, int classes, float labelSmoothing) =>
        new ReferenceLoss(batch, classes, labelSmoothing);

    internal override void Add(DeviceTensor a, DeviceTensor b, Activation activation, DeviceTensor y)
    {
        Span<double> left = ReferenceBuffer.Doubles(a), right = ReferenceBuffer.Doubles(b), sum = ReferenceBuffer.Doubles(y);
        for (int i = 0; i < sum.Length; i++) sum[i] = activation.Apply(left[i] + right[i]);
    }

    internal override void Activate(DeviceTensor x, Activation activation, DeviceTensor y)
    {
        Span<double> from = ReferenceBuffer.Doubles(x), to = ReferenceBuffer.Doubles(y);
        for (int i = 0; i < to.Length; i++) to[i] = activation.Apply(from[i]);
    }

    internal override void ActivateBackward(DeviceTensor kept, Activation activation, DeviceTensor dy)
    {
        Span<double> from = ReferenceBuffer.Doubles(kept), gradient = ReferenceBuffer.Doubles(dy);
        for (int i = 0; i < gradient.Length; i++) gradient[i] *= activation.Derivative(from[i]);
    }

    internal override void Copy(DeviceTensor from, bool accumulate, DeviceTensor to)
    {
        Span<double> source = ReferenceBuffer.Doubles(from), target = ReferenceBuffer.Doubles(to);
        for (int i = 0; i < target.Length; i++) target[i] = source[i] + (accumulate ? target[i] : 0);
    }

    public override void Synchronize() { }
}

internal static class ActivationFunctions
{
    public static double Apply(this Activation activation, double x) => activation switch
    {
        Activation.None => x,
        Activation.Relu => Math.Max(x, 0),
        Activation.Relu6 => Math.Min(Math.Max(x, 0), 6),
        Activation.Silu => x * Sigmoid(x),
        Activation.Gelu => x * Normal(x),
        _ => throw new ArgumentOutOfRangeException(nameof(activation)),
    };

    /// <summary>Those that operations fuse.</summary>
    public static Activation[] Fused { get; } = [Activation.None, Activation.Relu, Activation.Relu6];

    /// <summary>Those that are steps of their own.</summary>
    public static Activation[] Smooth { get; } = [.. Enum.GetValues<Activation>().Except(Fused)];

    /// <summary>The derivative, of the fused ones from the function's output, of the others from its input.</summary>
    public static double Derivative(this Activation activation, double kept) => activation switch
    {
        Activation.None => 1,
        Activation.Relu => kept > 0 ? 1 : 0,
        Activation.Relu6 => kept is > 0 and < 6 ? 1 : 0,
        Activation.Silu => Sigmoid(kept) * (1 + kept * Sigmoid(-kept)),
        Activation.Gelu => Normal(kept) + kept * Math.Exp(-kept * kept / 2) / Math.Sqrt(2 * Math.PI),
        _ => throw new ArgumentOutOfRangeException(nameof(activation)),
    };

    private static double Normal(double x) => (1 + ActivationFunction.Erf(x / Math.Sqrt(2))) / 2;
    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
