using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Formats;

namespace Asni.Tests.Pruning;

/// <summary>Units that several layers share: which layers the graph ties together, and what a network without some of their units computes.</summary>
public class CoupledUnitTests
{
    [Test]
    public void Layers_whose_outputs_are_added_lose_units_together()
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(NetworkZoo.Create("resnet20")).Groups;
        PrunableGroup stream = groups.Single(g => g.Name == "layer2.0.conv2");
        Assert.That(stream.Producers.Select(p => p.Name), Is.EqualTo(new[] { "layer2.0.conv2", "layer2.0.down.0", "layer2.1.conv2", "layer2.2.conv2" }));
        Assert.That(stream.Consumers.Select(c => c.Name), Is.EqualTo(new[] { "layer2.1.conv1", "layer2.2.conv1", "layer3.0.conv1", "layer3.0.down.0" }));
        Assert.That(stream.Members.OfType<BatchNormNode>().Count(), Is.EqualTo(4));
        Assert.That((stream.IsHidden, stream.StaysBecause), Is.EqualTo((false, "4 layers make its units")));
        Assert.That(groups.Where(g => !g.IsHidden).Select(g => g.Name), Is.EqualTo(new[] { "conv1", "layer2.0.conv2", "layer3.0.conv2" }));
        PrunableGroup last = groups.Single(g => g.Name == "layer3.0.conv2");
        Assert.That(last.Consumers[^1].Name, Is.EqualTo("fc"), "through the pool");
    }

    [Test]
    public void What_cannot_lose_units_has_a_reason()
    {
        NetworkBuilder builder = new("n", new Chw(4, 6, 6));
        var groups = PrunableGroups.Find(builder.Residual("r", b => b.Convolution("image", 4, 3, padding: 1)).Convolution("wide", 8, 3).Convolution("split", 8, 3, groups: 2)
            .Convolution("shared", 6, 1).Linear("fc", 3).Build());
        Assert.That(groups.Groups.Select(g => g.Name), Is.EqualTo(new[] { "shared" }));
        Assert.That(groups.Fixed, Is.EqualTo(new[]
        {
            ("r.image", "its units are added to the image's channels"), ("wide", "they are read by split, a convolution in groups"),
            ("split", "split makes them, a convolution in groups"), ("fc", "it gives the logits"),
        }));
    }

    private static IEnumerable<string> Zoo => NetworkZoo.Entries.Select(e => e.Name);

    [TestCaseSource(nameof(Zoo))]
    public void A_network_without_units_of_every_group_computes_what_the_larger_one_does_without_them(string name)
    {
        (Network network, TrainedNetwork zeroed, TrainedNetwork small) = WithoutThird(name);
        using var device = new CpuDevice(1);
        AssertSameLogits(zeroed, small, device);
        Assert.That(PrunableGroups.Find(network).Fixed.Select(f => f.Reason), Is.EqualTo(new[] { "it gives the logits" }));
        Network again = NetworkZoo.Create(small.Network.Name, network.Input, network.Classes);
        Assert.That(again.Parameters.Select(p => (p.Name, p.Shape)), Is.EqualTo(small.Network.Parameters.Select(p => (p.Name, p.Shape))), "built again by its name");
        Assert.That(NetworkAnalysis.Analyze(small.Network).Macs, Is.LessThan(0.7 * NetworkAnalysis.Analyze(network).Macs));
    }

    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void So_it_does_on_every_device(DeviceCase on)
    {
        using Device device = on.Create();
        foreach (string name in (string[])["mlp300", "conv2", "resnet20"])
        {
            (_, TrainedNetwork zeroed, TrainedNetwork small) = WithoutThird(name);
            AssertSameLogits(zeroed, small, device);
        }
    }

    /// <summary>A third of each group: units that nobody reads any more, and the network that does not have them.</summary>
    private static (Network, TrainedNetwork Zeroed, TrainedNetwork Small) WithoutThird(string name)
    {
        ZooEntry entry = NetworkZoo.Entries.Single(e => e.Name == name);
        Network network = NetworkZoo.Create(name, entry.Input.Height > 32 ? new Chw(3, 32, 32) : entry.Input, 5);
        TrainedNetwork model = RandomNetworks.Weights(network, 0), zeroed = model;
        var kept = new Dictionary<string, ImmutableArray<int>>();
        foreach (PrunableGroup group in PrunableGroups.Find(network).Groups)
        {
            kept[group.Name] = [.. Enumerable.Range(0, group.Units).Where(u => u % 3 != 1)];
            foreach (Parameter weight in group.Consumers.Select(c => c.Weight))
            {
                int plane = weight.Filter.Height * weight.Filter.Width;
                float[] cut = [.. zeroed.Values[weight.Index].Select((v, i) => i / plane % weight.Filter.In % 3 == 1 ? 0 : v)];
                zeroed = zeroed with { Values = zeroed.Values.SetItem(weight.Index, cut) };
            }
        }
        return (network, zeroed, NarrowNetwork.Keep(model, kept));
    }

    internal static void AssertSameLogits(TrainedNetwork zeroed, TrainedNetwork small, Device device)
    {
        float[] images = RandomNetworks.Images(zeroed.Network, 2);
        float[] expected = RandomNetworks.Logits(zeroed, images, 2, device), actual = RandomNetworks.Logits(small, images, 2, device);
        float scale = expected.Max(Math.Abs);
        Assert.That(scale, Is.GreaterThan(1e-3));
        for (int i = 0; i < expected.Length; i++) Assert.That(actual[i], Is.EqualTo(expected[i]).Within(1e-5 * scale), small.Network.Name);
    }
}
