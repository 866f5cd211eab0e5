using Asni.Devices;
using Asni.Tensors;
using BenchmarkDotNet.Attributes;

namespace Asni.Bench;

/// <summary>Convolutions and linear layers with all of their weights.</summary>
[BenchmarkCategory("convolution")]
public class ConvolutionBenchmarks : LayerBenchmarks
{
    private static readonly Dictionary<string, ConvolutionSpec> s_layers = new()
    {
        ["conv6 64-64 32x32"] = NewSpec(60, new Chw(64, 32, 32), 64, 3),
        ["conv6 256-256 8x8"] = NewSpec(60, new Chw(256, 8, 8), 256, 3),
        ["resnet20 16-16 32x32"] = NewSpec(128, new Chw(16, 32, 32), 16, 3),
        ["resnet20 64-64 8x8"] = NewSpec(128, new Chw(64, 8, 8), 64, 3),
        ["resnet50 1x1 64-256 56x56"] = NewSpec(8, new Chw(64, 56, 56), 256, 1),
        ["resnet50 3x3 512-512 7x7"] = NewSpec(8, new Chw(512, 7, 7), 512, 3),
        ["lenet300 784-300"] = NewSpec(60, new Chw(784, 1, 1), 300, 1),
    };

    public override double Work(string benchmark) => 2.0 * Spec.Batch * Spec.Macs;
    public override Bound BoundOf(string benchmark) => Bound.Peak;

    private protected override IReadOnlyDictionary<string, ConvolutionSpec> Layers => s_layers;
}

/// <summary>Layers of pruned networks: the device takes its sparse or its dense path, whichever it expects to be faster. The work is that of the live weights.</summary>
[BenchmarkCategory("sparse convolution")]
public class SparseConvolutionBenchmarks : LayerBenchmarks
{
    private static readonly Dictionary<string, ConvolutionSpec> s_layers = new()
    {
        ["conv6 256-256 8x8"] = NewSpec(60, new Chw(256, 8, 8), 256, 3),
        ["resnet20 64-64 8x8"] = NewSpec(128, new Chw(64, 8, 8), 64, 3),
        ["resnet50 1x1 256-64 56x56"] = NewSpec(8, new Chw(256, 56, 56), 64, 1),
        ["lenet300 784-300"] = NewSpec(60, new Chw(784, 1, 1), 300, 1),
    };

    [Params(0.2, 0.05, 0.01)]
    public double Live { get; set; } = 1;

    protected override double Density => Live;
    public override double Work(string benchmark) => 2.0 * Spec.Batch * Spec.Macs * Live;
    public override Bound BoundOf(string benchmark) => Bound.Peak;

    private protected override IReadOnlyDictionary<string, ConvolutionSpec> Layers => s_layers;
}

/// <summary>Depthwise convolutions, which move more bytes than they compute: input and output once each, the weight gradient reads both.</summary>
[BenchmarkCategory("depthwise convolution")]
public class DepthwiseBenchmarks : LayerBenchmarks
{
    private static readonly Dictionary<string, ConvolutionSpec> s_layers = new()
    {
        ["mobilenet_v2 96 112x112 / 2"] = Depthwise(new Chw(96, 112, 112), stride: 2),
        ["mobilenet_v2 144 56x56"] = Depthwise(new Chw(144, 56, 56)),
        ["mobilenet_v2 576 14x14"] = Depthwise(new Chw(576, 14, 14)),
    };

    public override double Work(string benchmark) => Footprint(benchmark);
    public override Bound BoundOf(string benchmark) => benchmark == nameof(BackwardWeights) ? Bound.Read : Bound.Copy;
    public override long Footprint(string benchmark) => sizeof(float) * (long)Spec.Batch * (Spec.Input.Elements + Spec.Output.Elements);

    private protected override IReadOnlyDictionary<string, ConvolutionSpec> Layers => s_layers;

    private static ConvolutionSpec Depthwise(Chw input, int stride = 1) => NewSpec(8, input, input.Channels, 3, stride, groups: input.Channels);
}
