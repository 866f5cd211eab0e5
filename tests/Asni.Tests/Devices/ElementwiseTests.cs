using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ElementwiseTests(DeviceCase device) : DeviceTests
{
    private static readonly Chw[] Shapes = [new(1, 1, 1), new(3, 5, 7), new(16, 2, 2), new(17, 9, 9), new(64, 1, 1), new(64, 8, 8)];

    [Test]
    public void Activations_come_back_as_they_were_uploaded([Values(1, 3)] int batch)
    {
        using Workbench bench = device.Open();
        foreach (Chw shape in Shapes)
        {
            float[] values = Values.Random(1, batch * shape.Elements);
            Assert.That(bench.Read(bench.Tensor(batch, shape, values)), Is.EqualTo(values), $"{batch} x {shape}");
        }
    }

    [Test]
    public void Uploading_part_of_a_batch_leaves_the_rest()
    {
        using Workbench bench = device.Open();
        var shape = new Chw(17, 3, 2);
        float[] values = Values.Random(1, 5 * shape.Elements);
        DeviceTensor tensor = bench.Tensor(5, shape, values);
        bench.Device.Upload(Values.Constant(2 * shape.Elements, 8), tensor.WithBatch(2));
        Array.Fill(values, 8, 0, 2 * shape.Elements);
        Assert.That(bench.Read(tensor), Is.EqualTo(values));
    }

    [Test]
    public void Memory_is_zeroed()
    {
        using Workbench bench = device.Open();
        var shape = new Chw(17, 3, 3);
        DeviceBuffer buffer = bench.Own(bench.Device.Allocate(bench.Device.ActivationBytes(2, shape)));
        Assert.That(bench.Read(new DeviceTensor(buffer, 0, 2, shape)), Is.All.EqualTo(0f));
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(4)]
    public void Images_are_scaled_and_normalized_by_channel(int channels)
    {
        using Workbench bench = device.Open();
        var shape = new Chw(channels, 7, 5);
        float[] mean = [0.4914f, 0.4822f, 0.4465f, 0.5f], std = [0.2023f, 0.1994f, 0.2010f, 0.25f];
        byte[] pixels = [.. Enumerable.Range(0, 3 * shape.Elements).Select(i => (byte)(i * 37))];
        DeviceTensor tensor = bench.Unwritten(3, shape);
        bench.Device.UploadImages(pixels, new Normalization(mean[..channels], std[..channels]), tensor);
        float[] actual = bench.Read(tensor);
        for (int i = 0; i < actual.Length; i++)
        {
            int c = i / shape.Positions % channels;
            Assert.That(actual[i], Is.EqualTo((pixels[i] / 255.0 - mean[c]) / std[c]).Within(2e-6), $"element {i}");
        }
    }

    [Test]
    public void Add_and_activate_agree_with_the_reference(
        [ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Fused))] Activation activation, [Values] bool inPlace)
    {
        foreach (Chw shape in Shapes)
        {
            Outputs expected = Run(DeviceCase.OpenReference(), shape, activation, inPlace);
            Outputs actual = Run(device.Open(), shape, activation, inPlace);
            Outputs.AssertClose(expected, actual, 0, 1e-6, shape);
        }
    }

    [Test]
    public void Copy_overwrites_or_accumulates()
    {
        using Workbench bench = device.Open();
        foreach (Chw shape in Shapes)
        {
            float[] a = Values.Random(1, 3 * shape.Elements), b = Values.Random(2, 3 * shape.Elements);
            DeviceTensor from = bench.Tensor(3, shape, a), to = bench.Unwritten(3, shape);
            bench.Device.Copy(from, false, to);
            Assert.That(bench.Read(to), Is.EqualTo(a));
            bench.Device.Upload(b, from);
            bench.Device.Copy(from.WithBatch(2), true, to.WithBatch(2));
            float[] sum = [.. a.Select((v, i) => i < 2 * shape.Elements ? v + b[i] : v)];
            Assert.That(bench.Read(to), Is.EqualTo(sum));
        }
    }

    private static Outputs Run(Workbench bench, Chw shape, Activation activation, bool inPlace)
    {
        using Workbench _ = bench;
        var outputs = new Outputs();
        float[] left = Values.Random(1, 3 * shape.Elements, 5), right = Values.Random(2, 3 * shape.Elements, 5);
        DeviceTensor a = bench.Tensor(3, shape, left), b = bench.Tensor(3, shape, right), y = inPlace ? a : bench.Unwritten(3, shape);
        bench.Device.Add(a.WithBatch(2), b.WithBatch(2), activation, y.WithBatch(2));
        outputs.Add("add", bench.Read(y.WithBatch(2)));
        bench.Device.Upload(right, y);
        bench.Device.Add(b, y, activation, y);
        outputs.Add("add onto the second", bench.Read(y));

        DeviceTensor x = bench.Tensor(3, shape, left), z = inPlace ? x : bench.Unwritten(3, shape);
        bench.Device.Activate(x, activation, z);
        outputs.Add("activate", bench.Read(z));
        DeviceTensor dz = bench.Tensor(3, shape, right);
        bench.Device.ActivateBackward(z, activation, dz);
        outputs.Add("backward", bench.Read(dz));
        return outputs;
    }
}
