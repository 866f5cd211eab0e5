using Asni.Cpu.Convolution;
using Asni.Cuda;
using Asni.Devices;
using Asni.Tests.Devices;

namespace Asni.Tests.Golden;

/// <summary>Whole networks against PyTorch's numbers for the same weights and inputs.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
[NonParallelizable]
public class GoldenTests(DeviceCase device)
{
    /// <summary>
    /// resnet18's step, of batch-norm over a few samples of one pixel, magnifies roundings of its forward pass so far that 1e-6 there moves its
    /// first gradients by 0.3 %. Plain sums are exact enough; the other networks are compared with minimal filtering too, in WinogradTests.
    /// </summary>
    [SetUp]
    public void UsePlainSums() => Winograd.Forced = false;

    [TearDown]
    public void LetTheModelChoose() => Winograd.Forced = null;

    [TestCase("lenet300")]
    [TestCase("conv6-cifar")]
    [TestCase("vgg11-cifar")]
    [TestCase("resnet20-cifar")]
    [TestCase("resnet18")]
    public void One_training_step_matches_PyTorch(string file)
    {
        using Device opened = device.Create();
        GoldenComparison.AssertMatches(opened, file, spare: 0, relative: 1e-4);
    }

    [TestCase("lenet300")]
    [TestCase("vgg11-cifar")]
    [TestCase("resnet20-cifar")]
    public void A_batch_that_is_not_full_matches_PyTorch(string file)
    {
        using Device opened = device.Create();
        if (file != "lenet300" && opened is CudaDevice && CudaDevice.IsSimulated)
            Assert.Ignore("in the simulator lenet300 is enough: NetworkTests have batches that are not full of small networks with all layers");
        GoldenComparison.AssertMatches(opened, file, spare: 1, relative: 1e-4);
    }
}
