using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Reference;

/// <summary>
/// Every product of a convolution is one visit of the same loop nest; the three passes differ in what they do with it.
/// </summary>
internal sealed class ReferenceConvolution(ConvolutionSpec spec) : ConvolutionOperation(spec)
{
    /// <summary>Adds x[x] * w[w] to y[y] or, backwards, one of the other two from the remaining pair.</summary>
    private delegate void Product(int x, int w, int y);

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y)
    {
        double[] input = ReferenceBuffer.Doubles(x).ToArray(), weights = ReferenceBuffer.Doubles(w).ToArray();
        double[] output = new double[y.Elements];
        ForEachProduct(x.Batch, (ix, iw, iy) => output[iy] += input[ix] * weights[iw]);

        Span<double> target = ReferenceBuffer.Doubles(y);
        for (int i = 0; i < output.Length; i++)
        {
            int channel = i / Spec.Output.Positions % Spec.Output.Channels;
            double bias = b is { } tensor ? ReferenceBuffer.Doubles(tensor)[channel] : 0;
            target[i] = Spec.Activation.Apply(output[i] + bias);
        }
    }

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy)
    {
        Span<double> output = ReferenceBuffer.Doubles(y), gradient = ReferenceBuffer.Doubles(dy);
        for (int i = 0; i < gradient.Length; i++) gradient[i] *= Spec.Activation.Derivative(output[i]);
        if (db is not { } tensor) return;
        Span<double> bias = ReferenceBuffer.Doubles(tensor);
        bias.Clear();
        for (int i = 0; i < gradient.Length; i++) bias[i / Spec.Output.Positions % Spec.Output.Channels] += gradient[i];
    }

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false)
    {
        double[] input = ReferenceBuffer.Doubles(x).ToArray(), gradient = ReferenceBuffer.Doubles(dy).ToArray();
        double[] weights = new double[dw.Parameter.Elements];
        ForEachProduct(x.Batch, (ix, iw, iy) => weights[iw] += input[ix] * gradient[iy]);
        weights.CopyTo(ReferenceBuffer.Doubles(dw));
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx)
    {
        double[] gradient = ReferenceBuffer.Doubles(dy).ToArray(), weights = ReferenceBuffer.Doubles(w).ToArray();
        double[] input = accumulate ? ReferenceBuffer.Doubles(dx).ToArray() : new double[dx.Elements];
        ForEachProduct(dy.Batch, (ix, iw, iy) => input[ix] += gradient[iy] * weights[iw]);
        input.CopyTo(ReferenceBuffer.Doubles(dx));
    }

    private void ForEachProduct(int batch, Product product)
    {
        Chw input = Spec.Input, output = Spec.Output;
        FilterShape filter = Spec.Filter;
        int outPerGroup = filter.Out / Spec.Groups, stride = Spec.Stride, padding = Spec.Padding;
        for (int n = 0; n < batch; n++)
            for (int o = 0; o < output.Channels; o++)
                for (int oy = 0; oy < output.Height; oy++)
                    for (int ox = 0; ox < output.Width; ox++)
                        for (int i = 0; i < filter.In; i++)
                            for (int ky = 0; ky < filter.Height; ky++)
                            {
                                int channel = o / outPerGroup * filter.In + i, iy = oy * stride - padding + ky;
                                if (iy < 0 || iy >= input.Height) continue;
                                int inputRow = ((n * input.Channels + channel) * input.Height + iy) * input.Width;
                                int filterRow = ((o * filter.In + i) * filter.Height + ky) * filter.Width;
                                for (int kx = 0; kx < filter.Width; kx++)
                                {
                                    int ix = ox * stride - padding + kx;
                                    if (ix < 0 || ix >= input.Width) continue;
                                    product(inputRow + ix, filterRow + kx, ((n * output.Channels + o) * output.Height + oy) * output.Width + ox);
                                }
                            }
    }
}
