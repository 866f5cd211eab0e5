using Asni.Cpu;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

public class PoolingTests
{
    [TestCase(2, 2, 0, 8, 8)]
    [TestCase(2, 2, 0, 7, 9)]
    [TestCase(3, 2, 1, 9, 10)]
    [TestCase(3, 2, 0, 11, 11)]
    [TestCase(3, 1, 1, 6, 5)]
    [TestCase(2, 3, 1, 8, 8)]
    [TestCase(5, 3, 2, 13, 7)]
    [TestCase(1, 1, 0, 4, 4)]
    public void Max_pooling_agrees_with_the_definition(int size, int stride, int padding, int height, int width)
    {
        foreach (int channels in (int[])[1, 16, 20, 64])
            foreach (int threads in (int[])[1, 2])
                foreach (bool accumulate in (bool[])[false, true])
                    CheckMax(new PoolingSpec(PoolingKind.Max, 12, new Chw(channels, height, width), size, stride, padding, true), threads, 11, accumulate);
    }

    [Test]
    public void The_first_of_equal_values_wins([Values(1, 16)] int channels)
    {
        using var device = new CpuDevice(1);
        var spec = new PoolingSpec(PoolingKind.Max, 1, new Chw(channels, 2, 2), 2, 2, 0, true);
        using PoolingOperation pooling = device.CreatePooling(spec);
        DeviceTensor x = CpuTest.Tensor(device, 1, spec.Input), y = CpuTest.Tensor(device, 1, spec.Output);
        pooling.Forward(x, y);
        device.Upload(Enumerable.Repeat(1f, channels).ToArray(), y);
        pooling.Backward(y, false, x);
        Assert.That(CpuTest.Read(device, x), Is.EqualTo(Enumerable.Range(0, 4 * channels).Select(i => i % 4 == 0 ? 1f : 0f)));
    }

    [Test]
    public void NaN_wins([Values(1, 16)] int channels, [Values(0, 1, 3)] int place)
    {
        using var device = new CpuDevice(1);
        var spec = new PoolingSpec(PoolingKind.Max, 1, new Chw(channels, 2, 2), 2, 2, 0, true);
        using PoolingOperation pooling = device.CreatePooling(spec);
        float[] values = Enumerable.Range(0, 4 * channels).Select(i => i % 4 == place ? float.NaN : i).ToArray();
        DeviceTensor x = CpuTest.Tensor(device, 1, spec.Input, values), y = CpuTest.Tensor(device, 1, spec.Output);
        pooling.Forward(x, y);
        Assert.That(CpuTest.Read(device, y), Is.All.NaN);
    }

    [Test]
    public void A_window_that_no_byte_can_index_is_refused()
    {
        using var device = new CpuDevice(1);
        Assert.That(() => device.CreatePooling(new PoolingSpec(PoolingKind.Max, 1, new Chw(1, 20, 20), 17, 1, 0, true)), Throws.TypeOf<AsniException>());
    }

    [Test]
    public void Global_average_agrees_with_the_definition([Values(1, 2)] int threads, [Values(1, 16, 37, 512)] int channels, [Values(1, 4, 7)] int size,
        [Values] bool accumulate)
    {
        using var device = new CpuDevice(threads);
        var spec = new PoolingSpec(PoolingKind.GlobalAverage, 6, new Chw(channels, size, size), 0, 0, 0, true);
        using PoolingOperation pooling = device.CreatePooling(spec);
        float[] values = CpuTest.Random(5L * spec.Input.Elements, 1), gradient = CpuTest.Random(5L * channels, 2), before = CpuTest.Random(values.Length, 3);
        DeviceTensor x = CpuTest.Tensor(device, 5, spec.Input, values), y = CpuTest.Tensor(device, 5, spec.Output);
        pooling.Forward(x, y);
        int positions = size * size;
        double[] means = Enumerable.Range(0, 5 * channels).Select(i => values.AsSpan(i * positions, positions).ToArray().Average(v => (double)v)).ToArray();
        CpuTest.AssertClose(CpuTest.Read(device, y), means, 1e-5, 1e-6, "y");
        device.Upload(gradient, y);
        device.Upload(before, x);
        pooling.Backward(y, accumulate, x);
        double[] dx = before.Select((b, i) => (accumulate ? b : 0.0) + (double)gradient[i / positions] / positions).ToArray();
        CpuTest.AssertClose(CpuTest.Read(device, x), dx, 1e-6, 1e-6, "dx");
    }

    private static void CheckMax(PoolingSpec spec, int threads, int batch, bool accumulate)
    {
        using var device = new CpuDevice(threads);
        using PoolingOperation pooling = device.CreatePooling(spec);
        using PoolingOperation inference = device.CreatePooling(spec with { Training = false });
        Chw input = spec.Input, output = spec.Output;
        float[] values = CpuTest.Random((long)batch * input.Elements, 1), gradient = CpuTest.Random((long)batch * output.Elements, 2);
        float[] before = CpuTest.Random(values.Length, 3);
        var expected = new double[gradient.Length];
        double[] dx = before.Select(b => accumulate ? (double)b : 0).ToArray();
        for (int i = 0; i < gradient.Length; i++)
        {
            int plane = i / output.Positions, row = i % output.Positions / output.Width, column = i % output.Width, winner = -1;
            for (int h = row * spec.Stride - spec.Padding; h < row * spec.Stride - spec.Padding + spec.Size; h++)
            {
                for (int w = column * spec.Stride - spec.Padding; w < column * spec.Stride - spec.Padding + spec.Size; w++)
                {
                    if (h < 0 || w < 0 || h >= input.Height || w >= input.Width) continue;
                    int at = plane * input.Positions + h * input.Width + w;
                    if (winner < 0 || values[at] > values[winner]) winner = at;
                }
            }
            expected[i] = values[winner];
            dx[winner] += gradient[i];
        }
        DeviceTensor x = CpuTest.Tensor(device, batch, input, values), y = CpuTest.Tensor(device, batch, output);
        inference.Forward(x, y);
        CpuTest.AssertClose(CpuTest.Read(device, y), expected, 0, 0, "y at inference");
        pooling.Forward(x, y);
        CpuTest.AssertClose(CpuTest.Read(device, y), expected, 0, 0, "y");
        device.Upload(gradient, y);
        device.Upload(before, x);
        pooling.Backward(y, accumulate, x);
        CpuTest.AssertClose(CpuTest.Read(device, x), dx, 1e-6, 1e-6, "dx");
    }
}
