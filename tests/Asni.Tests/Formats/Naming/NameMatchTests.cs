using System.Collections.Immutable;
using Asni.Formats.Naming;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats.Naming;

public class NameMatchTests
{
    [TestCaseSource(typeof(LibraryNames), nameof(LibraryNames.All))]
    public void Every_tensor_of_a_library_s_network_is_found(string network, string[] names)
    {
        Network ours = NetworkZoo.Create(network);
        Assert.That(names, Has.Length.EqualTo(ours.Parameters.Length));
        ExpectInOrder(ours, names);
        // As wrappers leave them, one in another.
        ExpectInOrder(ours, [.. names.Select(n => "module._orig_mod." + n)]);
        ExpectInOrder(ours, [.. names.Select(n => "model.net." + n)]);
    }

    [TestCase("resnet18", "torchvision", "layer2.0.downsample.0.weight", "layer2.0.downsample.0.weight")]
    [TestCase("resnet50", "timm", "layer1.0.downsample.1.running_var", "layer1.0.downsample.1.running_var")]
    [TestCase("resnet50", "timm", "fc.weight", "fc.weight")]
    [TestCase("resnet20", "akamaster", "layer3.0.down.0.weight", "layer3.0.shortcut.0.weight")]
    [TestCase("resnet20", "akamaster", "fc.bias", "linear.bias")]
    [TestCase("resnet20", "open_lth", "layer2.0.down.1.bias", "blocks.3.shortcut.1.bias")]
    [TestCase("vgg16", "kuangliu", "0.weight", "features.0.weight")]
    [TestCase("vgg16", "kuangliu", "41.running_mean", "features.41.running_mean")]
    [TestCase("vgg16", "kuangliu", "45.weight", "classifier.weight")]
    [TestCase("mobilenet_v2", "torchvision", "features.2.conv.1.0.weight", "features.2.conv.1.0.weight")]
    [TestCase("mobilenet_v2", "torchvision_0.2", "features.2.conv.2.weight", "features.2.conv.6.weight")]
    [TestCase("mobilenet_v2", "timm", "features.0.0.weight", "conv_stem.weight")]
    [TestCase("mobilenet_v2", "timm", "features.1.conv.0.0.weight", "blocks.0.0.conv_dw.weight")]
    [TestCase("mobilenet_v2", "timm", "features.17.conv.2.weight", "blocks.6.0.conv_pwl.weight")]
    [TestCase("mobilenet_v2", "timm", "features.18.1.weight", "bn2.weight")]
    [TestCase("mobilenet_v2", "timm", "classifier.1.bias", "classifier.bias")]
    public void A_tensor_goes_by_the_library_s_name(string network, string library, string ours, string theirs)
    {
        string[] names = (string[])LibraryNames.All().Single(row => row.ArgDisplayNames is [{ } n, { } l] && n == network && l == library).Arguments[1]!;
        Network net = NetworkZoo.Create(network);
        NameMatch match = NameMatch.Find(net, Tensors(net, names));
        Assert.That(match.Found[net.Parameters.Single(p => p.Name == ours).Index]!.Name, Is.EqualTo(theirs));
    }

    [Test]
    public void Of_torchvision_s_and_timm_s_vgg16_bn_the_convolutions_fit_and_the_three_linear_layers_do_not()
    {
        Network network = NetworkZoo.Create("vgg16");
        string[] features = [.. ((string[])LibraryNames.All().Single(r => r.ArgDisplayNames is ["vgg16", "kuangliu"]).Arguments[1]!)[..^2]];
        foreach (string[] heads in (string[][])[["classifier.0", "classifier.3", "classifier.6"], ["pre_logits.fc1", "pre_logits.fc2", "head.fc"]])
        {
            ImmutableArray<ModuleTensor> tensors =
            [
                .. Tensors(network, [.. features, "x.weight", "x.bias"])[..^2],
                .. heads.SelectMany(h => new[] { new ModuleTensor(h + ".weight", [4096, 4096], h + ".weight", null), new ModuleTensor(h + ".bias", [4096], h + ".bias", null) }),
            ];
            NameMatch match = NameMatch.Find(network, tensors);
            Assert.That(network.Parameters.Count(p => match.Found[p.Index] is { } t && NameMatch.HasShape(t, p)), Is.EqualTo(features.Length));
            Assert.That(match.InOrder(network, tensors), Is.Empty);
        }
    }

    [Test]
    public void A_network_of_one_layer_keeps_the_name_that_all_its_tensors_share()
    {
        var net = new NetworkBuilder("one", new Chw(1, 2, 2)).Linear("model", 3).Build();
        ExpectInOrder(net, ["model.weight", "model.bias"]);
        ExpectInOrder(net, ["net.model.weight", "net.model.bias"]);
        ExpectInOrder(net, ["fc.weight", "fc.bias"]);
    }

    [Test]
    public void Names_that_nobody_knows_fit_in_order_when_all_shapes_do()
    {
        Network network = NetworkZoo.Create("resnet20");
        ImmutableArray<ModuleTensor> tensors = Tensors(network, [.. network.Parameters.Select((_, i) => $"t{i}")]);
        NameMatch match = NameMatch.Find(network, tensors);
        Assert.That(match.Found, Is.All.Null);
        Assert.That(match.InOrder(network, tensors).Select(pair => pair.Tensor.Name), Is.EqualTo(tensors.Select(t => t.Name)));
        Assert.That(match.InOrder(network, tensors.RemoveAt(5)), Is.Empty, "one too few");
        Assert.That(match.InOrder(network, tensors.SetItem(5, tensors[5] with { Dims = [7] })), Is.Empty, "one of another shape");
    }

    [Test]
    public void In_order_go_only_those_that_names_leave()
    {
        Network network = NetworkZoo.Create("resnet20");
        ImmutableArray<ModuleTensor> tensors = Tensors(network, [.. network.Parameters.Select(p => p.Name.Replace("layer2.0.down", "layer2.0.detour"))]);
        NameMatch match = NameMatch.Find(network, tensors);
        Assert.That(match.InOrder(network, tensors).Select(pair => $"{pair.Parameter.Name} {pair.Tensor.Name}"), Is.EqualTo(new[]
        {
            "layer2.0.down.0.weight layer2.0.detour.0.weight", "layer2.0.down.1.weight layer2.0.detour.1.weight", "layer2.0.down.1.bias layer2.0.detour.1.bias",
            "layer2.0.down.1.running_mean layer2.0.detour.1.running_mean", "layer2.0.down.1.running_var layer2.0.detour.1.running_var",
        }));
    }

    private static void ExpectInOrder(Network network, string[] names)
    {
        NameMatch match = NameMatch.Find(network, Tensors(network, names));
        Assert.That(match.Found.Select(t => t?.Source), Is.EqualTo(names));
        Assert.That(match.Unused, Is.Empty);
    }

    /// <summary>Tensors of the network's shapes in its order, without wrappers in their names.</summary>
    private static ImmutableArray<ModuleTensor> Tensors(Network network, string[] names) =>
        [.. network.Parameters.Zip(names, (p, n) => new ModuleTensor(n.Replace("module.", "").Replace("_orig_mod.", ""), [.. p.Shape.Dims.Select(d => (long)d)], n, null))];
}
