using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Asni.Networks;

namespace Asni.Formats.Naming;

internal enum LayerKind { Convolution, Norm, Linear }

/// <summary>A layer with parameters, by the name that its parameters begin with.</summary>
internal sealed record Layer(string Name, LayerKind Kind, ImmutableArray<Parameter> Parameters)
{
    /// <summary>Of a network, in the order of its parameters.</summary>
    public static ImmutableArray<Layer> FromNetwork(Network network) =>
    [
        .. network.Parameters.GroupBy(p => Split(p.Name).Layer).Select(g => new Layer(g.Key, KindOf([.. g]), [.. g])),
    ];

    /// <summary>"layer1.0.conv1" and "weight" of "layer1.0.conv1.weight".</summary>
    public static (string Layer, string Leaf) Split(string parameter)
    {
        int dot = parameter.LastIndexOf('.');
        return dot < 0 ? ("", parameter) : (parameter[..dot], parameter[(dot + 1)..]);
    }

    private static LayerKind KindOf(Parameter[] parameters) =>
        parameters.Any(p => p.Kind == ParameterKind.NormWeight) ? LayerKind.Norm
        : parameters[0].Shape.Dims.Length == 4 ? LayerKind.Convolution : LayerKind.Linear;
}

/// <summary>Layers that go by one convention, and what they are called in each; the network's own names come first.</summary>
internal sealed record NamingPart(ImmutableArray<Layer> Layers, ImmutableArray<ImmutableArray<string>> Namings)
{
    public static NamingPart Create(ImmutableArray<Layer> layers, params IEnumerable<IEnumerable<string>> others) =>
        new(layers, [[.. layers.Select(l => l.Name)], .. others.Select(names => names.ToImmutableArray()).Where(n => n.Length == layers.Length)]);
}

/// <summary>
/// What other programs call the layers of a network. The parts of a network (stem, blocks, shortcuts, classifier) are named independently of one
/// another, so that each takes the convention that fits it best.
/// </summary>
internal static partial class LayerNames
{
    /// <summary>What a single last linear layer is called.</summary>
    public static readonly ImmutableArray<string> Heads =
        ["fc", "linear", "classifier", "head", "head.fc", "classifier.0", "classifier.1", "fc.0", "fc.1", "fc1", "linear1", "output", "out", "last_linear"];

    public static IEnumerable<NamingPart> PartsOf(Network network)
    {
        ImmutableArray<Layer> layers = Layer.FromNetwork(network);
        if (layers.All(l => int.TryParse(l.Name, out _))) return SequentialNames.Parts(network, layers);
        if (layers.Any(l => ResNetNames.IsBlock(l.Name))) return ResNetNames.Parts(layers);
        if (layers.Any(l => MobileNetNames.IsBlock(l.Name))) return MobileNetNames.Parts(layers);
        return layers[^1].Kind == LayerKind.Linear ? [NamingPart.Create(layers[..^1]), Head(layers[^1])] : [NamingPart.Create(layers)];
    }

    public static NamingPart Head(Layer layer) => NamingPart.Create([layer], Heads.Select(name => new[] { name }));
}

/// <summary>Networks that are one Sequential here (lenet300, conv2, vgg16, ...): numbered layers, convolutions before linear ones.</summary>
internal static class SequentialNames
{
    private static readonly string[] s_containers = ["classifier.", "fc.", "head.", "linear.", "layers.", "fc_layers.", "linears.", "fcs."];

    public static IEnumerable<NamingPart> Parts(Network network, ImmutableArray<Layer> layers)
    {
        ImmutableArray<Layer> body = [.. layers.TakeWhile(l => l.Kind != LayerKind.Linear)], head = layers[body.Length..];
        if (body.Length > 0) yield return NamingPart.Create(body, Bodies(network, body));
        if (head.Length == 1) yield return NamingPart.Create(head, [[Before(head[0])], .. LayerNames.Heads.Select(h => new[] { h })]);
        else if (head.Length > 1) yield return NamingPart.Create(head, LinearChains(head));
    }

    /// <summary>Convolutions and batch-norms.</summary>
    private static IEnumerable<IEnumerable<string>> Bodies(Network network, ImmutableArray<Layer> body)
    {
        foreach (string container in (string[])["features.", "layers.", "conv.", "convs.", "body.", "feature."]) yield return body.Select(l => container + l.Name);
        foreach (string separator in (string[])["", "_", ".", "s."])
            for (int first = 1; first >= 0; first--)
            {
                int convolution = first - 1, norm = first - 1;
                yield return body.Select(l => l.Kind == LayerKind.Convolution ? $"conv{separator}{++convolution}" : $"bn{separator}{++norm}").ToList();
            }
        // A list of blocks of convolution and batch-norm, in which each pool has a number too.
        var numbers = new Dictionary<string, int>();
        int next = 0;
        foreach (Node node in network.Nodes)
            if (node is ConvolutionNode or MaxPoolNode) numbers[node.Name] = next++;
        int block = 0;
        yield return body.Select(l => l.Kind == LayerKind.Convolution ? $"layers.{block = numbers.GetValueOrDefault(l.Name)}.conv" : $"layers.{block}.bn").ToList();
    }

    /// <summary>Several linear layers: in a container of their own, by number, with or without dropout or flattening between them.</summary>
    private static IEnumerable<IEnumerable<string>> LinearChains(ImmutableArray<Layer> head)
    {
        int count = head.Length;
        IEnumerable<string> Numbered(string before, Func<int, int> number) => Enumerable.Range(0, count).Select(m => $"{before}{number(m)}");
        yield return head.Select(Before);
        foreach (string container in (string[])["", .. s_containers])
        {
            yield return Numbered(container, m => 2 * m);
            yield return Numbered(container, m => 2 * m + 1);
            yield return Numbered(container, m => 3 * m);
            yield return Numbered(container, m => 3 * m + 1);
            yield return Numbered(container, m => m);
            // Dropout before the first two of them.
            yield return Numbered(container, m => m == 0 ? 1 : 2 * m + 2);
        }
        foreach (string name in (string[])["fc", "linear", "lin", "dense", "fc_", "layer", "l", "classifier"])
        {
            yield return Numbered(name, m => m + 1);
            yield return Numbered(name, m => m);
            foreach (string last in (string[])["fc", "classifier", "output", "out", "head", "fc_out"]) yield return [.. Numbered(name, m => m + 1).Take(count - 1), last];
        }
        foreach (string last in (string[])["fc", "classifier", "output", "out"]) yield return [.. Numbered("fc_layers.", m => m).Take(count - 1), last];
    }

    /// <summary>As in a Sequential without the module that flattens.</summary>
    private static string Before(Layer layer) => $"{int.Parse(layer.Name, System.Globalization.CultureInfo.InvariantCulture) - 1}";
}

/// <summary>Residual networks with torchvision's names here: conv1, bn1, layer1.0.conv1, ..., layer2.0.downsample.0, ..., fc.</summary>
internal static partial class ResNetNames
{
    private static readonly string[] s_shortcuts = ["downsample", "shortcut", "down", "skip", "projection", "proj", "short", "identity"];

    public static bool IsBlock(string layer) => Block().IsMatch(layer);

    public static IEnumerable<NamingPart> Parts(ImmutableArray<Layer> layers)
    {
        ImmutableArray<Layer> stem = [.. layers.TakeWhile(l => !IsBlock(l.Name))], head = [.. layers.Reverse().TakeWhile(l => !IsBlock(l.Name)).Reverse()];
        ImmutableArray<Layer> blocks = layers[stem.Length..^head.Length];
        string[] names = [.. blocks.Select(l => BlockOf(l.Name)).Distinct()];
        ImmutableArray<Layer> shortcuts = [.. blocks.Where(l => IsShortcut(l.Name))], mains = [.. blocks.Where(l => !IsShortcut(l.Name))];
        yield return NamingPart.Create(stem, ["conv", "bn"], ["conv1.0", "conv1.1"], ["conv_1", "bn_1"], ["stem.0", "stem.1"], ["conv0", "bn0"], ["conv1.conv", "conv1.bn"]);
        yield return NamingPart.Create(mains, Prefixes(names).SelectMany(prefix => new[]
        {
            mains.Select(l => prefix(BlockOf(l.Name)) + Inner(l.Name)), mains.Select(l => prefix(BlockOf(l.Name)) + InSequential(l.Name)),
        }));
        if (shortcuts.Length > 0)
            yield return NamingPart.Create(shortcuts,
                Prefixes(names).SelectMany(prefix => s_shortcuts.Select(s => shortcuts.Select(l => prefix(BlockOf(l.Name)) + s + l.Name[l.Name.LastIndexOf('.')..]))));
        if (head.Length == 1) yield return LayerNames.Head(head[0]);
        else yield return NamingPart.Create(head);
    }

    /// <summary>What stands before a block's own names, for "layer2.0".</summary>
    private static IEnumerable<Func<string, string>> Prefixes(string[] blocks)
    {
        yield return block => block + ".";
        yield return block => $"blocks.{Array.IndexOf(blocks, block)}.";
        yield return block => $"layers.{Group(block) - 1}.{Number(block)}.";
        yield return block => $"stages.{Group(block) - 1}.{Number(block)}.";
        yield return block => $"conv{Group(block) + 1}_x.{Number(block)}.";
        yield return block => $"stage_{Group(block)}.{Number(block)}.";
        yield return block => $"stage{Group(block)}.{Number(block)}.";
    }

    private static string BlockOf(string layer) => Block().Match(layer).Value.TrimEnd('.');

    private static int Group(string block) => block["layer".Length] - '0';

    private static string Number(string block) => block[(block.IndexOf('.') + 1)..];

    /// <summary>"conv1" of "layer1.0.conv1".</summary>
    private static string Inner(string layer) => layer[Block().Match(layer).Length..];

    /// <summary>As in a Sequential of convolution, batch-norm and ReLU: conv2 of a block is the fourth module.</summary>
    private static string InSequential(string layer)
    {
        string inner = Inner(layer);
        return $"residual_function.{3 * (inner[^1] - '1') + (inner.StartsWith("bn", StringComparison.Ordinal) ? 1 : 0)}";
    }

    private static bool IsShortcut(string layer) => Inner(layer).Contains('.');

    [GeneratedRegex(@"^layer\d\.\d+\.")]
    private static partial Regex Block();
}

/// <summary>MobileNetV2 with torchvision's names here: features.0.0, features.2.conv.0.0, ..., features.18.0, classifier.1.</summary>
internal static partial class MobileNetNames
{
    public static bool IsBlock(string layer) => Block().IsMatch(layer);

    public static IEnumerable<NamingPart> Parts(ImmutableArray<Layer> layers)
    {
        ImmutableArray<Layer> stem = [.. layers.TakeWhile(l => !IsBlock(l.Name))], blocks = [.. layers.Where(l => IsBlock(l.Name))];
        ImmutableArray<Layer> rest = layers[(stem.Length + blocks.Length)..];
        yield return NamingPart.Create(stem, ["conv_stem", "bn1"], ["conv1", "bn1"], ["stem.0", "stem.1"]);
        var grouped = blocks.GroupBy(l => Block().Match(l.Name).Value).Select(g => g.ToImmutableArray()).ToList();
        yield return NamingPart.Create(blocks, grouped.SelectMany(Flat), Timm(grouped));
        yield return NamingPart.Create(rest[..^1], ["conv.0", "conv.1"], ["conv_head", "bn2"], ["conv2", "bn2"], ["conv_last.0", "conv_last.1"]);
        yield return LayerNames.Head(rest[^1]);
    }

    /// <summary>One Sequential a block, its ReLUs counted, as torchvision had it before 0.3: convolution, batch-norm, ReLU6, ..., convolution, batch-norm.</summary>
    private static IEnumerable<string> Flat(ImmutableArray<Layer> block) => block.Select((layer, i) => $"{Block().Match(layer.Name).Value}{i / 2 * 3 + i % 2}");

    /// <summary>timm's blocks.STAGE.BLOCK; a stage is a run of blocks of as many output channels.</summary>
    private static List<string> Timm(List<ImmutableArray<Layer>> blocks)
    {
        var names = new List<string>();
        int stage = -1, number = 0, channels = -1;
        foreach (ImmutableArray<Layer> block in blocks)
        {
            int output = block[^2].Parameters[0].Shape.Dims[0];
            number = output == channels ? number + 1 : 0;
            if (output != channels) stage++;
            channels = output;
            string[] inside = block.Length == 4 ? ["conv_dw", "bn1", "conv_pw", "bn2"] : ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"];
            names.AddRange(inside.Select(name => $"blocks.{stage}.{number}.{name}"));
        }
        return names;
    }

    [GeneratedRegex(@"^features\.\d+\.conv\.")]
    private static partial Regex Block();
}
