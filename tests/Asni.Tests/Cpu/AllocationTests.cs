using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

public class AllocationTests
{
    [Test]
    public void Steps_do_not_allocate([Values(1, 2)] int threads)
    {
        using var device = new CpuDevice(threads);
        var shape = new Chw(24, 20, 20);
        DeviceTensor x = CpuTest.Tensor(device, 8, shape, CpuTest.Random(8L * shape.Elements, 1)), y = CpuTest.Tensor(device, 8, shape);
        DeviceTensor logits = CpuTest.Tensor(device, 8, new Chw(24, 1, 1)), gradient = CpuTest.Tensor(device, 8, new Chw(24, 1, 1));
        using DeviceParameters parameters = device.CreateParameters([.. CpuTest.Norm(24), CpuTest.Filter(4, 64, 64, 3, 3)]);
        parameters.Upload(4, ParameterSlot.Value, CpuTest.Random(36864, 2));
        using BatchNormOperation norm = device.CreateBatchNorm(new BatchNormSpec(8, shape, 1e-5f, 0.1f, true, Activation.Relu, true));
        using PoolingOperation pooling = device.CreatePooling(new PoolingSpec(PoolingKind.GlobalAverage, 8, shape, 0, 0, 0, true));
        using LossOperation loss = device.CreateLoss(8, 24, 0.1f);
        using DeviceBuffer labels = device.Allocate(32);
        var p = new BatchNormParameters(parameters.Value(0), parameters.Value(1), parameters.Value(2), parameters.Value(3));
        var live = new long[1];
        var sums = new SignStatistics[1];
        long before = 0;
        for (int step = 1; step <= 5; step++)
        {
            // The first steps make the optimizer's state and the mask, and meet the first ties.
            if (step == 3) before = GC.GetAllocatedBytesForCurrentThread();
            norm.ForwardTraining(x, p, x, y);
            pooling.Forward(y, logits);
            loss.Run(logits, labels, gradient);
            pooling.Backward(gradient, false, y);
            norm.Backward(x, y, y, parameters.Value(0), parameters.Gradient(0), parameters.Gradient(1), true, y, y);
            device.Add(x, y, Activation.Relu, y);
            device.Copy(y, true, y);
            parameters.Update(new UpdateRule(UpdateKind.Adam, 1e-3f, 1e-4f, true, 0, false, 0.9f, 0.999f, 1e-8f, step));
            parameters.ApplyThreshold([4], parameters.FindThreshold([4], 36864 - 1000 * step), live);
            parameters.SumBySign([4], [0f], sums);
            parameters.AssignBySign(4, 0, 1, -1);
        }
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(live[0], Is.EqualTo(31864));
        Assert.That(allocated, Is.Zero);
    }
}
