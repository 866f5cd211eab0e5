using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Reference;

/// <summary>Batch-norm channel by channel, from the definition: two passes for the variance, the textbook gradient.</summary>
internal sealed class ReferenceBatchNorm(BatchNormSpec spec) : BatchNormOperation(spec)
{
    private readonly double[] _mean = new double[spec.Shape.Channels];
    private readonly double[] _inverseStd = new double[spec.Shape.Channels];
    private bool _ofBatch;

    public override void ForwardTraining(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = true;
        Span<double> input = ReferenceBuffer.Doubles(x);
        Span<double> runningMean = ReferenceBuffer.Doubles(p.RunningMean), runningVariance = ReferenceBuffer.Doubles(p.RunningVariance);
        for (int c = 0; c < Spec.Shape.Channels; c++)
        {
            int[] indices = Indices(x.Batch, c);
            double mean = 0, variance = 0;
            foreach (int i in indices) mean += input[i] / indices.Length;
            foreach (int i in indices) variance += (input[i] - mean) * (input[i] - mean) / indices.Length;
            double unbiased = variance * indices.Length / (indices.Length - 1);

            runningMean[c] = (1.0 - Spec.Momentum) * runningMean[c] + Spec.Momentum * mean;
            runningVariance[c] = (1.0 - Spec.Momentum) * runningVariance[c] + Spec.Momentum * unbiased;
            _mean[c] = mean;
            _inverseStd[c] = 1 / Math.Sqrt(variance + Spec.Epsilon);
        }
        Normalize(x, _mean, _inverseStd, p, skip, y);
    }

    public override void ForwardInference(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = false;
        ReferenceBuffer.Doubles(p.RunningMean).CopyTo(_mean);
        for (int c = 0; c < _inverseStd.Length; c++) _inverseStd[c] = 1 / Math.Sqrt(ReferenceBuffer.Doubles(p.RunningVariance)[c] + Spec.Epsilon);
        Normalize(x, _mean, _inverseStd, p, skip, y);
    }

    public override void Backward(DeviceTensor x, DeviceTensor y, DeviceTensor dy, ParameterTensor w, ParameterTensor dw,
        ParameterTensor db, bool accumulateSkip, DeviceTensor? dSkip, DeviceTensor dx)
    {
        Span<double> input = ReferenceBuffer.Doubles(x), output = ReferenceBuffer.Doubles(y), gradient = ReferenceBuffer.Doubles(dy);
        for (int i = 0; i < gradient.Length; i++) gradient[i] *= Spec.Activation.Derivative(output[i]);
        if (dSkip is { } tensor)
        {
            Span<double> skip = ReferenceBuffer.Doubles(tensor);
            for (int i = 0; i < skip.Length; i++) skip[i] = gradient[i] + (accumulateSkip ? skip[i] : 0);
        }
        for (int c = 0; c < Spec.Shape.Channels; c++)
        {
            int[] indices = Indices(x.Batch, c);
            double sum = 0, sumNormalized = 0;
            foreach (int i in indices)
            {
                sum += gradient[i];
                sumNormalized += gradient[i] * (input[i] - _mean[c]) * _inverseStd[c];
            }
            ReferenceBuffer.Doubles(db)[c] = sum;
            ReferenceBuffer.Doubles(dw)[c] = sumNormalized;
            double scale = ReferenceBuffer.Doubles(w)[c] * _inverseStd[c];
            foreach (int i in indices)
            {
                double normalized = (input[i] - _mean[c]) * _inverseStd[c];
                ReferenceBuffer.Doubles(dx)[i] = scale * (_ofBatch ? gradient[i] - sum / indices.Length - normalized * sumNormalized / indices.Length : gradient[i]);
            }
        }
    }

    private void Normalize(DeviceTensor x, double[] mean, double[] inverseStd, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        Span<double> input = ReferenceBuffer.Doubles(x), output = ReferenceBuffer.Doubles(y);
        Span<double> weight = ReferenceBuffer.Doubles(p.Weight), bias = ReferenceBuffer.Doubles(p.Bias);
        for (int i = 0; i < output.Length; i++)
        {
            int c = i / Spec.Shape.Positions % Spec.Shape.Channels;
            double added = skip is { } tensor ? ReferenceBuffer.Doubles(tensor)[i] : 0;
            output[i] = Spec.Activation.Apply((input[i] - mean[c]) * inverseStd[c] * weight[c] + bias[c] + added);
        }
    }

    /// <summary>Where channel <paramref name="c"/> lies in the activations of a batch.</summary>
    private int[] Indices(int batch, int c)
    {
        Chw shape = Spec.Shape;
        return
        [
            .. from n in Enumerable.Range(0, batch)
               from i in Enumerable.Range(0, shape.Positions)
               select (n * shape.Channels + c) * shape.Positions + i,
        ];
    }
}
