using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ConvolutionTests(DeviceCase device) : DeviceTests
{
    private static readonly Chw[] Sizes = [new(0, 1, 1), new(0, 2, 2), new(0, 5, 7), new(0, 9, 9)];

    /// <summary>Channels in and out and groups; the grid walks through them so that each kernel meets many.</summary>
    private static readonly (int In, int Out, int Groups)[] Channels =
    [
        (1, 16, 1), (3, 17, 1), (3, 64, 1), (16, 16, 1), (17, 3, 1), (24, 24, 24), (16, 24, 1), (64, 64, 64), (24, 16, 2), (17, 17, 17),
        (64, 24, 1), (1, 1, 1), (24, 3, 3), (17, 64, 1), (16, 32, 16), (64, 64, 4), (3, 3, 3),
    ];

    private static readonly (int Prepared, int Run)[] Batches = [(1, 1), (3, 3), (5, 5), (5, 2), (3, 1)];

    [Test]
    public void Every_kernel_stride_padding_and_size_agrees_with_the_reference([Values(1, 2, 3, 5, 7)] int kernel,
        [Values(1, 2, 3)] int stride)
    {
        int turn = kernel * 5 + stride;
        for (int padding = 0; padding <= 3; padding++)
            foreach (Chw size in Sizes)
            {
                if (size.Height + 2 * padding < kernel) continue;
                turn++;
                (int channelsIn, int channelsOut, int groups) = Channels[turn % Channels.Length];
                (int prepared, int run) = Batches[turn % Batches.Length];
                var spec = new ConvolutionSpec(prepared, size with { Channels = channelsIn },
                    new FilterShape(channelsOut, channelsIn / groups, kernel, kernel), stride, padding, groups, turn % 2 == 0,
                    (Activation)(turn % 3), true, true);
                new ConvolutionCase(spec, run, turn % 4 >= 2).AssertAgrees(device);
            }
    }

    [TestCase(3, 64, 7, 2, 3, 32, 1)]
    [TestCase(3, 16, 3, 1, 1, 32, 1)]
    [TestCase(16, 16, 3, 1, 1, 32, 1)]
    [TestCase(64, 64, 3, 1, 1, 16, 1)]
    [TestCase(64, 128, 3, 2, 1, 14, 1)]
    [TestCase(64, 128, 1, 2, 0, 14, 1)]
    [TestCase(128, 512, 1, 1, 0, 7, 1)]
    [TestCase(512, 96, 3, 1, 1, 2, 1)]
    [TestCase(96, 96, 3, 2, 1, 28, 96)]
    [TestCase(144, 144, 3, 1, 1, 14, 144)]
    public void Shapes_of_the_networks_agree_with_the_reference(int channelsIn, int channelsOut, int kernel, int stride, int padding,
        int size, int groups)
    {
        var spec = new ConvolutionSpec(2, new Chw(channelsIn, size, size),
            new FilterShape(channelsOut, channelsIn / groups, kernel, kernel), stride, padding, groups, false, Activation.Relu, true, true);
        new ConvolutionCase(spec, 2, false).AssertAgrees(device);
        new ConvolutionCase(spec, 1, true).AssertAgrees(device);
    }

    [TestCase(1, 28, 28, 300)]
    [TestCase(300, 1, 1, 100)]
    [TestCase(100, 1, 1, 10)]
    [TestCase(64, 4, 4, 256)]
    [TestCase(17, 3, 5, 13)]
    [TestCase(1, 1, 1, 1)]
    [TestCase(512, 1, 1, 1000)]
    public void Linear_layers_read_their_input_flattened_in_CHW_order(int channels, int height, int width, int outputs)
    {
        var input = new Chw(channels, height, width);
        foreach ((int prepared, int run) in ((int, int)[])[(1, 1), (7, 7), (60, 60), (60, 13)])
        {
            if ((long)run * input.Elements * outputs > 8_000_000) continue;
            var spec = new ConvolutionSpec(prepared, input, new FilterShape(outputs, channels, height, width), 1, 0, 1, true,
                (Activation)(run % 3), true, true);
            new ConvolutionCase(spec, run, run == 7).AssertAgrees(device);
        }
    }

    [TestCase(0)]
    [TestCase(0.02)]
    [TestCase(0.5)]
    public void A_masked_layer_agrees_where_its_weights_live(double density)
    {
        var dense = new ConvolutionSpec(3, new Chw(24, 6, 5), new FilterShape(33, 24, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        var depthwise = dense with { Filter = new FilterShape(24, 1, 3, 3), Groups = 24 };
        var linear = dense with { Filter = new FilterShape(50, 24, 6, 5), Padding = 0 };
        foreach (ConvolutionSpec spec in (ConvolutionSpec[])[dense, depthwise, linear])
            new ConvolutionCase(spec, 3, false, density).AssertAgrees(device);
    }

    [Test]
    public void An_operation_prepared_for_inference_or_without_an_input_gradient_agrees()
    {
        var spec = new ConvolutionSpec(3, new Chw(3, 9, 9), new FilterShape(16, 3, 3, 3), 1, 1, 1, true, Activation.Relu6, true, false);
        new ConvolutionCase(spec, 3, false).AssertAgrees(device);
        new ConvolutionCase(spec with { Training = false }, 3, false).AssertAgrees(device);
    }

    [TestCase(3)]
    [TestCase(1)]
    public void The_same_step_twice_gives_the_same_bits(int kernel)
    {
        var spec = new ConvolutionSpec(5, new Chw(24, 9, 9), new FilterShape(40, 24, kernel, kernel), 1, kernel / 2, 1, true,
            Activation.Relu, true, true);
        var step = new ConvolutionCase(spec, 5, true);
        Outputs first = step.Run(new Workbench(device.Create()), null), second = step.Run(new Workbench(device.Create()), null);
        Outputs.AssertClose(first, second, 0, 0, step);
    }
}
