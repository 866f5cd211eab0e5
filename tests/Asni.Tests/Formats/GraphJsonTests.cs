using Asni.Formats;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats;

/// <summary>Graphs come back as they were written, and what is no graph is refused in one sentence.</summary>
public class GraphJsonTests
{
    private static readonly Network s_every = new NetworkBuilder("every kind", new Chw(2, 9, 8))
        .Convolution("stem", 4, 3, stride: 2, padding: 1, bias: true).BatchNorm("norm", epsilon: 1e-3f, momentum: 0.25f).Relu6("cut")
        .Residual("block", b => b.Convolution("a", 8, 3, padding: 1, groups: 2).Relu("r").MaxPool("p", 3, 1, 1), b => b.Convolution("down", 8, 1))
        .Silu("soft").Gelu("softer").MaxPool("pool", 2).Linear("wide \"5\" \u00e9", 6).Relu("last").Linear("head", 3, bias: false).Build();

    private static string Text => GraphJson.Write(s_every);

    internal static void AssertEqual(Network actual, Network expected)
    {
        Assert.That(actual.Name, Is.EqualTo(expected.Name));
        Assert.That(actual.Parameters, Is.EqualTo(expected.Parameters));
        Assert.That(actual.Nodes.Select(Plain), Is.EqualTo(expected.Nodes.Select(Plain)));
        Assert.That(actual.Nodes.Select(n => n.Inputs.AsEnumerable()), Is.EqualTo(expected.Nodes.Select(n => n.Inputs.AsEnumerable())));
    }

    [Test]
    public void Every_kind_of_layer_comes_back() => AssertEqual(Read(Text), s_every);

    /// <summary>By its own method of the builder, in the words of files.</summary>
    [Test]
    public void Every_activation_comes_back([Values] Activation activation)
    {
        if (activation == Activation.None) return;
        var builder = new NetworkBuilder("n", new Chw(2, 4, 4)).Linear("fc", 3);
        typeof(NetworkBuilder).GetMethod($"{activation}")!.Invoke(builder, ["a"]);
        Network network = builder.Build();
        Assert.That(network.Nodes[^1], Is.InstanceOf<ActivationNode>().With.Property("Activation").EqualTo(activation));
        string text = GraphJson.Write(network);
        Assert.That(text, Does.Contain($"\"op\":\"{activation.ToString().ToLowerInvariant()}\""));
        AssertEqual(GraphJson.Read(network.Name, text, Bad), network);
        Assert.That(File.ReadAllText(Path.Combine(ArchitectureTests.Root, "docs", "formats.md")), Does.Contain($"`{activation.ToString().ToLowerInvariant()}`"));
    }

    [TestCaseSource(typeof(NetworkZoo), nameof(NetworkZoo.Names))]
    public void Every_network_of_the_zoo_comes_back(string name)
    {
        Network network = NetworkZoo.Create(name);
        AssertEqual(GraphJson.Read(name, GraphJson.Write(network), Bad), network);
    }

    [Test]
    public void Narrow_and_global_ends_come_back()
    {
        Network narrow = NetworkZoo.Create("resnet20[layer1.0.conv1=8,layer2.1.conv1=3]");
        AssertEqual(GraphJson.Read(narrow.Name, GraphJson.Write(narrow), Bad), narrow);
        Network pooled = new NetworkBuilder("pooled", new Chw(1, 4, 4)).Convolution("c", 3, 3).GlobalAveragePool("g").Build();
        AssertEqual(GraphJson.Read(pooled.Name, GraphJson.Write(pooled), Bad), pooled);
    }

    [TestCase("[]", "its graph is not a JSON object")]
    [TestCase("{", "its graph is not valid JSON")]
    [TestCase("{}", "its graph lacks a version that is a JSON number")]
    [TestCase("""{"version":2}""", "its graph is of version 2, this program reads version 1")]
    [TestCase("""{"version":1,"input":[1,2],"nodes":[]}""", "its graph has an input that is not three numbers")]
    [TestCase("""{"version":1,"input":[0,2,2],"nodes":[]}""", "its graph is that of no network: ")]
    [TestCase("""{"version":1,"input":[1,2,2],"nodes":[]}""", "its graph is that of no network: ")]
    [TestCase("""{"version":1,"input":[9,1,1],"nodes":[]}""", "its graph has no layer with weights")]
    [TestCase("""{"version":1,"input":[9,1,1],"nodes":[{"op":"relu","name":"r"}]}""", "its graph has no layer with weights")]
    [TestCase("""{"version":1,"input":[1,2,2],"nodes":[7]}""", "layer 1 of its graph is not a JSON object")]
    public void What_is_no_graph_is_refused(string text, string why) => Refused(text, why);

    [TestCase("\"kernel\":3,", "", "its graph lacks a kernel")]
    [TestCase("\"kernel\":3,", "\"kernel\":33,", "does not fit")]
    [TestCase("\"channels\":4,", "\"channels\":4.5,", "channels that is no whole number")]
    [TestCase("\"channels\":4,", "\"channels\":2147483647,", "its graph is that of no network")]
    [TestCase("\"op\":\"relu6\"", "\"op\":\"tanh\"", "layer cut of its graph is a 'tanh', which this program does not know")]
    [TestCase("\"op\":\"relu6\"", "\"op\":\"add\"", "layer cut of its graph reads 1 others")]
    [TestCase("\"name\":\"norm\"", "\"name\":\"stem\"", "two layers have this name")]
    [TestCase("\"in\":[6,7]", "\"in\":[6,8]", "reads layer 8, which is not before it")]
    [TestCase("\"in\":[6,7]", "\"in\":[-1,7]", "reads layer -1, which is not before it")]
    [TestCase("\"in\":[6,7]", "\"in\":[2,7]", "which cannot be added")]
    [TestCase("\"bias\":true", "\"bias\":1", "a bias that is not true or false")]
    [TestCase("\"epsilon\":0.001", "\"epsilon\":-1", "an epsilon above 0")]
    [TestCase("\"epsilon\":0.001", "\"epsilon\":1e99", "an epsilon above 0")]
    [TestCase("\"name\":\"norm\"", "\"name\":\"\\ud800\"", "its graph is not valid JSON")]
    [TestCase("\"stride\":2,\"padding\":1", "\"stride\":2,\"padding\":15000", "a padding of at most its size")]
    [TestCase("\"stride\":2,\"padding\":1", "\"stride\":24000,\"padding\":1", "a stride of at most 4096")]
    [TestCase("\"size\":3,\"stride\":1,\"padding\":1", "\"size\":3,\"stride\":1,\"padding\":1073741824", "a padding of at most its size")]
    [TestCase("\"in\":[6,7]", "\"in\":[7,7]", "layer block.p of its graph is read by no other")]
    [TestCase("\"version\":1", "\"version\":1,\"version\":1", "its graph is not valid JSON")]
    public void A_graph_with_a_fault_is_refused(string correct, string wrong, string why)
    {
        Assert.That(Text, Does.Contain(correct));
        int at = Text.IndexOf(correct, StringComparison.Ordinal);
        Refused(Text[..at] + wrong + Text[(at + correct.Length)..], why);
    }

    /// <summary>A name may come from a file as well.</summary>
    [TestCase("resnet20[layer1.0.conv1=2000000000]", "2000000000 of them cannot be kept")]
    [TestCase("resnet20[none=2000000000]", "has no layer 'none'")]
    public void A_narrow_name_that_asks_for_more_than_there_is_takes_no_memory(string name, string why)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => NetworkZoo.Create(name), Throws.TypeOf<UsageException>().With.Message.Contains(why));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    private static void Refused(string text, string why) =>
        Assert.That(() => Read(text), Throws.TypeOf<AsniException>().With.Message.StartsWith("x: ").And.Message.Contains(why));

    private static Network Read(string text) => GraphJson.Read(s_every.Name, text, Bad);

    private static AsniException Bad(string what) => new("x: " + what);

    /// <summary>A node without its list of inputs, whose equality is that of the array.</summary>
    private static Node Plain(Node node) => node with { Inputs = default };
}
