using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Cpu;

public class BatchNormTests
{
    private const float Epsilon = 1e-5f, Momentum = 0.1f;

    [Test]
    public void Training_forward_and_backward_agree_with_the_definition([Values(1, 2)] int threads, [Values(1, 3, 16, 17, 24, 64, 130)] int channels,
        [Values(1, 3, 9)] int size, [Values] bool add, [ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Fused))] Activation activation)
    {
        using var device = new CpuDevice(threads);
        using var layer = new Layer(device, 5, new Chw(channels, size, size), add, activation, offset: 0.5);
        layer.CheckTraining(batch: 5, accumulateSkip: false);
        layer.CheckTraining(batch: 4, accumulateSkip: true);
    }

    [Test]
    public void Large_tensors_run_on_all_threads([Values(16, 40, 2048)] int channels, [Values] bool accumulateSkip)
    {
        using var device = new CpuDevice(2);
        using var layer = new Layer(device, 7, new Chw(channels, channels > 1000 ? 3 : 35, 7), true, Activation.Relu6, offset: 0);
        layer.CheckTraining(7, accumulateSkip);
    }

    [Test]
    public void A_mean_far_from_zero_does_not_cancel_the_variance()
    {
        using var device = new CpuDevice(2);
        using var layer = new Layer(device, 64, new Chw(16, 9, 9), false, Activation.None, offset: 1000);
        layer.CheckTraining(64, false, tolerance: 3e-4);
    }

    [Test]
    public void Inference_uses_the_running_statistics([Values(1, 2)] int threads, [Values(3, 17, 64)] int channels, [Values] bool add,
        [ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Fused))] Activation activation)
    {
        using var device = new CpuDevice(threads);
        using var layer = new Layer(device, 6, new Chw(channels, 11, 13), add, activation, offset: 0);
        layer.CheckInference(6);
    }

    [Test]
    public void Results_are_the_same_bits_in_every_run()
    {
        using var device = new CpuDevice(2);
        using var first = new Layer(device, 9, new Chw(24, 21, 17), true, Activation.Relu, 0.2);
        using var second = new Layer(device, 9, new Chw(24, 21, 17), true, Activation.Relu, 0.2);
        first.Run(9, false);
        second.Run(9, false);
        Assert.That(first.InputGradient, Is.EqualTo(second.InputGradient));
    }

    [Test]
    public void A_single_value_a_channel_gives_the_bias_and_finite_statistics()
    {
        using var device = new CpuDevice(1);
        using var layer = new Layer(device, 1, new Chw(20, 1, 1), false, Activation.None, 0);
        layer.CheckTraining(1, false);
    }

    /// <summary>One layer on the device beside the same numbers on the host.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly CpuDevice _device;
        private readonly Chw _shape;
        private readonly bool _add;
        private readonly Activation _activation;
        private readonly BatchNormOperation _operation;
        private readonly DeviceParameters _parameters;
        private readonly float[] _x, _skip, _dy, _dSkip, _weight, _bias;
        private readonly DeviceTensor _input, _residual, _output, _gradient, _residualGradient;

        public Layer(CpuDevice device, int batch, Chw shape, bool add, Activation activation, double offset)
        {
            (_device, _shape, _add, _activation) = (device, shape, add, activation);
            _operation = device.CreateBatchNorm(new BatchNormSpec(batch, shape, Epsilon, Momentum, add, activation, true));
            _parameters = device.CreateParameters(CpuTest.Norm(shape.Channels));
            long count = (long)batch * shape.Elements;
            (_x, _skip) = (CpuTest.Random(count, 1, 2, offset), CpuTest.Random(count, 2, 3));
            (_dy, _dSkip) = (CpuTest.Random(count, 3), CpuTest.Random(count, 4));
            (_weight, _bias) = (CpuTest.Random(shape.Channels, 5, 1, 1), CpuTest.Random(shape.Channels, 6));
            _parameters.Upload(0, ParameterSlot.Value, _weight);
            _parameters.Upload(1, ParameterSlot.Value, _bias);
            (_input, _residual) = (CpuTest.Tensor(device, batch, shape), CpuTest.Tensor(device, batch, shape));
            (_output, _gradient) = (CpuTest.Tensor(device, batch, shape), CpuTest.Tensor(device, batch, shape));
            _residualGradient = CpuTest.Tensor(device, batch, shape);
        }

        public float[] InputGradient => CpuTest.Read(_device, _gradient);

        private BatchNormParameters Parameters => new(_parameters.Value(0), _parameters.Value(1), _parameters.Value(2), _parameters.Value(3));

        public void Run(int batch, bool accumulateSkip)
        {
            Fill(batch);
            _operation.ForwardTraining(_input.WithBatch(batch), Parameters, _add ? _residual.WithBatch(batch) : null, _output.WithBatch(batch));
            _operation.Backward(_input.WithBatch(batch), _output.WithBatch(batch), _gradient.WithBatch(batch), _parameters.Value(0),
                _parameters.Gradient(0), _parameters.Gradient(1), accumulateSkip, _add ? _residualGradient.WithBatch(batch) : null,
                _gradient.WithBatch(batch));
        }

        public void CheckTraining(int batch, bool accumulateSkip, double tolerance = 2e-5)
        {
            float[] mean = CpuTest.Random(_shape.Channels, 7), variance = Array.ConvertAll(mean, m => m * m + 0.5f);
            _parameters.Upload(2, ParameterSlot.Value, mean);
            _parameters.Upload(3, ParameterSlot.Value, variance);
            Run(batch, accumulateSkip);
            float[] y = CpuTest.Read(_device, _output.WithBatch(batch));
            var expectedY = new double[y.Length];
            var dx = new double[y.Length];
            var dSkip = new double[y.Length];
            var dw = new double[_shape.Channels];
            var db = new double[_shape.Channels];
            var running = new double[_shape.Channels];
            var runningVariance = new double[_shape.Channels];
            for (int c = 0; c < _shape.Channels; c++)
            {
                int[] at = Indices(c, batch);
                double mu = at.Average(i => (double)_x[i]), sigma2 = at.Average(i => (_x[i] - mu) * (_x[i] - mu)), r = 1 / Math.Sqrt(sigma2 + Epsilon);
                running[c] = 0.9 * mean[c] + 0.1 * mu;
                runningVariance[c] = 0.9 * variance[c] + 0.1 * sigma2 * at.Length / Math.Max(1, at.Length - 1);
                foreach (int i in at)
                {
                    expectedY[i] = _activation.Apply((_x[i] - mu) * r * _weight[c] + _bias[c] + (_add ? _skip[i] : 0));
                    // The slope is taken at the device's own y: beside a kink, rounding may fall on either side.
                    dSkip[i] = _activation.Derivative(y[i]) * _dy[i];
                }
                db[c] = at.Sum(i => dSkip[i]);
                dw[c] = at.Sum(i => dSkip[i] * (_x[i] - mu) * r);
                foreach (int i in at)
                    dx[i] = _weight[c] * r * (dSkip[i] - db[c] / at.Length - (_x[i] - mu) * r * dw[c] / at.Length);
            }
            double sums = tolerance * Math.Sqrt(batch * _shape.Positions);
            CpuTest.AssertClose(y, expectedY, tolerance, tolerance, "y");
            CpuTest.AssertClose(CpuTest.Read(_parameters, 2), running, 1e-6, 1e-6, "running mean");
            CpuTest.AssertClose(CpuTest.Read(_parameters, 3), runningVariance, tolerance, 1e-6, "running variance");
            CpuTest.AssertClose(CpuTest.Read(_parameters, 0, ParameterSlot.Gradient), dw, tolerance, sums, "dw");
            CpuTest.AssertClose(CpuTest.Read(_parameters, 1, ParameterSlot.Gradient), db, tolerance, sums, "db");
            // A deviation of 0 makes 1 / std as large as 316, and rounding with it.
            CpuTest.AssertClose(CpuTest.Read(_device, _gradient.WithBatch(batch)), dx, 10 * tolerance, batch * _shape.Positions < 8 ? 1e-3 : tolerance, "dx");
            if (!_add) return;
            if (accumulateSkip) for (int i = 0; i < dSkip.Length; i++) dSkip[i] += _dSkip[i];
            CpuTest.AssertClose(CpuTest.Read(_device, _residualGradient.WithBatch(batch)), dSkip, 1e-6, 1e-6, "dSkip");
        }

        public void CheckInference(int batch)
        {
            float[] mean = CpuTest.Random(_shape.Channels, 7), variance = Array.ConvertAll(mean, m => m * m + 0.5f);
            _parameters.Upload(2, ParameterSlot.Value, mean);
            _parameters.Upload(3, ParameterSlot.Value, variance);
            Fill(batch);
            _operation.ForwardInference(_input, Parameters, _add ? _residual : null, _output);
            var expected = new double[_x.Length];
            for (int c = 0; c < _shape.Channels; c++)
                foreach (int i in Indices(c, batch))
                    expected[i] = _activation.Apply(((double)_x[i] - mean[c]) / Math.Sqrt((double)variance[c] + Epsilon) * _weight[c] + _bias[c] + (_add ? _skip[i] : 0));
            CpuTest.AssertClose(CpuTest.Read(_device, _output), expected, 1e-5, 1e-5, "y");
            Assert.That(CpuTest.Read(_parameters, 2), Is.EqualTo(mean));
        }

        public void Dispose()
        {
            _operation.Dispose();
            _parameters.Dispose();
            foreach (DeviceTensor tensor in (DeviceTensor[])[_input, _residual, _output, _gradient, _residualGradient]) tensor.Buffer.Dispose();
        }

        private void Fill(int batch)
        {
            int count = batch * _shape.Elements;
            _device.Upload(_x.AsSpan(0, count), _input.WithBatch(batch));
            _device.Upload(_skip.AsSpan(0, count), _residual.WithBatch(batch));
            _device.Upload(_dy.AsSpan(0, count), _gradient.WithBatch(batch));
            _device.Upload(_dSkip.AsSpan(0, count), _residualGradient.WithBatch(batch));
        }

        private int[] Indices(int channel, int batch) =>
            [.. from n in Enumerable.Range(0, batch) from p in Enumerable.Range(0, _shape.Positions) select n * _shape.Elements + channel * _shape.Positions + p];
    }
}
