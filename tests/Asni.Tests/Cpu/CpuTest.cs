using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

/// <summary>What the tests of the CPU device share: seeded numbers, tensors to and from the device, parameters.</summary>
internal static class CpuTest
{
    public static float[] Random(long count, ulong seed, double scale = 1, double offset = 0)
    {
        var random = new SplitMix64(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextNormal() * scale + offset);
        return values;
    }

    public static DeviceTensor Tensor(Device device, int batch, Chw shape, float[]? nchw = null)
    {
        var tensor = new DeviceTensor(device.Allocate(device.ActivationBytes(batch, shape)), 0, batch, shape);
        if (nchw != null) device.Upload(nchw, tensor);
        return tensor;
    }

    public static float[] Read(Device device, DeviceTensor tensor)
    {
        var values = new float[tensor.Elements];
        device.Download(tensor, values);
        return values;
    }

    public static float[] Read(DeviceParameters parameters, int index, ParameterSlot slot = ParameterSlot.Value)
    {
        var values = new float[parameters.Parameters[index].Elements];
        parameters.Download(index, slot, values);
        return values;
    }

    public static Parameter Filter(int index, int outputs, int inputs, int height, int width) => new(index, $"layer{index}.weight", ParameterKind.Weight,
        new Shape(outputs, inputs, height, width), new FilterShape(outputs, inputs, height, width));

    public static Parameter Vector(int index, int length, ParameterKind kind) =>
        new(index, $"layer{index}.{kind}", kind, new Shape(length), new FilterShape(length, 1, 1, 1));

    public static ImmutableArray<Parameter> Norm(int channels) =>
    [
        Vector(0, channels, ParameterKind.NormWeight), Vector(1, channels, ParameterKind.NormBias),
        Vector(2, channels, ParameterKind.RunningMean), Vector(3, channels, ParameterKind.RunningVariance),
    ];

    /// <summary>Every element within absolute + relative * |expected|.</summary>
    public static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, double relative, double absolute, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            if (!(error <= absolute + relative * Math.Abs(expected[i])))
                Assert.Fail($"{what}: element {i} of {actual.Length} is {actual[i]}, expected {expected[i]}");
        }
    }

    public static Mask RandomMask(long length, double density, ulong seed)
    {
        var random = new SplitMix64(seed);
        var mask = new Mask(length);
        for (long i = 0; i < length; i++) mask[i] = random.NextDouble() < density;
        return mask;
    }
}
