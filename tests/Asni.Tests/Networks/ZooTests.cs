using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Networks;

public class ZooTests
{
    // Published counts: torchvision's documentation, the papers' CIFAR forms, and sums over the layers for the averaged conv networks.
    [TestCase("lenet300", 266_610)]
    [TestCase("conv2", 4_301_642)]
    [TestCase("conv4", 2_425_930)]
    [TestCase("conv6", 2_262_602)]
    [TestCase("conv2a", 39_370)]
    [TestCase("conv4a", 261_450)]
    [TestCase("conv6a", 1_147_978)]
    [TestCase("vgg11", 9_231_114)]
    [TestCase("vgg13", 9_416_010)]
    [TestCase("vgg16", 14_728_266)]
    [TestCase("vgg19", 20_040_522)]
    [TestCase("resnet20", 272_474)]
    [TestCase("resnet32", 466_906)]
    [TestCase("resnet56", 855_770)]
    [TestCase("resnet18", 11_689_512)]
    [TestCase("resnet34", 21_797_672)]
    [TestCase("resnet50", 25_557_032)]
    [TestCase("resnet101", 44_549_160)]
    [TestCase("resnet18c", 11_173_962)]
    [TestCase("resnet34c", 21_282_122)]
    [TestCase("resnet50c", 23_520_842)]
    [TestCase("resnet101c", 42_512_970)]
    [TestCase("mobilenet_v2", 3_504_872)]
    [TestCase("mlp300", 238_510)]
    public void A_network_has_the_published_number_of_parameters(string name, long count)
    {
        Network network = NetworkZoo.Create(name);
        Assert.That(network.ParameterCount, Is.EqualTo(count));
        Assert.That(network.Name, Is.EqualTo(name));
    }

    [Test]
    public void Every_network_is_counted_above()
    {
        var counted = typeof(ZooTests).GetMethod(nameof(A_network_has_the_published_number_of_parameters))!
            .GetCustomAttributes(typeof(TestCaseAttribute), false).Cast<TestCaseAttribute>().Select(c => (string)c.Arguments[0]!);
        Assert.That(NetworkZoo.Names, Is.EquivalentTo(counted));
    }

    [TestCase("lenet300", 3, 266_200)]
    [TestCase("conv6", 9, 2_261_184)]
    [TestCase("resnet50", 54, 25_502_912)]
    [TestCase("mobilenet_v2", 53, 3_469_760)]
    public void The_prunable_weights_are_those_of_convolutions_and_linear_layers(string name, int tensors, long weights)
    {
        Network network = NetworkZoo.Create(name);
        Assert.That(network.Weights.Count(), Is.EqualTo(tensors));
        Assert.That(network.WeightCount, Is.EqualTo(weights));
    }

    [Test]
    public void Every_network_is_a_consistent_graph([ValueSource(typeof(NetworkZoo), nameof(NetworkZoo.Names))] string name)
    {
        Network network = NetworkZoo.Create(name);
        Assert.That(network.Nodes.Select(n => n.Id), Is.EqualTo(Enumerable.Range(0, network.Nodes.Length)));
        Assert.That(network.Nodes.Select(n => n.Name), Is.Unique);
        Assert.That(network.Nodes.SelectMany(n => n.Inputs.Select(i => i < n.Id)), Has.None.False, "inputs come earlier");
        Assert.That(network.Parameters.Select(p => p.Index), Is.EqualTo(Enumerable.Range(0, network.Parameters.Length)));
        Assert.That(network.Parameters.Select(p => p.Name), Is.Unique);
        foreach (Parameter p in network.Parameters)
            Assert.That((long)p.Filter.Out * p.Filter.FanIn, Is.EqualTo(p.Elements), p.Name);

        var read = network.Nodes.SelectMany(n => n.Inputs).ToHashSet();
        Assert.That(network.Nodes.SkipLast(1).Where(n => !read.Contains(n.Id)).Select(n => n.Name), Is.Empty,
            "every value but the logits is used");
    }

    [TestCase("lenet300", 3, 32, 32, 10)]
    [TestCase("conv2", 1, 28, 28, 10)]
    [TestCase("conv6", 1, 28, 28, 10)]
    [TestCase("conv6a", 3, 45, 37, 7)]
    [TestCase("vgg11", 3, 64, 64, 100)]
    [TestCase("vgg16", 3, 37, 50, 2)]
    [TestCase("resnet20", 1, 28, 28, 10)]
    [TestCase("resnet18", 3, 32, 32, 1000)]
    [TestCase("resnet50", 3, 33, 47, 5)]
    [TestCase("resnet18c", 1, 7, 5, 3)]
    [TestCase("mobilenet_v2", 3, 32, 32, 10)]
    [TestCase("mobilenet_v2", 1, 1, 1, 2)]
    public void Input_size_and_classes_are_free(string name, int channels, int height, int width, int classes)
    {
        var input = new Chw(channels, height, width);
        Network network = NetworkZoo.Create(name, input, classes);
        Assert.That(network.Input, Is.EqualTo(input));
        Assert.That(network.Classes, Is.EqualTo(classes));
        Assert.That(network.Nodes[^1].Output, Is.EqualTo(new Chw(classes, 1, 1)));
    }

    [Test]
    public void A_linear_weight_knows_the_activation_that_it_flattens()
    {
        Parameter weight = NetworkZoo.Create("conv6").Weights.Single(p => p.Name == "16.weight");
        Assert.That(weight.Shape, Is.EqualTo(new Shape(256, 4096)));
        Assert.That(weight.Filter, Is.EqualTo(new FilterShape(256, 256, 4, 4)));
    }

    [TestCase("ResNet-18", "resnet18")]
    [TestCase("mobilenetv2", "mobilenet_v2")]
    [TestCase("fc", "lenet300")]
    public void Spelling_variants_find_the_network(string name, string expected) =>
        Assert.That(NetworkZoo.Find(name).Name, Is.EqualTo(expected));

    [TestCase("resent18", "did you mean resnet18;")]
    [TestCase("vgg12", "did you mean vgg11;")]
    [TestCase("lenet", "did you mean")]
    [TestCase("", "all are lenet300, conv2")]
    public void A_typo_is_answered_with_the_nearest_names(string name, string expected)
    {
        var error = Assert.Throws<UsageException>(() => NetworkZoo.Create(name));
        Assert.That(error!.Message, Does.StartWith($"There is no network '{name}'").And.Contain(expected));
    }

    [TestCase(1)]
    [TestCase(0)]
    [TestCase(-3)]
    public void Fewer_than_two_classes_are_refused(int classes) =>
        Assert.That(() => NetworkZoo.Create("lenet300", classes: classes),
            Throws.TypeOf<UsageException>().With.Message.Contains($"{classes} classes"));
}
