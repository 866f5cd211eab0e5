using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Reference;

/// <summary>
/// Proves the reference device: each gradient is compared with central differences of the scalar sum(direction * output), in double
/// precision. With steps of 1e-5 the differences are good to about 1e-9, so 1e-7 leaves room and still catches any wrong term.
/// </summary>
internal class ReferenceGradientTests
{
    private const double Step = 1e-5;
    private const double Tolerance = 1e-7;

    private delegate Span<double> Memory();

    [TestCase(3, 1, 1, 1, Activation.None)]
    [TestCase(3, 2, 1, 2, Activation.Relu)]
    [TestCase(2, 1, 0, 4, Activation.Relu6)]
    [TestCase(5, 3, 2, 1, Activation.Relu6)]
    [TestCase(1, 2, 0, 2, Activation.Relu)]
    public void Convolution_gradients_are_the_derivatives(int kernel, int stride, int padding, int groups, Activation activation)
    {
        using var bench = new Workbench(new ReferenceDevice());
        var spec = new ConvolutionSpec(2, new Chw(4, 5, 6), new FilterShape(8, 4 / groups, kernel, kernel), stride, padding, groups, true,
            activation, true, true);
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, spec.Filter), (ParameterKind.Bias, new FilterShape(8, 1, 1, 1)));
        p.Upload(0, ParameterSlot.Value, Values.Random(1, p.Parameters[0].Elements, 2));
        p.Upload(1, ParameterSlot.Value, Values.Random(2, 8, 1, 1));
        DeviceTensor x = bench.Tensor(2, spec.Input, Values.Random(3, 2 * spec.Input.Elements)), y = bench.Unwritten(2, spec.Output);
        DeviceTensor dy = bench.Tensor(2, spec.Output, Values.Random(4, 2 * spec.Output.Elements)), dx = bench.Unwritten(2, spec.Input);
        ConvolutionOperation convolution = bench.Own(bench.Device.CreateConvolution(spec));
        double[] direction = ReferenceBuffer.Doubles(dy).ToArray();
        double Loss()
        {
            convolution.Forward(x, p.Value(0), p.Value(1), y);
            return Dot(direction, y);
        }

        Loss();
        convolution.BackwardOutput(y, p.Gradient(1), dy);
        convolution.BackwardWeights(x, dy, p.Gradient(0));
        convolution.BackwardData(dy, p.Value(0), false, dx);

        AssertDerivative("dx", () => ReferenceBuffer.Doubles(x), Loss, ReferenceBuffer.Doubles(dx));
        AssertDerivative("dw", () => ReferenceBuffer.Doubles(p.Value(0)), Loss, ReferenceBuffer.Doubles(p.Gradient(0)));
        AssertDerivative("db", () => ReferenceBuffer.Doubles(p.Value(1)), Loss, ReferenceBuffer.Doubles(p.Gradient(1)));
    }

    [TestCase(false, Activation.None)]
    [TestCase(false, Activation.Relu)]
    [TestCase(true, Activation.None)]
    [TestCase(true, Activation.Relu)]
    [TestCase(true, Activation.Relu6)]
    public void Batch_norm_gradients_are_the_derivatives(bool add, Activation activation)
    {
        using var bench = new Workbench(new ReferenceDevice());
        var shape = new Chw(3, 2, 4);
        var spec = new BatchNormSpec(3, shape, 1e-3f, 0.1f, add, activation, true);
        DeviceParameters p = NormParameters(bench, 3);
        int elements = 3 * shape.Elements;
        DeviceTensor x = bench.Tensor(3, shape, Values.Random(1, elements, 3, 1)), y = bench.Unwritten(3, shape),
            dx = bench.Unwritten(3, shape);
        DeviceTensor dy = bench.Tensor(3, shape, Values.Random(2, elements));
        DeviceTensor? skip = add ? bench.Tensor(3, shape, Values.Random(3, elements, 4)) : null;
        DeviceTensor? dSkip = add ? bench.Unwritten(3, shape) : null;
        BatchNormOperation norm = bench.Own(bench.Device.CreateBatchNorm(spec));
        var tensors = new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3));
        double[] direction = ReferenceBuffer.Doubles(dy).ToArray();
        double Loss()
        {
            norm.ForwardTraining(x, tensors, skip, y);
            return Dot(direction, y);
        }

        Loss();
        norm.Backward(x, y, dy, p.Value(0), p.Gradient(0), p.Gradient(1), false, dSkip, dx);

        AssertDerivative("dx", () => ReferenceBuffer.Doubles(x), Loss, ReferenceBuffer.Doubles(dx));
        AssertDerivative("dw", () => ReferenceBuffer.Doubles(p.Value(0)), Loss, ReferenceBuffer.Doubles(p.Gradient(0)));
        AssertDerivative("db", () => ReferenceBuffer.Doubles(p.Value(1)), Loss, ReferenceBuffer.Doubles(p.Gradient(1)));
        if (add) AssertDerivative("dskip", () => ReferenceBuffer.Doubles(skip!.Value), Loss, ReferenceBuffer.Doubles(dSkip!.Value));
    }

    [TestCase(PoolingKind.Max, 2, 2, 0)]
    [TestCase(PoolingKind.Max, 3, 2, 1)]
    [TestCase(PoolingKind.Max, 3, 1, 0)]
    [TestCase(PoolingKind.GlobalAverage, 0, 0, 0)]
    public void Pooling_gradients_are_the_derivatives(PoolingKind kind, int size, int stride, int padding)
    {
        using var bench = new Workbench(new ReferenceDevice());
        var spec = new PoolingSpec(kind, 2, new Chw(3, 5, 6), size, stride, padding, true);
        DeviceTensor x = bench.Tensor(2, spec.Input, Values.Random(1, 2 * spec.Input.Elements)), y = bench.Unwritten(2, spec.Output);
        DeviceTensor dy = bench.Tensor(2, spec.Output, Values.Random(2, 2 * spec.Output.Elements)), dx = bench.Unwritten(2, spec.Input);
        PoolingOperation pooling = bench.Own(bench.Device.CreatePooling(spec));
        double[] direction = ReferenceBuffer.Doubles(dy).ToArray();
        double Loss()
        {
            pooling.Forward(x, y);
            return Dot(direction, y);
        }

        Loss();
        pooling.Backward(dy, false, dx);

        AssertDerivative("dx", () => ReferenceBuffer.Doubles(x), Loss, ReferenceBuffer.Doubles(dx));
    }

    [TestCase(0f)]
    [TestCase(0.1f)]
    public void Loss_gradient_is_the_derivative_of_the_batch_mean(float smoothing)
    {
        using var bench = new Workbench(new ReferenceDevice());
        var shape = new Chw(7, 1, 1);
        DeviceTensor logits = bench.Tensor(3, shape, Values.Random(1, 3 * 7, 4)), gradient = bench.Unwritten(3, shape);
        DeviceBuffer labels = bench.Labels(6, 0, 3);
        LossOperation loss = bench.Own(bench.Device.CreateLoss(3, 7, smoothing));
        double Loss()
        {
            loss.Run(logits, labels, gradient);
            return loss.ReadAndReset().Loss / 3;
        }

        Loss();
        double[] analytic = ReferenceBuffer.Doubles(gradient).ToArray();

        AssertDerivative("dlogits", () => ReferenceBuffer.Doubles(logits), Loss, analytic);
    }

    [Test]
    public void Activation_gradients_are_the_derivatives([Values] Activation activation)
    {
        using var bench = new Workbench(new ReferenceDevice());
        var shape = new Chw(5, 3, 2);
        DeviceTensor x = bench.Tensor(2, shape, Values.Random(1, 60, 9)), y = bench.Unwritten(2, shape),
            dy = bench.Tensor(2, shape, Values.Random(2, 60));
        double[] direction = ReferenceBuffer.Doubles(dy).ToArray();
        double Loss()
        {
            bench.Device.Activate(x, activation, y);
            return Dot(direction, y);
        }

        Loss();
        bench.Device.ActivateBackward(ActivationFunctions.Fused.Contains(activation) ? y : x, activation, dy);

        AssertDerivative("dx", () => ReferenceBuffer.Doubles(x), Loss, ReferenceBuffer.Doubles(dy));
    }

    private static DeviceParameters NormParameters(Workbench bench, int channels)
    {
        var vector = new FilterShape(channels, 1, 1, 1);
        DeviceParameters p = bench.Parameters((ParameterKind.NormWeight, vector), (ParameterKind.NormBias, vector),
            (ParameterKind.RunningMean, vector), (ParameterKind.RunningVariance, vector));
        p.Upload(0, ParameterSlot.Value, Values.Random(11, channels, 0.5f, 1.5f));
        p.Upload(1, ParameterSlot.Value, Values.Random(12, channels));
        return p;
    }

    private static double Dot(double[] direction, DeviceTensor y)
    {
        double sum = 0;
        Span<double> output = ReferenceBuffer.Doubles(y);
        for (int i = 0; i < direction.Length; i++) sum += direction[i] * output[i];
        return sum;
    }

    private static void AssertDerivative(string name, Memory variable, Func<double> loss, ReadOnlySpan<double> analytic)
    {
        for (int i = 0; i < analytic.Length; i++)
        {
            double original = variable()[i];
            variable()[i] = original + Step;
            double above = loss();
            variable()[i] = original - Step;
            double below = loss();
            variable()[i] = original;
            Assert.That(analytic[i], Is.EqualTo((above - below) / (2 * Step)).Within(Tolerance), $"{name}[{i}]");
        }
    }
}
