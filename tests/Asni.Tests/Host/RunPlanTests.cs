using Asni.Data;
using Asni.Host;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Tests.Methods;
using Asni.Tests.Reference;

namespace Asni.Tests.Host;

public class RunPlanTests
{
    /// <summary>Lanes are a network's recipe's for its own batch: another batch, or a recipe of before there were lanes, has one.</summary>
    [TestCase("", 4)]
    [TestCase("batch: 50\n", 1)]
    [TestCase("batch: 50\nlanes: 2\n", 2)]
    [TestCase("lanes: 2\n", 2)]
    public void Another_batch_has_no_lanes_unless_they_are_given(string yaml, int expected)
    {
        SettingsLayer book = RecipeBook.Find("resnet50", "imagenet")!.Layer;
        Assert.That(SettingsLayer.Apply(book, RecipeYaml.Parse("net: resnet50\n" + yaml, "own")).Recipe.Lanes, Is.EqualTo(expected));
    }

    /// <summary>7 steps an epoch; a dense training of 6 epochs and two rounds.</summary>
    [TestCase(null, null, 18)]
    [TestCase(4, null, 6 + 2 * 2)]
    [TestCase(null, 28, 6 + 2 * 2)]
    [TestCase(null, 30, 6 + 2 * 2)]
    [TestCase(null, 6, 18)]
    public void Epochs_before_the_rewind_are_not_trained_again(int? epoch, int? step, int expected)
    {
        Network network = SmallNetworks.Create("bottleneck");
        DatasetSplit data = BlobDataset.Split(100, network.Input, network.Classes);
        Recipe recipe = MethodTests.With(new Imp { Sparsity = 0.36, RewindEpoch = epoch, RewindStep = step }) with { BatchSize = 15 };
        Assert.That(new RunPlan(new RunSettings(), recipe, network, data, null, []).TrainedEpochs, Is.EqualTo(expected));
    }
}
