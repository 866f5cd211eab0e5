using System.Collections.Immutable;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Onnx;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Inference;

/// <summary>A trained network for inference alone: batch-norm is part of the layer before it wherever that layer feeds nothing else. Masks stay as they are.</summary>
internal sealed class FoldedNetwork
{
    private readonly Network _network;
    private readonly TrainedNetwork _trained;
    private readonly BatchNormFolding _folding;
    private readonly ImmutableArray<Node>.Builder _nodes = ImmutableArray.CreateBuilder<Node>();
    private readonly ImmutableArray<Parameter>.Builder _parameters = ImmutableArray.CreateBuilder<Parameter>();
    private readonly ImmutableArray<float[]>.Builder _values = ImmutableArray.CreateBuilder<float[]>();
    private readonly ImmutableArray<Mask?>.Builder _masks = ImmutableArray.CreateBuilder<Mask?>();

    /// <summary>New id of each old node; a folded batch-norm has that of its layer.</summary>
    private readonly int[] _ids;

    private FoldedNetwork(TrainedNetwork trained)
    {
        (_network, _trained) = (trained.Network, trained);
        _folding = BatchNormFolding.Of(trained);
        _ids = new int[_network.Nodes.Length];
    }

    public static TrainedNetwork Of(TrainedNetwork trained)
    {
        Network network = trained.Network;
        var folded = new FoldedNetwork(trained);
        foreach (Node node in network.Nodes) folded.Add(node);
        var result = new Network(network.Name, folded._nodes.ToImmutable(), folded._parameters.ToImmutable());
        return new TrainedNetwork(result, folded._values.ToImmutable(), folded._masks.ToImmutable());
    }

    private void Add(Node node)
    {
        if (node is BatchNormNode norm && _folding.Holds(norm))
        {
            _ids[node.Id] = _ids[norm.Source];
            return;
        }
        int id = _ids[node.Id] = _nodes.Count;
        _nodes.Add(node switch
        {
            InputNode n => new InputNode(id, n.Output),
            ConvolutionNode n => Convolution(n, id),
            LinearNode n => Linear(n, id),
            BatchNormNode n => new BatchNormNode(id, n.Name, _ids[n.Source], n.Output, Keep(n.Weight), Keep(n.Bias), Keep(n.RunningMean), Keep(n.RunningVariance),
                n.Epsilon, n.Momentum),
            ReluNode n => new ReluNode(id, n.Name, _ids[n.Source], n.Output, n.Six),
            AddNode n => new AddNode(id, n.Name, _ids[n.Left], _ids[n.Right], n.Output),
            MaxPoolNode n => new MaxPoolNode(id, n.Name, _ids[n.Source], n.Output, n.Size, n.Stride, n.Padding),
            GlobalAveragePoolNode n => new GlobalAveragePoolNode(id, n.Name, _ids[n.Source], n.Output),
            _ => throw new InvalidOperationException($"a {node.GetType().Name} in {_network.Name}"),
        });
    }

    private ConvolutionNode Convolution(ConvolutionNode n, int id)
    {
        (Parameter weight, Parameter? bias) = Layer(n, n.Weight, n.Bias);
        return new ConvolutionNode(id, n.Name, _ids[n.Source], n.Output, weight, bias, n.Stride, n.Padding, n.Groups);
    }

    private LinearNode Linear(LinearNode n, int id)
    {
        (Parameter weight, Parameter? bias) = Layer(n, n.Weight, n.Bias);
        return new LinearNode(id, n.Name, _ids[n.Source], n.Output, weight, bias);
    }

    private (Parameter Weight, Parameter? Bias) Layer(Node layer, Parameter weight, Parameter? bias)
    {
        (float[] values, float[]? offsets) = _folding.Apply(layer, _trained.Values[weight.Index], bias is null ? null : _trained.Values[bias.Index]);
        Parameter folded = Add(weight, values, _trained.Masks[weight.Index]);
        if (offsets is null) return (folded, null);
        int outputs = weight.Filter.Out;
        Parameter offset = bias ?? new Parameter(0, layer.Name + ".bias", ParameterKind.Bias, new Shape(outputs), new FilterShape(outputs, 1, 1, 1));
        return (folded, Add(offset, offsets, null));
    }

    private Parameter Keep(Parameter parameter) => Add(parameter, _trained.Values[parameter.Index], _trained.Masks[parameter.Index]);

    private Parameter Add(Parameter parameter, float[] values, Mask? mask)
    {
        Parameter added = parameter with { Index = _parameters.Count };
        _parameters.Add(added);
        _values.Add(values);
        _masks.Add(mask);
        return added;
    }
}
