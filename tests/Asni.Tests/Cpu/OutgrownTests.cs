using Asni.Cpu;
using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Cpu;

/// <summary>Tensors larger than the last cache are written past it: how does not show in what is written.</summary>
public class OutgrownTests
{
    [TearDown]
    public void AsTheMachineSays()
    {
        Caches.Outgrows = null;
        Winograd.Forced = null;
    }

    [TestCase(16)]
    [TestCase(48)]
    public void Batch_norm_gives_the_same_bits(int channels)
    {
        var shape = new Chw(channels, 9, 7);
        AssertSame(bench =>
        {
            var operation = bench.Own(bench.Device.CreateBatchNorm(new BatchNormSpec(5, shape, 1e-5f, 0.1f, true, Activation.Relu, true)));
            DeviceParameters p = bench.Own(bench.Device.CreateParameters(CpuTest.Norm(channels)));
            for (int i = 0; i < 4; i++) p.Upload(i, ParameterSlot.Value, Values.Random((ulong)i, channels, 0.5f, 1));
            DeviceTensor x = bench.Tensor(5, shape, Values.Random(5, 5L * shape.Elements)), skip = bench.Tensor(5, shape, Values.Random(6, 5L * shape.Elements)),
                y = Aligned(bench, 5, shape);
            operation.ForwardTraining(x, new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3)), skip, y);
            return bench.Read(y);
        });
    }

    [Test]
    public void Minimal_filtering_gives_the_same_bits([Values] bool backward)
    {
        Winograd.Forced = true;
        var spec = new ConvolutionSpec(3, new Chw(32, 9, 10), new FilterShape(48, 32, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        AssertSame(bench =>
        {
            ConvolutionOperation operation = bench.Own(bench.Device.CreateConvolution(spec));
            DeviceParameters p = bench.Parameters((ParameterKind.Weight, spec.Filter), (ParameterKind.Bias, new FilterShape(48, 1, 1, 1)));
            p.Upload(0, ParameterSlot.Value, Values.Random(1, p.Parameters[0].Elements));
            p.Upload(1, ParameterSlot.Value, Values.Random(2, 48));
            (Chw from, Chw to) = backward ? (spec.Output, spec.Input) : (spec.Input, spec.Output);
            DeviceTensor given = bench.Tensor(3, from, Values.Random(3, 3L * from.Elements)), result = Aligned(bench, 3, to);
            if (backward) operation.BackwardData(given, p.Value(0), false, result);
            else operation.Forward(given, p.Value(0), p.Value(1), result);
            return bench.Read(result);
        });
    }

    [Test]
    public void The_gradient_of_max_pooling_gives_the_same_bits()
    {
        var spec = new PoolingSpec(PoolingKind.Max, 4, new Chw(32, 8, 6), 2, 2, 0, true);
        AssertSame(bench =>
        {
            PoolingOperation operation = bench.Own(bench.Device.CreatePooling(spec));
            DeviceTensor x = bench.Tensor(4, spec.Input, Values.Random(1, 4L * spec.Input.Elements)), y = bench.Unwritten(4, spec.Output),
                dy = bench.Tensor(4, spec.Output, Values.Random(2, 4L * spec.Output.Elements)), dx = Aligned(bench, 4, spec.Input);
            operation.Forward(x, y);
            operation.Backward(dy, false, dx);
            return bench.Read(dx);
        });
    }

    /// <summary>As activations lie in a plan; stores past the caches need whole lines.</summary>
    private static DeviceTensor Aligned(Workbench bench, int batch, Chw shape)
    {
        DeviceTensor unwritten = bench.Unwritten(batch, shape);
        Assert.That(unwritten.ByteOffset % Caches.Line, Is.Zero);
        return unwritten;
    }

    private static void AssertSame(Func<Workbench, float[]> run)
    {
        foreach (int threads in (int[])[1, 2])
        {
            Assert.That(Run(0), Is.EqualTo(Run(long.MaxValue)).And.None.NaN, $"{threads} threads");

            float[] Run(long outgrows)
            {
                Caches.Outgrows = outgrows;
                using var bench = new Workbench(new CpuDevice(threads));
                return run(bench);
            }
        }
    }
}
