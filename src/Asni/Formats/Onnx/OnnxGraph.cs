using Asni.Networks;
using Asni.Tensors;
using static Asni.Formats.Onnx.OnnxMessages;

namespace Asni.Formats.Onnx;

/// <summary>Turns the nodes of a network into those of ONNX. Values are named after the layers, initializers after the parameters.</summary>
internal sealed class OnnxGraph(TrainedNetwork trained, OnnxOptions options)
{
    private const string Input = "input", Output = "logits", ClipLow = "relu6.min", ClipHigh = "relu6.max", One = "gelu.one", Half = "gelu.half", RootOfHalf = "gelu.root_of_half";

    /// <summary>Scalars that activation functions read, by the names of their initializers.</summary>
    private static readonly Dictionary<string, float> s_constants = new() { [ClipLow] = 0, [ClipHigh] = 6, [One] = 1, [Half] = 0.5f, [RootOfHalf] = 0.707106781f };

    /// <summary>Bytes of a sparse element: a 64-bit index and a float.</summary>
    private const int SparseElementBytes = sizeof(long) + sizeof(float);

    private readonly ProtoMessage _graph = new();
    private readonly List<string> _constants = [];
    private readonly string[] _values = new string[trained.Network.Nodes.Length];

    /// <summary>Nodes whose value is [N, n] already rather than [N, C, H, W].</summary>
    private readonly bool[] _flat = new bool[trained.Network.Nodes.Length];

    public ProtoMessage Build()
    {
        Network network = trained.Network;
        _graph.Text(2, network.Name);
        foreach (Node node in network.Nodes) Add(node);
        // The caller finds the result under one name whatever the last layer is called.
        _graph.Message(1, Node(_flat[^1] ? "Identity" : "Flatten", Output, [_values[^1]], Output));
        foreach (string name in _constants) _graph.Message(5, Tensor(name, [], [s_constants[name]]));
        _graph.Message(11, Value(Input, network.Input.Channels, network.Input.Height, network.Input.Width));
        _graph.Message(12, Value(Output, network.Classes));
        return _graph;
    }

    private void Add(Node node)
    {
        _flat[node.Id] = node is LinearNode || (node is ActivationNode or BatchNormNode or AddNode && _flat[node.Inputs[0]]);
        _values[node.Id] = node switch
        {
            InputNode => Input,
            ConvolutionNode c => Convolution(c),
            LinearNode l => Linear(l),
            BatchNormNode b => BatchNorm(b),
            ActivationNode a => Activate(a, _values[a.Source]),
            AddNode a => Emit("Add", a, [_values[a.Left], _values[a.Right]]),
            MaxPoolNode p => Emit("MaxPool", p, [_values[p.Source]], Attribute("kernel_shape", p.Size, p.Size),
                Attribute("strides", p.Stride, p.Stride), Attribute("pads", p.Padding, p.Padding, p.Padding, p.Padding)),
            GlobalAveragePoolNode p => Emit("GlobalAveragePool", p, [_values[p.Source]]),
            _ => throw new ArgumentException($"Node '{node.Name}' is a {node.GetType().Name}, which has no form in ONNX here."),
        };
    }

    private string Activate(ActivationNode a, string source) => a.Activation switch
    {
        Activation.Relu => Emit("Relu", a, [source]),
        Activation.Relu6 => Emit("Clip", a, [source, Constant(ClipLow), Constant(ClipHigh)]),
        Activation.Silu => Emit("Mul", a, [source, Inner("Sigmoid", a, "sigmoid", source)]),
        Activation.Gelu => Gelu(a, source),
        _ => throw new ArgumentException($"'{a.Name}' is a {a.Activation}, which has no form in ONNX here."),
    };

    /// <summary>x / 2 times 1 + erf(x / sqrt(2)): operator set 17 has no Gelu.</summary>
    private string Gelu(ActivationNode a, string source)
    {
        string error = Inner("Erf", a, "erf", Inner("Mul", a, "scaled", source, Constant(RootOfHalf)));
        return Emit("Mul", a, [Inner("Mul", a, "half", source, Constant(Half)), Inner("Add", a, "sum", error, Constant(One))]);
    }

    private string Convolution(ConvolutionNode c)
    {
        FilterShape filter = c.Weight.Filter;
        return Emit("Conv", c, Weighted(c, _values[c.Source]), Attribute("kernel_shape", filter.Height, filter.Width),
            Attribute("strides", c.Stride, c.Stride), Attribute("pads", c.Padding, c.Padding, c.Padding, c.Padding), Attribute("group", c.Groups));
    }

    private string Linear(LinearNode l)
    {
        string source = _values[l.Source];
        if (!_flat[l.Source])
        {
            source = Inner("Flatten", l, "flatten", source);
        }
        return Emit("Gemm", l, Weighted(l, source), Attribute("transB", 1L));
    }

    private string BatchNorm(BatchNormNode b)
    {
        Parameter[] inputs = [b.Weight, b.Bias, b.RunningMean, b.RunningVariance];
        foreach (Parameter p in inputs) Dense(p.Name, p.Shape, trained.Values[p.Index]);
        return Emit("BatchNormalization", b, [_values[b.Source], .. inputs.Select(p => p.Name)], Attribute("epsilon", b.Epsilon));
    }

    /// <summary>The inputs of a layer with weights, which become initializers.</summary>
    private List<string> Weighted(WeightedNode layer, string source)
    {
        Parameter weight = layer.Weight;
        var inputs = new List<string> { source, weight.Name };
        float[] values = trained.Values[weight.Index];
        Mask? mask = trained.Masks[weight.Index];
        if (options.Sparse && mask is not null && SparseElementBytes * mask.Live < sizeof(float) * weight.Elements)
            _graph.Message(15, SparseTensor(weight.Name, weight.Shape, values, mask));
        else
            Dense(weight.Name, weight.Shape, values);
        if (layer.Bias is { } bias)
        {
            Dense(bias.Name, bias.Shape, trained.Values[bias.Index]);
            inputs.Add(bias.Name);
        }
        return inputs;
    }

    private void Dense(string name, Shape shape, float[] values) => _graph.Message(5, Tensor(name, shape.Dims.Select(d => (long)d), values));

    /// <summary>A scalar's name; it becomes an initializer.</summary>
    private string Constant(string name)
    {
        if (!_constants.Contains(name)) _constants.Add(name);
        return name;
    }

    /// <summary>A step on the way to a node's value, called "NODE.what" unless a layer is.</summary>
    private string Inner(string type, Node node, string what, params IEnumerable<string> inputs)
    {
        string value = $"{node.Name}.{what}";
        while (s_constants.ContainsKey(value) || trained.Network.Nodes.Any(n => n.Name == value)) value += "_";
        _graph.Message(1, Node(type, value, inputs, value));
        return value;
    }

    private string Emit(string type, Node node, IEnumerable<string> inputs, params IEnumerable<ProtoMessage> attributes)
    {
        // The graph's own names are taken.
        string value = node.Name is Input or Output || s_constants.ContainsKey(node.Name) ? node.Name + ".value" : node.Name;
        _graph.Message(1, Node(type, value, inputs, value, attributes));
        return value;
    }
}
