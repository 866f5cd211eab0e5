using Asni.Data;
using Asni.Host;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Runs;
using Asni.Tests.Methods;
using Asni.Tests.Reference;

namespace Asni.Tests.Host;

public class RunPlanTests
{
    /// <summary>The recipe of the network lies under that of the run.</summary>
    [TestCase("", 1)]
    [TestCase("lanes: 2\n", 2)]
    public void A_run_of_before_there_were_lanes_goes_on_without_them(string line, int expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write(RunFolder.Recipe, System.Text.Encoding.UTF8.GetBytes("net: resnet50\ndata: imagenet\nbatch: 820\n" + line));
        Assert.That(SettingsLayer.Apply(RecipeBook.Find("resnet50", "imagenet")!.Layer, Checkpointing.Recipe(folder.Path)).Recipe.Lanes, Is.EqualTo(expected));
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
