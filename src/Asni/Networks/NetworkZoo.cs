using System.Collections.Immutable;
using Asni.Networks.Rewriting;
using Asni.Networks.Zoo;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>A network that can be made by name, with the input and classes it has in its paper.</summary>
/// <param name="Summary">A few words for lists.</param>
public sealed record ZooEntry(string Name, string Summary, Chw Input, int Classes, Func<string, Chw, int, Network> Build);

/// <summary>All networks known by name.</summary>
public static class NetworkZoo
{
    private static readonly Chw Mnist = new(1, 28, 28), Cifar = new(3, 32, 32), ImageNet = new(3, 224, 224);

    public static ImmutableArray<ZooEntry> Entries { get; } =
    [
        new("lenet300", "LeNet-300-100, fully connected", Mnist, 10, LeNet.Build),
        new("conv2", "2 convolutions, 3 linear layers", Cifar, 10, ConvNet.Form(2, averaged: false)),
        new("conv4", "4 convolutions, 3 linear layers", Cifar, 10, ConvNet.Form(4, averaged: false)),
        new("conv6", "6 convolutions, 3 linear layers", Cifar, 10, ConvNet.Form(6, averaged: false)),
        new("conv2a", "2 convolutions, average pool, 1 linear layer", Cifar, 10, ConvNet.Form(2, averaged: true)),
        new("conv4a", "4 convolutions, average pool, 1 linear layer", Cifar, 10, ConvNet.Form(4, averaged: true)),
        new("conv6a", "6 convolutions, average pool, 1 linear layer", Cifar, 10, ConvNet.Form(6, averaged: true)),
        new("vgg11", "VGG-11 with batch-norm, CIFAR form", Cifar, 10, Vgg.Build11),
        new("vgg13", "VGG-13 with batch-norm, CIFAR form", Cifar, 10, Vgg.Build13),
        new("vgg16", "VGG-16 with batch-norm, CIFAR form", Cifar, 10, Vgg.Build16),
        new("vgg19", "VGG-19 with batch-norm, CIFAR form", Cifar, 10, Vgg.Build19),
        new("resnet20", "ResNet-20, CIFAR form (widths 16, 32, 64)", Cifar, 10, ResNet.Cifar(3)),
        new("resnet32", "ResNet-32, CIFAR form (widths 16, 32, 64)", Cifar, 10, ResNet.Cifar(5)),
        new("resnet56", "ResNet-56, CIFAR form (widths 16, 32, 64)", Cifar, 10, ResNet.Cifar(9)),
        new("resnet18", "ResNet-18, ImageNet stem (7x7/2 and pool)", ImageNet, 1000, ResNet.Basic([2, 2, 2, 2], smallStem: false)),
        new("resnet34", "ResNet-34, ImageNet stem (7x7/2 and pool)", ImageNet, 1000, ResNet.Basic([3, 4, 6, 3], smallStem: false)),
        new("resnet50", "ResNet-50, ImageNet stem (7x7/2 and pool)", ImageNet, 1000, ResNet.Bottleneck([3, 4, 6, 3], smallStem: false)),
        new("resnet101", "ResNet-101, ImageNet stem (7x7/2 and pool)", ImageNet, 1000, ResNet.Bottleneck([3, 4, 23, 3], smallStem: false)),
        new("resnet18c", "ResNet-18, CIFAR stem (3x3, no pool)", Cifar, 10, ResNet.Basic([2, 2, 2, 2], smallStem: true)),
        new("resnet34c", "ResNet-34, CIFAR stem (3x3, no pool)", Cifar, 10, ResNet.Basic([3, 4, 6, 3], smallStem: true)),
        new("resnet50c", "ResNet-50, CIFAR stem (3x3, no pool)", Cifar, 10, ResNet.Bottleneck([3, 4, 6, 3], smallStem: true)),
        new("resnet101c", "ResNet-101, CIFAR stem (3x3, no pool)", Cifar, 10, ResNet.Bottleneck([3, 4, 23, 3], smallStem: true)),
        new("mobilenet_v2", "MobileNetV2, width 1", ImageNet, 1000, MobileNetV2.Build),
        new("mlp300", "one hidden layer of 300, fully connected", Mnist, 10, LeNet.BuildTwoLayers),
    ];

    public static IEnumerable<string> Names => Entries.Select(e => e.Name);

    /// <summary>Finds a network by name; capitals, hyphens and underscores do not matter, and "fc" is lenet300.</summary>
    /// <exception cref="UsageException">There is none; the message names the nearest.</exception>
    public static ZooEntry Find(string name)
    {
        return TryFind(name) ?? throw new UsageException(
            $"There is no network '{name}'{Suggestion.For(Suggestion.Plain(name), Names)}; all are {string.Join(", ", Names)}.");
    }

    /// <summary>True for a name above and for that of a narrower one of them.</summary>
    internal static bool Has(string name) => TryFind(name.Split('[')[0]) is not null;

    private static ZooEntry? TryFind(string name)
    {
        string plain = Suggestion.Plain(name);
        if (plain == "fc") plain = "lenet300";
        return Entries.FirstOrDefault(e => Suggestion.Plain(e.Name) == plain);
    }

    /// <summary>Makes a network, by the name of one above or by that of a narrower or shallower one of them (see <see cref="NarrowNetwork"/>).</summary>
    /// <param name="input">Shape of one sample; the network's own (see <see cref="ZooEntry.Input"/>) when null.</param>
    /// <param name="classes">Number of classes, 2 or more; the network's own when null.</param>
    /// <exception cref="UsageException">Unknown name, an input the network cannot take, or too few classes.</exception>
    public static Network Create(string name, Chw? input = null, int? classes = null)
    {
        (string zoo, Dictionary<string, int> units) = NarrowNetwork.Split(name);
        if (units.Count > 0)
        {
            Network whole = Create(zoo, input, classes);
            string[] gone = [.. units.Where(u => u.Value == 0 && whole.Nodes.All(n => n.Name != u.Key)).Select(u => u.Key)];
            return NarrowNetwork.Create(gone.Length == 0 ? whole : ShallowNetwork.Without(whole, gone).Network, units.Where(u => !gone.Contains(u.Key)).ToDictionary());
        }
        ZooEntry entry = Find(name);
        if (classes < 2) throw new UsageException($"{entry.Name}: {classes} classes are too few; use 2 or more.");
        return entry.Build(entry.Name, input ?? entry.Input, classes ?? entry.Classes);
    }
}
