using Asni.Networks;
using TorchSharp;
using static TorchSharp.torch;
using TorchParameter = TorchSharp.Modules.Parameter;

namespace Asni.Peers;

/// <summary>A network's graph, computed by the functions of libtorch that PyTorch's modules call. What no later node reads is let go at once, as there.</summary>
internal sealed class TorchNetwork : IDisposable
{
    private readonly Network _network;
    private readonly bool _training;
    private readonly Tensor[] _parameters;

    /// <summary>The node that is the last to read each node's value.</summary>
    private readonly int[] _lastReader;

    /// <param name="channelsLast">Filters are kept as libtorch's channels_last memory format has them.</param>
    public TorchNetwork(TrainedNetwork trained, bool training, bool channelsLast)
    {
        _network = trained.Network;
        _training = training;
        _lastReader = [.. _network.Nodes.Select(n => _network.Nodes.LastOrDefault(r => r.Inputs.Contains(n.Id))?.Id ?? -1)];
        _parameters = [.. _network.Parameters.Select(p => Create(p, trained.Values[p.Index], training, channelsLast))];
    }

    /// <summary>What an optimizer updates.</summary>
    public IEnumerable<TorchParameter> Trained => _parameters.OfType<TorchParameter>();

    /// <param name="images">[N, C, H, W]</param>
    /// <returns>[N, classes]</returns>
    public Tensor Forward(Tensor images)
    {
        var values = new Tensor[_network.Nodes.Length];
        foreach (Node node in _network.Nodes)
        {
            values[node.Id] = Compute(node, values, images);
            // The images are the caller's.
            foreach (int input in node.Inputs.Where(i => i != 0 && _lastReader[i] == node.Id).Distinct()) values[input].Dispose();
        }
        return values[^1].dim() == 2 ? values[^1] : values[^1].flatten(1);
    }

    /// <summary>The same numbers with the channels of a position side by side; libtorch knows the format by its strides.</summary>
    public static Tensor ToChannelsLast(Tensor nchw) => nchw.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    public void Dispose()
    {
        foreach (Tensor parameter in _parameters) parameter.Dispose();
    }

    private static Tensor Create(Parameter p, float[] values, bool training, bool channelsLast)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor all = tensor(values).reshape([.. p.Shape.Dims.Select(d => (long)d)]);
        if (channelsLast && p.Shape.Dims.Length == 4) all = ToChannelsLast(all);
        return (training && p.IsTrained ? new TorchParameter(all) : all).MoveToOuterDisposeScope();
    }

    private Tensor Compute(Node node, Tensor[] values, Tensor images) => node switch
    {
        InputNode => images,
        ConvolutionNode c => nn.functional.conv2d(values[c.Source], Of(c.Weight)!, Of(c.Bias), [c.Stride, c.Stride], [c.Padding, c.Padding], [1, 1], c.Groups),
        LinearNode l => Linear(l, values[l.Source]),
        BatchNormNode b => nn.functional.batch_norm(values[b.Source], Of(b.RunningMean)!, Of(b.RunningVariance)!, Of(b.Weight), Of(b.Bias), _training, b.Momentum, b.Epsilon),
        ActivationNode a => Activate(a.Activation, values[a.Source]),
        AddNode a => values[a.Left] + values[a.Right],
        MaxPoolNode p => nn.functional.max_pool2d(values[p.Source], p.Size, p.Stride, p.Padding),
        GlobalAveragePoolNode p => nn.functional.adaptive_avg_pool2d(values[p.Source], 1),
        _ => throw new AsniException($"{node.Kind} has no form in libtorch here."),
    };

    private static Tensor Activate(Activation activation, Tensor x) => activation switch
    {
        Activation.Relu => nn.functional.relu(x),
        Activation.Relu6 => nn.functional.relu6(x),
        Activation.Silu => nn.functional.silu(x),
        Activation.Gelu => nn.functional.gelu(x),
        _ => throw new AsniException($"{activation} has no form in libtorch here."),
    };

    private Tensor Linear(LinearNode l, Tensor x)
    {
        if (x.dim() == 2) return nn.functional.linear(x, Of(l.Weight)!, Of(l.Bias));
        using Tensor flat = x.flatten(1);
        return nn.functional.linear(flat, Of(l.Weight)!, Of(l.Bias));
    }

    private Tensor? Of(Parameter? parameter) => parameter is null ? null : _parameters[parameter.Index];
}
