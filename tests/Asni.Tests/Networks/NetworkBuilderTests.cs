using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Networks;

public class NetworkBuilderTests
{
    private static NetworkBuilder Net(int channels = 3, int height = 32, int width = 32) => new("net", new Chw(channels, height, width));

    private static string Refusal(Action action) => Assert.Throws<UsageException>(action)!.Message;

    // PyTorch's floor((n + 2 * padding - kernel) / stride) + 1 for each side.
    [TestCase(3, 1, 1, 31, 17, 31, 17)]
    [TestCase(3, 2, 1, 31, 18, 16, 9)]
    [TestCase(3, 2, 0, 8, 7, 3, 3)]
    [TestCase(7, 2, 3, 32, 45, 16, 23)]
    [TestCase(1, 2, 0, 7, 1, 4, 1)]
    [TestCase(5, 3, 2, 1, 4, 1, 2)]
    public void A_convolution_infers_its_output(int kernel, int stride, int padding, int height, int width, int outHeight, int outWidth) =>
        Assert.That(Net(3, height, width).Convolution("c", 8, kernel, stride, padding).Output, Is.EqualTo(new Chw(8, outHeight, outWidth)));

    [TestCase(2, null, 0, 7, 4, 3, 2)]
    [TestCase(3, 2, 1, 16, 1, 8, 1)]
    [TestCase(3, 1, 0, 5, 3, 3, 1)]
    public void A_max_pool_infers_its_output(int size, int? stride, int padding, int height, int width, int outHeight, int outWidth) =>
        Assert.That(Net(3, height, width).MaxPool("p", size, stride, padding).Output, Is.EqualTo(new Chw(3, outHeight, outWidth)));

    [TestCase(65_536, 65_536, 65_536)]
    [TestCase(int.MaxValue, int.MaxValue, int.MaxValue)]
    [TestCase(117_440_513, 2_068_874_770, 1_620_116_094)]
    [TestCase(2, 1, int.MaxValue)]
    public void Shapes_whose_product_overflows_are_refused(int channels, int height, int width)
    {
        Assert.That(() => new NetworkBuilder("n", new Chw(channels, height, width)), Throws.TypeOf<UsageException>().With.Message.Contains("more than 2^31 elements"));
        Assert.That(() => NetworkZoo.Create("lenet300", new Chw(channels, height, width)), Throws.TypeOf<UsageException>());
        Assert.That(new Shape(channels, height, width, 8).Elements, Is.EqualTo(long.MaxValue).Or.EqualTo((long)channels * height * width * 8));
    }

    [TestCase(int.MaxValue, int.MaxValue, 3)]
    [TestCase(1, int.MaxValue, 1 << 20)]
    public void Weights_whose_number_overflows_are_refused(int inputs, int outputs, int kernel) => Assert.That(
        () => new NetworkBuilder("n", new Chw(inputs, 1, 1)).Convolution("a", outputs, kernel, padding: kernel), Throws.TypeOf<UsageException>());

    [Test]
    public void The_largest_side_takes_padding() => Assert.That(
        () => new NetworkBuilder("n", new Chw(1, int.MaxValue, 1)).Convolution("a", 1, 3, padding: 1).GlobalAveragePool("b").Build(), Throws.Nothing);

    [Test]
    public void The_first_misfit_is_named_with_an_input_size_that_suits_all_layers()
    {
        Assert.That(Refusal(() => NetworkZoo.Create("vgg11", new Chw(3, 1, 1))),
            Is.EqualTo("layer '3' of vgg11: a 2x2 max-pool does not fit a 64x1x1 input; use an input of at least 32x32."));
        Assert.That(Refusal(() => NetworkZoo.Create("conv6", new Chw(1, 28, 3))),
            Is.EqualTo("layer '9' of conv6: a 2x2 max-pool does not fit a 128x14x1 input; use an input of at least 8x8."));
    }

    [TestCase("conv2", 2)]
    [TestCase("conv4", 4)]
    [TestCase("conv6a", 8)]
    [TestCase("vgg11", 32)]
    [TestCase("vgg19", 32)]
    public void The_size_that_an_error_asks_for_is_the_smallest_that_works(string name, int least)
    {
        Assert.That(Refusal(() => NetworkZoo.Create(name, new Chw(3, least - 1, least - 1))),
            Does.EndWith($"use an input of at least {least}x{least}."));
        Assert.That(() => NetworkZoo.Create(name, new Chw(3, least, least)), Throws.Nothing);
    }

    [Test]
    public void A_size_is_traced_back_through_strides_padding_and_branches()
    {
        // 3x3 without padding reads 3; the stride-2 block before it needs 5; the 7x7/2 without padding before that 15.
        static Network Build(int size) => Net(3, size, size)
            .Convolution("stem", 4, 7, stride: 2)
            .Residual("block", b => b.Convolution("a", 8, 3, stride: 2, padding: 1), b => b.Convolution("s", 8, 1, stride: 2))
            .Convolution("tail", 8, 3)
            .GlobalAveragePool("pool")
            .Build();
        Assert.That(Refusal(() => Build(10)), Does.Contain("'tail'").And.EndsWith("use an input of at least 15x15."));
        Assert.That(Refusal(() => Build(14)), Does.EndWith("use an input of at least 15x15."));
        Assert.That(() => Build(15), Throws.Nothing);
    }

    [Test]
    public void A_residual_block_adds_its_branches_under_its_name()
    {
        Network network = Net(8, 4, 4)
            .Residual("block", b => b.Convolution("conv", 8, 3, padding: 1).Scope("deep", d => d.BatchNorm("bn")))
            .GlobalAveragePool("pool").Build();
        Assert.That(network.Nodes.Select(n => n.Name), Is.EqualTo(new[] { "input", "block.conv", "block.deep.bn", "block.add", "pool" }));
        var add = (AddNode)network.Nodes[3];
        Assert.That((add.Left, add.Right), Is.EqualTo((2, 0)));
    }

    [Test]
    public void Branches_of_different_shapes_are_refused() => Assert.That(
        Refusal(() => Net(8, 4, 4).Residual("block", b => b.Convolution("conv", 16, 3, stride: 2, padding: 1))),
        Is.EqualTo("layer 'block.add' of net: the main branch gives 16x2x2 and the shortcut 8x4x4, " +
            "which cannot be added; make their strides and channels equal."));

    [Test]
    public void Groups_must_divide_the_channels() => Assert.That(
        Refusal(() => Net(6).Convolution("c", 8, 3, groups: 4)),
        Does.Contain("4 groups must divide both the 6 input and the 8 output channels"));

    [Test]
    public void A_name_may_be_used_once() => Assert.That(
        Refusal(() => Net().Relu("a").Relu("a")), Is.EqualTo("layer 'a' of net: two layers have this name; give each its own."));

    [Test]
    public void Logits_must_be_a_vector() => Assert.That(
        Refusal(() => Net().Convolution("c", 10, 3).Build()), Does.Contain("must end in one value a class, not 10x30x30"));

    [Test]
    public void Impossible_arguments_are_refused()
    {
        Assert.That(Refusal(() => Net(0)), Does.Contain("an input of 0x32x32 is empty"));
        Assert.That(Refusal(() => Net().Convolution("c", 8, 3, stride: 0)), Does.Contain("'c'"));
        Assert.That(Refusal(() => Net().Convolution("c", 8, 3, padding: -1)), Does.Contain("'c'"));
        Assert.That(Refusal(() => Net().Linear("l", 0)), Does.Contain("1 or more outputs, not 0"));
        Assert.That(Refusal(() => Net().MaxPool("p", 2, padding: 2)), Does.Contain("padding of 0 to half its size"));
    }

    [Test]
    public void Sizes_beyond_memory_are_refused_before_they_overflow()
    {
        Assert.That(Refusal(() => Net(3, 100_000, 100_000)), Does.Contain("3x100000x100000 has more than 2^31 elements"));
        Assert.That(Refusal(() => Net(1, 20_000, 20_000).Convolution("c", 64, 3)), Does.Contain("'c'").And.Contains("2^31"));
        Assert.That(Refusal(() => Net(1, 20_000, 20_000).Linear("l", 300)),
            Does.Contain("300x400000000").And.Contains("use a smaller input"));
    }

    [Test]
    public void Building_twice_gives_independent_networks()
    {
        NetworkBuilder builder = Net(1, 4, 4).Linear("0", 5);
        Network first = builder.Build();
        Network second = builder.Relu("1").Linear("2", 2).Build();
        Assert.That(first.Nodes, Has.Length.EqualTo(2));
        Assert.That((first.Classes, second.Classes), Is.EqualTo((5, 2)));
    }
}
