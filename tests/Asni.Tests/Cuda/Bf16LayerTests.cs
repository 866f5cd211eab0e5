using Asni.Cuda;
using Asni.Devices;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Methods;
using Asni.Tests.Reference;

namespace Asni.Tests.Cuda;

/// <summary>Layers on bf16 activations, whose chunks have 8 channels: beside the reference on the same numbers, which bf16 has exactly.</summary>
[NonParallelizable]
public class Bf16LayerTests
{
    private const int Batch = 3;
    private static readonly int[] Channels = [3, 4, 8, 16, 24, 64, 72, 130, 256];

    [SetUp]
    public void NeedADriver() => CudaTest.Open().Dispose();

    [TestCase(2, 2, 0)]
    [TestCase(3, 2, 1)]
    [TestCase(3, 1, 1)]
    public void Max_pooling_agrees_with_the_reference(int size, int stride, int padding)
    {
        foreach (int channels in Channels)
            foreach (bool accumulate in (bool[])[false, true])
                AssertAgrees(new PoolingSpec(PoolingKind.Max, Batch, new Chw(channels, 5, 6), size, stride, padding, true), accumulate);
    }

    [Test]
    public void Global_average_pooling_agrees_with_the_reference()
    {
        foreach (int channels in Channels)
            foreach (int side in (int[])[1, 3, 7])
                AssertAgrees(new PoolingSpec(PoolingKind.GlobalAverage, Batch, new Chw(channels, side, side), 0, 0, 0, true), side == 3);
    }

    [Test]
    public void Batch_norm_agrees_with_the_reference([Values(1, 7, 40)] int positions, [Values] bool add)
    {
        foreach (int channels in Channels)
        {
            var spec = new BatchNormSpec(Batch, new Chw(channels, 1, positions), 1e-5f, 0.1f, add, Activation.Relu, true);
            Outputs expected = BatchNormTests.Run(DeviceCase.OpenReference(), spec, Batch, 0.5f, false, false, null, Rounded);
            Outputs actual = BatchNormTests.Run(Open(), spec, Batch, 0.5f, false, false, expected, Rounded);
            Outputs.AssertClose(expected, actual, 1e-3, 1.0 / 256, $"{spec}");
        }
    }

    [Test]
    public void Smooth_activations_agree_with_the_reference([ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Smooth))] Activation activation)
    {
        float[] x = [.. Values.Random(1, 3001, 12).Select(Rounded)], dy = [.. Values.Random(2, 3001).Select(Rounded)];
        Outputs.AssertClose(Run(DeviceCase.OpenReference()), Run(Open()), 1e-6, 1.0 / 256, activation);

        Outputs Run(Workbench opened)
        {
            using Workbench bench = opened;
            var shape = new Chw(x.Length, 1, 1);
            DeviceTensor from = bench.Tensor(1, shape, x), to = bench.Unwritten(1, shape), gradient = bench.Tensor(1, shape, dy);
            bench.Device.Activate(from, activation, to);
            bench.Device.ActivateBackward(from, activation, gradient);
            var outputs = new Outputs();
            outputs.Add("values", bench.Read(to));
            outputs.Add("gradient", bench.Read(gradient));
            return outputs;
        }
    }

    private static void AssertAgrees(PoolingSpec spec, bool accumulate)
    {
        Outputs expected = PoolingTests.Run(DeviceCase.OpenReference(), spec, Batch, accumulate, Input, Rounded);
        Outputs actual = PoolingTests.Run(Open(), spec, Batch, accumulate, Input, Rounded);
        Outputs.AssertClose(expected, actual, 1e-6, 1.0 / 256, $"{spec}, accumulate {accumulate}");
    }

    [Test]
    public void A_method_that_compares_nearly_equal_weights_is_refused()
    {
        using var device = new CudaDevice(0, CudaPrecision.Bf16);
        Assert.That(() => MethodRunner.Run(MethodTests.With(new Grasp()), MethodTests.Net, MethodTests.Data, device), Throws.TypeOf<UsageException>().With.Message.Contains("computes in fp32"));
    }

    private static Workbench Open() => new(new CudaDevice(0, CudaPrecision.Bf16));

    private static float[] Input(long count) => [.. Values.Random(1, count).Select(Rounded)];

    /// <summary>Towards zero.</summary>
    private static float Rounded(float x) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(x) & 0xffff0000u);
}
