using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Methods;

/// <summary>Convolutions that are sparse by a rule.</summary>
public class StructuredConvolutionTests
{
    private static readonly FilterShape s_filter = new(8, 8, 3, 3);

    [Test]
    public void As_many_groups_as_channels_are_a_depthwise_convolution()
    {
        Mask mask = new StructuredConvolutions { Groups = 8 }.MaskOf(s_filter)!;
        for (int o = 0; o < 8; o++)
            for (int c = 0; c < 8; c++) Assert.That(Live(mask, o, c), Is.EqualTo(o == c ? 9 : 0));
    }

    /// <summary>Groups of channels whose numbers leave the same remainder.</summary>
    [Test]
    public void Fewer_groups_are_a_convolution_in_groups()
    {
        Mask mask = new StructuredConvolutions { Groups = 2 }.MaskOf(s_filter)!;
        for (int o = 0; o < 8; o++)
            for (int c = 0; c < 8; c++) Assert.That(Live(mask, o, c), Is.EqualTo(o % 2 == c % 2 ? 9 : 0));
    }

    [TestCase(4, 1, 8 * (2 * 9 + 6))]
    [TestCase(4, 2, 8 * (2 * 9 + 2))]
    [TestCase(8, 3, 8 * 9 + 14, Description = "|c - o| of 3 and 6: 10 and 4 pairs")]
    public void Centres_join_channels_of_other_groups(int groups, int period, int expected)
    {
        Mask mask = new StructuredConvolutions { Groups = groups, CentrePeriod = period }.MaskOf(s_filter)!;
        Assert.That(mask.Live, Is.EqualTo(expected));
        Assert.That(Enumerable.Range(0, 64).Where(i => Live(mask, i / 8, i % 8) == 1).All(i => mask[i * 9 + 4]));
    }

    [Test]
    public void A_layer_of_few_inputs_has_as_many_groups_and_no_output_is_without_one()
    {
        Mask mask = new StructuredConvolutions { Groups = 8 }.MaskOf(new FilterShape(16, 3, 3, 3))!;
        Assert.That(Enumerable.Range(0, 16).Select(o => Enumerable.Range(0, 27).Count(i => mask[o * 27 + i])), Is.All.EqualTo(9));
        mask = new StructuredConvolutions { Groups = 8 }.MaskOf(new FilterShape(3, 16, 3, 3))!;
        Assert.That(Enumerable.Range(0, 16).Select(c => Enumerable.Range(0, 3).Sum(o => Enumerable.Range(0, 9).Count(i => mask[(o * 16 + c) * 9 + i]))), Is.All.EqualTo(9), "nor an input that nobody reads");
    }

    [Test]
    public void It_trains_under_the_masks_and_the_products_are_those_that_live()
    {
        var method = new StructuredConvolutions { Groups = 4, CentrePeriod = 2, FanIn = FanIn.Live };
        PhaseResult result = MethodTests.Run(method).Result.Phases.Single();
        Network network = result.Model.Network;
        Parameter[] sparse = [.. network.Weights.Where(p => result.Model.Masks[p.Index] is not null)];
        Assert.That(sparse.Select(p => p.Name), Is.EqualTo(new[] { "c2.weight" }));
        Assert.That(result.Model.Masks[sparse[0].Index]!.Live, Is.EqualTo(12 * (3 * 9 + 3)));
        Assert.That(result.Kept, Is.EqualTo(network.WeightCount - 12 * 12 * 9 + 12 * (3 * 9 + 3)));
        Assert.That(result.Top1, Is.GreaterThan(0.5));
        Assert.That(() => MethodTests.Run(method, result.Model), Throws.TypeOf<StartException>().With.Property("Fault").EqualTo(StartFault.Pruned));
    }

    [Test]
    public void What_cannot_be_is_refused()
    {
        Assert.That(() => new StructuredConvolutions().Validate(NetworkZoo.Create("lenet300")), Throws.TypeOf<UsageException>().With.Message.EqualTo("lenet300 has no convolution of all channels and of 2x2 or larger behind its first layer for the method ssc."));
        Assert.That(() => new StructuredConvolutions { Groups = 1 }.Validate(NetworkZoo.Create("conv2")), Throws.TypeOf<UsageException>().With.Message.Contains("nothing would be sparse"));
    }

    private static int Live(Mask mask, int output, int input) => Enumerable.Range((output * s_filter.In + input) * 9, 9).Count(i => mask[i]);
}
