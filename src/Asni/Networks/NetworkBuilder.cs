using System.Collections.Immutable;
using System.Globalization;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>
/// Builds a <see cref="Network"/> layer by layer. Each call appends a layer that reads the current node, infers its output shape, and
/// makes it current. Layer names are PyTorch's module names: parameters become "name.weight", "name.bias", and so on.
/// </summary>
/// <example><c>new NetworkBuilder("tiny", new Chw(1, 28, 28)).Linear("0", 100).Relu("1").Linear("2", 10).Build()</c></example>
/// <remarks>
/// A window that does not fit its input is reported by <see cref="Build"/>, which by then knows the smallest input that all layers
/// accept; every other mistake throws <see cref="UsageException"/> at once.
/// </remarks>
public sealed class NetworkBuilder
{
    private const int MaxStride = 4096;

    private readonly string _network;
    private readonly ImmutableArray<Node>.Builder _nodes = ImmutableArray.CreateBuilder<Node>();
    private readonly ImmutableArray<Parameter>.Builder _parameters = ImmutableArray.CreateBuilder<Parameter>();
    private readonly HashSet<string> _names = [];
    private string _prefix = "";
    private string? _misfit;
    private int _needed;

    /// <param name="name">The network's name, for messages and files.</param>
    /// <param name="input">Shape of one sample.</param>
    public NetworkBuilder(string name, Chw input)
    {
        _network = name;
        if (input.Channels < 1 || input.Height < 1 || input.Width < 1)
            throw new UsageException($"{name}: an input of {Text(input)} is empty; channels, height and width must be 1 or more.");
        CheckElements("input", input);
        _nodes.Add(new InputNode(0, input));
    }

    /// <summary>Id of the node that the next layer reads.</summary>
    private int Current { get; set; }

    /// <summary>Shape of one sample at the current node.</summary>
    public Chw Output => _nodes[Current].Output;

    /// <summary>2-d convolution with a square kernel: weight [out, in / groups, kernel, kernel], bias [out].</summary>
    public NetworkBuilder Convolution(string name, int channels, int kernel, int stride = 1, int padding = 0, int groups = 1,
        bool bias = false)
    {
        string full = Claim(name);
        Chw input = Output;
        RequireWindow(full, kernel, stride, padding);
        Require(channels >= 1 && kernel >= 1 && stride >= 1 && padding >= 0 && groups >= 1, full,
            $"a convolution needs positive channels, kernel, stride and groups and a padding of 0 or more, " +
            $"not {channels}, {kernel}, {stride}, {groups} and {padding}");
        Require(input.Channels % groups == 0 && channels % groups == 0, full,
            $"{groups} groups must divide both the {input.Channels} input and the {channels} output channels");
        (int height, int width) = Slide(full, $"{kernel}x{kernel} convolution", kernel, stride, padding);
        var filter = new FilterShape(channels, input.Channels / groups, kernel, kernel);
        Parameter weight = AddParameter(full, "weight", ParameterKind.Weight, new Shape(channels, filter.In, kernel, kernel), filter);
        Parameter? offset = bias ? AddVector(full, "bias", ParameterKind.Bias, channels) : null;
        var output = new Chw(channels, height, width);
        return Append(new ConvolutionNode(_nodes.Count, full, Current, output, weight, offset, stride, padding, groups));
    }

    /// <summary>Fully connected layer over the flattened (CHW) input: weight [features, C * H * W], bias [features].</summary>
    public NetworkBuilder Linear(string name, int features, bool bias = true)
    {
        string full = Claim(name);
        Require(features >= 1, full, $"a linear layer needs 1 or more outputs, not {features}");
        Chw input = Output;
        var filter = new FilterShape(features, input.Channels, input.Height, input.Width);
        Parameter weight = AddParameter(full, "weight", ParameterKind.Weight, new Shape(features, input.Elements), filter);
        Parameter? offset = bias ? AddVector(full, "bias", ParameterKind.Bias, features) : null;
        return Append(new LinearNode(_nodes.Count, full, Current, new Chw(features, 1, 1), weight, offset));
    }

    /// <summary>Batch normalization: weight, bias, running_mean, running_var, each [C].</summary>
    /// <param name="epsilon">Added to variances, above 0; PyTorch's when absent.</param>
    /// <param name="momentum">Share of a batch in the running statistics, 0 to 1; PyTorch's when absent.</param>
    public NetworkBuilder BatchNorm(string name, float epsilon = 1e-5f, float momentum = 0.1f)
    {
        string full = Claim(name);
        Require(float.IsFinite(epsilon) && epsilon > 0 && momentum is >= 0 and <= 1, full,
            string.Create(CultureInfo.InvariantCulture, $"a batch-norm needs an epsilon above 0 and a momentum of 0 to 1, not {epsilon} and {momentum}"));
        int channels = Output.Channels;
        Parameter weight = AddVector(full, "weight", ParameterKind.NormWeight, channels);
        Parameter bias = AddVector(full, "bias", ParameterKind.NormBias, channels);
        Parameter mean = AddVector(full, "running_mean", ParameterKind.RunningMean, channels);
        Parameter variance = AddVector(full, "running_var", ParameterKind.RunningVariance, channels);
        return Append(new BatchNormNode(_nodes.Count, full, Current, Output, weight, bias, mean, variance, epsilon, momentum));
    }

    /// <summary>max(x, 0).</summary>
    public NetworkBuilder Relu(string name) => Activate(name, Activation.Relu);

    /// <summary>min(max(x, 0), 6).</summary>
    public NetworkBuilder Relu6(string name) => Activate(name, Activation.Relu6);

    /// <summary>x / (1 + exp(-x)), also called swish.</summary>
    public NetworkBuilder Silu(string name) => Activate(name, Activation.Silu);

    /// <summary>x times the normal distribution function of x: the exact GELU, PyTorch's default.</summary>
    public NetworkBuilder Gelu(string name) => Activate(name, Activation.Gelu);

    /// <summary>An activation function by its kind.</summary>
    internal NetworkBuilder Activate(string name, Activation activation) => Append(new ActivationNode(_nodes.Count, Claim(name), Current, Output, activation));

    /// <summary>Max pooling with a square window; the padding is at most half of it, as in PyTorch.</summary>
    /// <param name="stride">The window's size when null.</param>
    public NetworkBuilder MaxPool(string name, int size, int? stride = null, int padding = 0)
    {
        string full = Claim(name);
        int step = stride ?? size;
        RequireWindow(full, size, step, padding);
        Require(size >= 1 && step >= 1 && padding >= 0 && padding <= size / 2, full,
            $"a max-pool needs a positive size and stride and a padding of 0 to half its size, not {size}, {step} and {padding}");
        (int height, int width) = Slide(full, $"{size}x{size} max-pool", size, step, padding);
        return Append(new MaxPoolNode(_nodes.Count, full, Current, new Chw(Output.Channels, height, width), size, step, padding));
    }

    /// <summary>Mean over all positions, giving (C, 1, 1).</summary>
    public NetworkBuilder GlobalAveragePool(string name) =>
        Append(new GlobalAveragePoolNode(_nodes.Count, Claim(name), Current, new Chw(Output.Channels, 1, 1)));

    /// <summary>
    /// main(x) + shortcut(x), without an activation after it. Names inside are relative to <paramref name="name"/>; the sum is "name.add".
    /// </summary>
    /// <param name="shortcut">The identity when null.</param>
    public NetworkBuilder Residual(string name, Action<NetworkBuilder> main, Action<NetworkBuilder>? shortcut = null) => Scope(name, _ =>
    {
        int start = Current;
        main(this);
        int left = Current;
        Current = start;
        shortcut?.Invoke(this);
        Add("add", left, Current);
    });

    /// <summary>The sum of two nodes' outputs.</summary>
    internal NetworkBuilder Add(string name, int left, int right)
    {
        string full = Claim(name);
        Chw a = _nodes[left].Output, b = _nodes[right].Output;
        Require(a == b || _misfit is not null, full,
            $"the main branch gives {Text(a)} and the shortcut {Text(b)}, which cannot be added; make their strides and channels equal");
        return Append(new AddNode(_nodes.Count, full, left, right, a));
    }

    /// <summary>Lets the next layer read a node.</summary>
    internal void Reads(int node) => Current = node;

    /// <summary>False once a window did not fit: <see cref="Build"/> will say so.</summary>
    internal bool Fits => _misfit is null;

    /// <summary>
    /// Appends layers whose names are relative to <paramref name="name"/>: "conv1" inside "layer1.0" is "layer1.0.conv1".
    /// </summary>
    public NetworkBuilder Scope(string name, Action<NetworkBuilder> layers)
    {
        string outer = _prefix;
        _prefix = outer + name + ".";
        layers(this);
        _prefix = outer;
        return this;
    }

    /// <summary>The finished network; its logits are the last layer's output.</summary>
    /// <exception cref="UsageException">The input is too small for a layer, or the logits are not a vector.</exception>
    public Network Build()
    {
        if (_misfit is not null)
            throw new UsageException($"{_misfit}; use an input of at least {_needed}x{_needed}.");
        Node last = _nodes[^1];
        Require(last.Output.Positions == 1, last.Name,
            $"a network must end in one value a class, not {Text(last.Output)}; end it with a linear layer or a global average pool");
        return new Network(_network, _nodes.ToImmutable(), _parameters.ToImmutable());
    }

    private NetworkBuilder Append(Node node)
    {
        CheckElements(node.Name, node.Output);
        _nodes.Add(node);
        Current = node.Id;
        return this;
    }

    private Parameter AddVector(string layer, string name, ParameterKind kind, int length) =>
        AddParameter(layer, name, kind, new Shape(length), new FilterShape(length, 1, 1, 1));

    private Parameter AddParameter(string layer, string name, ParameterKind kind, Shape shape, FilterShape filter)
    {
        Require(shape.Elements <= Array.MaxLength, layer,
            $"a weight of {shape} has more elements than fit in memory; use a smaller input or fewer outputs");
        var parameter = new Parameter(_parameters.Count, $"{layer}.{name}", kind, shape, filter);
        _parameters.Add(parameter);
        return parameter;
    }

    /// <summary>Padding and stride as large as networks have them: devices take memory for the padding.</summary>
    private void RequireWindow(string layer, int size, int stride, int padding) => Require(padding <= Math.Max(size, 1) && stride <= MaxStride, layer,
        $"a window of {size} takes a padding of at most its size and a stride of at most {MaxStride}, not {padding} and {stride}");

    /// <summary>Output size of a sliding window. When it does not fit, notes that and goes on as if one position did.</summary>
    private (int Height, int Width) Slide(string layer, string window, int size, int stride, int padding)
    {
        Chw input = Output;
        long height = input.Height + 2L * padding - size, width = input.Width + 2L * padding - size;
        if (height < 0 || width < 0)
        {
            _misfit ??= $"layer '{layer}' of {_network}: a {window} does not fit a {Text(input)} input";
            _needed = Math.Max(_needed, InputSizeFor(size - 2 * padding));
        }
        return ((int)Math.Min(int.MaxValue, Math.Max(0, height) / stride + 1), (int)Math.Min(int.MaxValue, Math.Max(0, width) / stride + 1));
    }

    /// <summary>Smallest network input (height or width) for which the current node's output is at least <paramref name="size"/>.</summary>
    private int InputSizeFor(int size)
    {
        for (Node node = _nodes[Current]; node.Inputs.Length > 0; node = _nodes[node.Inputs[0]])
            size = node.InputSizeFor(size);
        return size;
    }

    private string Claim(string name)
    {
        string full = _prefix + name;
        Require(_names.Add(full), full, "two layers have this name; give each its own");
        return full;
    }

    private void CheckElements(string layer, Chw shape) => Require((Int128)shape.Channels * shape.Height * shape.Width <= int.MaxValue, layer,
        $"an activation of {Text(shape)} has more than 2^31 elements a sample; use a smaller input");

    private void Require(bool condition, string layer, string message)
    {
        if (!condition) throw new UsageException($"layer '{layer}' of {_network}: {message}.");
    }

    // Chw prints a vector as one number; messages about windows need the height and width too.
    private static string Text(Chw s) => $"{s.Channels}x{s.Height}x{s.Width}";
}
