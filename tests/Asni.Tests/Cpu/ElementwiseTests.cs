using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Cpu;

public class ElementwiseTests
{
    private static readonly int[] Sizes = [1, 15, 67, 100_003];

    [Test]
    public void Add_activates_the_sum([Values(1, 2)] int threads, [ValueSource(nameof(Sizes))] int size, [ValueSource(typeof(ActivationFunctions), nameof(ActivationFunctions.Fused))] Activation activation)
    {
        using var device = new CpuDevice(threads);
        float[] a = CpuTest.Random(size, 1, 4), b = CpuTest.Random(size, 2, 4);
        DeviceTensor left = CpuTest.Tensor(device, 1, new Chw(size, 1, 1), a), right = CpuTest.Tensor(device, 1, new Chw(size, 1, 1), b);
        device.Add(left, right, activation, left);
        CpuTest.AssertClose(CpuTest.Read(device, left), Expected(size, i => activation.Apply((double)a[i] + b[i])), 1e-6, 1e-6, "sum");
    }

    [Test]
    public void Activate_and_its_backward_agree_with_the_definition([Values(1, 2)] int threads, [ValueSource(nameof(Sizes))] int size,
        [Values] Activation activation)
    {
        using var device = new CpuDevice(threads);
        var shape = new Chw(size, 1, 1);
        bool fused = ActivationFunctions.Fused.Contains(activation);
        double tolerance = fused ? 0 : 5e-7;
        float[] x = CpuTest.Random(size, 3, 5), dy = CpuTest.Random(size, 4);
        DeviceTensor input = CpuTest.Tensor(device, 1, shape, x), output = CpuTest.Tensor(device, 1, shape), gradient = CpuTest.Tensor(device, 1, shape, dy);
        device.Activate(input, activation, output);
        CpuTest.AssertClose(CpuTest.Read(device, output), Expected(size, i => activation.Apply(x[i])), tolerance, tolerance, "y");
        device.ActivateBackward(fused ? output : input, activation, gradient);
        CpuTest.AssertClose(CpuTest.Read(device, gradient),
            Expected(size, i => activation.Derivative(fused ? activation.Apply(x[i]) : x[i]) * dy[i]), tolerance, tolerance, "dy");
    }

    [Test]
    public void Copy_copies_or_adds([Values(1, 2)] int threads, [ValueSource(nameof(Sizes))] int size, [Values] bool accumulate)
    {
        using var device = new CpuDevice(threads);
        float[] a = CpuTest.Random(size, 5), b = CpuTest.Random(size, 6);
        DeviceTensor from = CpuTest.Tensor(device, 1, new Chw(size, 1, 1), a), to = CpuTest.Tensor(device, 1, new Chw(size, 1, 1), b);
        device.Copy(from, accumulate, to);
        CpuTest.AssertClose(CpuTest.Read(device, to), Expected(size, i => accumulate ? (double)a[i] + b[i] : a[i]), 1e-6, 1e-7, "copy");
    }

    [Test]
    public void An_operation_on_part_of_a_buffer_leaves_the_rest_alone()
    {
        using var device = new CpuDevice(1);
        var shape = new Chw(5, 1, 1);
        DeviceTensor whole = CpuTest.Tensor(device, 3, shape, CpuTest.Random(15, 7));
        float[] before = CpuTest.Read(device, whole);
        device.Activate(whole.WithBatch(1) with { ByteOffset = 20 }, Activation.Relu, whole.WithBatch(1) with { ByteOffset = 20 });
        float[] after = CpuTest.Read(device, whole);
        Assert.That(after[..5], Is.EqualTo(before[..5]));
        Assert.That(after[10..], Is.EqualTo(before[10..]));
        Assert.That(after[5..10], Is.All.GreaterThanOrEqualTo(0));
    }

    [Test]
    public void NaN_goes_through_an_activation([Values] Activation activation)
    {
        using var device = new CpuDevice(1);
        var values = new float[40];
        Array.Fill(values, float.NaN);
        DeviceTensor x = CpuTest.Tensor(device, 1, new Chw(40, 1, 1), values);
        device.Activate(x, activation, x);
        Assert.That(CpuTest.Read(device, x), Is.All.NaN);
    }

    private static double[] Expected(int size, Func<int, double> element) => Enumerable.Range(0, size).Select(element).ToArray();
}
