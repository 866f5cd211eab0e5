using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Cpu;

/// <summary>Filters of one channel each: positions at borders and in the middle, channels that fill vectors and that do not.</summary>
public class DepthwiseTests
{
    [Test]
    public void All_passes_agree_with_the_reference(
        [Values(1, 2, 3, 5)] int kernel, [Values(1, 2, 3)] int stride, [Values(0, 1, 2)] int padding, [Values(3, 16, 40, 77)] int channels, [Values(1, 2)] int threads)
    {
        foreach ((int height, int width) in ((int, int)[])[(5, 14), (7, 2), (2, 9), (6, 1)])
        {
            var input = new Chw(channels, height, width);
            var spec = new ConvolutionSpec(3, input, new FilterShape(channels, 1, kernel, kernel), stride, padding, channels, Bias: true, Activation.Relu6, Training: true, InputGradient: true);
            if (spec.Output.Height < 1 || spec.Output.Width < 1) continue;
            new ConvolutionCase(spec, 2, Accumulate: padding == 1).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(threads)));
        }
    }

    [Test]
    public void Enough_work_for_several_threads_agrees_with_the_reference()
    {
        var spec = new ConvolutionSpec(2, new Chw(64, 19, 17), new FilterShape(64, 1, 3, 3), 1, 1, 64, Bias: false, Activation.None, Training: true, InputGradient: true);
        new ConvolutionCase(spec, 2, Accumulate: false).AssertAgrees(new DeviceCase("cpu", () => new CpuDevice(3)));
    }
}
