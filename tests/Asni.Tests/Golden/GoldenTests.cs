using Asni.Devices;
using Asni.Tests.Devices;

namespace Asni.Tests.Golden;

/// <summary>Whole networks against PyTorch's numbers for the same weights and inputs.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class GoldenTests(DeviceCase device)
{
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
        GoldenComparison.AssertMatches(opened, file, spare: 3, relative: 1e-4);
    }
}
