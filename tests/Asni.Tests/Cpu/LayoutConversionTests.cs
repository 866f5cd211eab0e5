using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

public class LayoutConversionTests
{
    [Test]
    public void Activations_come_back_as_they_went([Values(1, 2)] int threads, [Values(1, 3, 17, 64)] int channels, [Values(1, 7, 33)] int size)
    {
        using var device = new CpuDevice(threads);
        var shape = new Chw(channels, size, size + 1);
        float[] values = CpuTest.Random(3L * shape.Elements, 1);
        DeviceTensor tensor = CpuTest.Tensor(device, 3, shape, values);
        Assert.That(CpuTest.Read(device, tensor), Is.EqualTo(values));
    }

    [Test]
    public unsafe void Activations_are_channels_last_on_the_device()
    {
        using var device = new CpuDevice(1);
        DeviceTensor tensor = CpuTest.Tensor(device, 1, new Chw(2, 1, 3), [0, 1, 2, 10, 11, 12]);
        Assert.That(new ReadOnlySpan<float>(CpuBuffer.Floats(tensor), 6).ToArray(), Is.EqualTo(new float[] { 0, 10, 1, 11, 2, 12 }));
    }

    [Test]
    public void Images_are_normalized([Values(1, 2)] int threads, [Values(1, 2, 3)] int channels, [Values(1, 5, 40)] int size)
    {
        using var device = new CpuDevice(threads);
        var shape = new Chw(channels, size, size);
        var random = new SplitMix64(3);
        var pixels = new byte[16 * shape.Elements];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)random.Next(256);
        float[] mean = [0.4914f, 0.1307f, 0.4465f], std = [0.2023f, 0.3081f, 0.2010f];
        DeviceTensor tensor = CpuTest.Tensor(device, 16, shape);
        device.UploadImages(pixels, new Normalization(mean[..channels], std[..channels]), tensor);
        var expected = new double[pixels.Length];
        for (int i = 0; i < pixels.Length; i++)
        {
            int c = i / shape.Positions % channels;
            expected[i] = (pixels[i] / 255.0 - mean[c]) / std[c];
        }
        CpuTest.AssertClose(CpuTest.Read(device, tensor), expected, 1e-6, 1e-6, "pixels");
    }

    [Test]
    public void A_normalization_of_other_channels_is_refused()
    {
        using var device = new CpuDevice(1);
        DeviceTensor tensor = CpuTest.Tensor(device, 1, new Chw(3, 2, 2));
        Assert.That(() => device.UploadImages(new byte[12], new Normalization([0f], [1f]), tensor), Throws.TypeOf<AsniException>());
    }

    [Test]
    public void Parameters_come_back_as_they_went([Values(1, 2)] int threads, [Values(1, 10, 65)] int outputs, [Values(1, 3, 40)] int inputs,
        [Values(1, 3)] int kernel)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Filter(0, outputs, inputs, kernel, kernel + 1),
            CpuTest.Vector(1, 7, ParameterKind.Bias)]);
        foreach (ParameterSlot slot in Enum.GetValues<ParameterSlot>())
        {
            float[] values = CpuTest.Random(parameters.Parameters[0].Elements, (ulong)slot + 5);
            Assert.That(CpuTest.Read(parameters, 0, slot), Is.All.Zero, "before");
            parameters.Upload(0, slot, values);
            Assert.That(CpuTest.Read(parameters, 0, slot), Is.EqualTo(values));
        }
        Assert.That(CpuTest.Read(parameters, 1), Is.All.Zero);
    }

    [Test]
    public unsafe void Filters_have_outputs_last_on_the_device_and_start_on_64_bytes()
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Vector(0, 3, ParameterKind.Bias), CpuTest.Filter(1, 5, 4, 3, 2)]);
        float[] values = CpuTest.Random(120, 2);
        parameters.Upload(1, ParameterSlot.Value, values);
        float* stored = CpuBuffer.Floats(parameters.Value(1));
        Assert.That((nuint)stored % 64, Is.EqualTo((nuint)0));
        for (int o = 0; o < 5; o++)
            for (int i = 0; i < 4; i++)
                for (int h = 0; h < 3; h++)
                    for (int w = 0; w < 2; w++)
                        Assert.That(stored[((h * 2 + w) * 4 + i) * 5 + o], Is.EqualTo(values[((o * 4 + i) * 3 + h) * 2 + w]));
    }

    [Test]
    public void Masks_come_back_as_they_went_and_clear_what_they_prune([Values(1, 2)] int threads, [Values(1, 10, 65)] int outputs,
        [Values(1, 17)] int inputs)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Filter(0, outputs, inputs, 3, 3)]);
        long count = parameters.Parameters[0].Elements;
        float[] values = CpuTest.Random(count, 9);
        foreach (ParameterSlot slot in Enum.GetValues<ParameterSlot>()) parameters.Upload(0, slot, values);
        Mask mask = CpuTest.RandomMask(count, 0.4, 10);
        mask[0] = false;
        parameters.SetMask(0, mask);
        Mask? back = parameters.GetMask(0);
        Assert.That(back, Is.Not.Null);
        Assert.That(back.Words.ToArray(), Is.EqualTo(mask.Words.ToArray()));
        Assert.That(parameters.Live(0), Is.EqualTo(mask.Live));
        float[] kept = values.Select((v, i) => mask[i] ? v : 0).ToArray();
        foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.State0, ParameterSlot.State1])
        {
            Assert.That(CpuTest.Read(parameters, 0, slot), Is.EqualTo(kept));
            parameters.Upload(0, slot, values);
            Assert.That(CpuTest.Read(parameters, 0, slot), Is.EqualTo(kept), "an upload brings nothing back");
        }
        parameters.SetMask(0, null);
        Assert.That(parameters.GetMask(0), Is.Null);
        Assert.That(parameters.Live(0), Is.EqualTo(count));
    }

    [Test]
    public void A_nonsense_number_of_threads_is_refused() =>
        Assert.That(() => new CpuDevice(0), Throws.TypeOf<UsageException>().With.Message.Contains("threads"));
}
