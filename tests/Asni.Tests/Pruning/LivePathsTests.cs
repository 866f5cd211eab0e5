using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Pruning;

/// <summary>Networks whose paths are counted by hand.</summary>
public class LivePathsTests
{
    [Test]
    public void In_a_dense_network_every_weight_is_effective([ValueSource(typeof(NetworkZoo), nameof(NetworkZoo.Names))] string name)
    {
        // Large ones share their blocks with the small.
        if (name is "resnet34" or "resnet50" or "resnet101" or "vgg16" or "vgg19") return;
        Network network = NetworkZoo.Create(name);
        LivePaths paths = LivePaths.Find(new TrainedNetwork(network, [], [.. new Mask?[network.Parameters.Length]]));
        Assert.That(network.Weights.Select(paths.Of), Is.EqualTo(network.Weights.Select(p => p.Elements)));
        Assert.That(paths.Sparsity, Is.Zero);
    }

    [Test]
    public void A_layer_emptied_leaves_no_path()
    {
        LivePaths paths = Find(TinyNetworks.Linear(3, 4, 2), ("fc1.weight", "............"));
        Assert.That(paths.Effective, Is.Zero);
        Assert.That(paths.Sparsity, Is.EqualTo(1));
    }

    [Test]
    public void A_unit_without_inputs_leaves_its_readers_in_vain_and_one_that_nobody_reads_its_inputs()
    {
        // Unit 0 has no input, unit 1 no reader; unit 2 reads one input and is read by one logit, though its bias would do without.
        LivePaths paths = Find(TinyNetworks.Linear(2, 3, 2), ("fc1.weight", ".. xx x."), ("fc2.weight", "x.x x.."));
        Assert.That(Counts(paths), Is.EqualTo((long[])[1, 1]));
        Assert.That(paths.Sparsity, Is.EqualTo(1 - 2 / 12.0).Within(1e-15));
    }

    [Test]
    public void Dead_ends_are_followed_through_several_layers()
    {
        // Unit 1 of the last hidden layer is the only one that is read, and only unit 0 before it leads there.
        LivePaths paths = Find(TinyNetworks.Linear(2, 2, 2, 1), ("fc1.weight", "xx x."), ("fc2.weight", ".x x."), ("fc3.weight", ".x"));
        Assert.That(Counts(paths), Is.EqualTo((long[])[2, 1, 1]));
    }

    [Test]
    public void A_residual_shortcut_goes_around_an_emptied_branch()
    {
        Network network = new NetworkBuilder("residual", new Chw(1, 4, 4)).Convolution("stem", 2, 1).BatchNorm("norm").Relu("relu")
            .Residual("block", b => b.Convolution("first", 2, 3, padding: 1).Relu("inner").Convolution("second", 2, 3, padding: 1)).GlobalAveragePool("mean").Linear("last", 2).Build();
        LivePaths whole = Find(network, ("stem.weight", "x ."));
        Assert.That(Counts(whole), Is.EqualTo((long[])[1, 2 * 9, 4 * 9, 4]), "unit 1 of the stem has no input, but that of the sum has");
        LivePaths emptied = Find(network, ("stem.weight", "x ."), ("block.second.weight", new string('.', 36)));
        Assert.That(Counts(emptied), Is.EqualTo((long[])[1, 0, 0, 2]), "what leads into the empty layer ends there");
    }

    [Test]
    public void A_projection_is_a_path_of_its_own()
    {
        Network network = new NetworkBuilder("projection", new Chw(2, 4, 4))
            .Residual("block", b => b.Convolution("main", 2, 1), b => b.Convolution("short", 2, 1)).GlobalAveragePool("mean").Linear("last", 1).Build();
        LivePaths paths = Find(network, ("block.main.weight", ".. .."), ("block.short.weight", "x. .."));
        Assert.That(network.Weights.ToDictionary(p => p.Name, paths.Of), Is.EquivalentTo(new Dictionary<string, long>
        {
            ["block.main.weight"] = 0,
            ["block.short.weight"] = 1,
            ["last.weight"] = 1,
        }));
    }

    [Test]
    public void Groups_and_depthwise_filters_read_channels_of_their_own()
    {
        Network network = new NetworkBuilder("groups", new Chw(4, 3, 3)).Convolution("grouped", 4, 1, groups: 2).Convolution("depthwise", 4, 3, padding: 1, groups: 4)
            .Convolution("mixed", 3, 1).GlobalAveragePool("mean").Linear("last", 2).Build();
        // Outputs 0 and 1 read channels 0 and 1, outputs 2 and 3 channels 2 and 3. Nothing goes through channel 1 of the grouped nor through channel 2 of the depthwise layer.
        LivePaths paths = Find(network, ("grouped.weight", "xx .. x. .x"), ("depthwise.weight", $"{new string('x', 9)} {new string('x', 9)} {new string('.', 9)} x........"));
        Assert.That(Counts(paths), Is.EqualTo((long[])[3, 9 + 1, 3 * 2, 6]));
        LivePaths half = Find(network, ("mixed.weight", "xx.. .x.. x..."));
        Assert.That(Counts(half), Is.EqualTo((long[])[4, 18, 4, 6]), "the second group leads to nobody");
    }

    [Test]
    public void A_channel_is_read_where_any_of_its_flattened_positions_is()
    {
        Network network = new NetworkBuilder("flat", new Chw(1, 2, 4)).Convolution("conv", 3, 1).MaxPool("pool", 2).Linear("last", 2).Build();
        // (3, 1, 2) flattens to 0 0 1 1 2 2.
        LivePaths paths = Find(network, ("conv.weight", "x . x"), ("last.weight", ".x xx .. .. .x .."));
        Assert.That(Counts(paths), Is.EqualTo((long[])[1, 1]), "channel 1 has no input, channel 2 is not read");
    }

    private static long[] Counts(LivePaths paths) => [.. paths.Network.Weights.Select(paths.Of)];

    /// <param name="live">Masks of tensors, row by row: x for live and . for pruned, blanks between.</param>
    private static LivePaths Find(Network network, params (string Name, string Live)[] live)
    {
        TrainedNetwork dense = MethodRunner.CreateInitialWeights(network, 1);
        var masks = dense.Masks.ToArray();
        foreach ((string name, string text) in live)
        {
            string bits = text.Replace(" ", "", StringComparison.Ordinal);
            Parameter parameter = network.Parameters.Single(p => p.Name == name);
            Assert.That(bits, Has.Length.EqualTo(parameter.Elements));
            Mask mask = masks[parameter.Index] = new Mask(bits.Length);
            for (int i = 0; i < bits.Length; i++) mask[i] = bits[i] == 'x';
        }
        return LivePaths.Find(dense with { Masks = [.. masks] });
    }
}
