using System.Collections.Immutable;
using Asni.Data;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Pruning.Units;

namespace Asni.Tests.Host;

public class RecipeBookTests
{
    // The published table: network, data, batch, epochs, optimizer, lr, k of the cosine (0: constant), weight decay, mag1, scale1.
    [TestCase("lenet300", "mnist", 60, 50, OptimizerKind.Adam, 1.2e-4, 0, 0, 0.98, 5)]
    [TestCase("conv2", "cifar10", 60, 20, OptimizerKind.Adam, 2e-4, 0, 0, 0.985, 2)]
    [TestCase("conv4", "cifar10", 60, 25, OptimizerKind.Adam, 3e-4, 0, 0, 0.95, 2)]
    [TestCase("conv6", "cifar10", 60, 30, OptimizerKind.Adam, 3e-4, 0, 0, 0.94, 3)]
    [TestCase("conv2", "mnist", 60, 20, OptimizerKind.Adam, 2e-4, 0, 0, 0.992, 2)]
    [TestCase("conv6", "mnist", 60, 30, OptimizerKind.Adam, 3e-4, 0, 0, 0.985, 3)]
    [TestCase("resnet18", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 0.97, 16)]
    [TestCase("resnet34", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 0.97, 16)]
    [TestCase("vgg11", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 0.97, 16)]
    [TestCase("vgg13", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 0.98, 16)]
    [TestCase("vgg16", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 0.99, 16)]
    [TestCase("vgg19", "cifar10", 128, 160, OptimizerKind.Momentum, 0.05, 1.06, 5e-4, 1.0, 16)]
    [TestCase("resnet50", "imagenet", 820, 90, OptimizerKind.Momentum, 0.35, 1.02, 1e-4, 0.814, 10)]
    public void The_published_recipes_equal_the_table(string net, string data, int batch, int epochs, OptimizerKind optimizer, double lr, double stretch,
        double decay, double mag1, double scale1)
    {
        BookRecipe book = RecipeBook.Find(net, data)!;
        Assert.That(book.Name, Is.EqualTo($"recipes/{data}/{net}-asni.yaml"));
        Recipe r = SettingsLayer.Apply(book.Layer).Resolve();
        Assert.That((r.Network, r.Data, r.Method.Name, r.BatchSize, r.Epochs), Is.EqualTo((net, data, "asni", batch, epochs)));
        Assert.That((r.Optimizer.Kind, r.Optimizer.Momentum, r.Optimizer.WeightDecay), Is.EqualTo((optimizer, 0.9, decay)));
        Assert.That((r.LearningRate.Kind, r.LearningRate.Initial), Is.EqualTo((stretch > 0 ? LearningRateKind.Cosine : LearningRateKind.Constant, lr)));
        if (stretch > 0) Assert.That(r.LearningRate.CosineStretch, Is.EqualTo(stretch));
        SparsitySchedule schedule = ((AsniII)r.Method).Schedule;
        Assert.That((schedule.Kind, schedule.Mag1, schedule.Trans1, schedule.Scale1, schedule.Rest), Is.EqualTo((ScheduleKind.Sigmoid, mag1, 0.5, scale1, (int?)null)));
        Assert.That(r.Augmentation, Is.EqualTo(data == "mnist" ? Augmentation.None : new Augmentation(4, true)));
    }

    [Test]
    public void ResNet50_retrains_at_its_own_rate()
    {
        Recipe recipe = SettingsLayer.Apply(RecipeBook.Find("resnet50", null)!.Layer).Resolve();
        LearningRate rate = recipe.Method.Phases(recipe, given: false).Single(p => p.Name == "asni2").LearningRate;
        Assert.That((rate.Initial, rate.CosineStretch, rate.Kind), Is.EqualTo((0.128, 1.04, LearningRateKind.Cosine)));
    }

    [Test]
    public void The_published_recipe_of_lenet300_prunes_to_97_percent()
    {
        Recipe recipe = SettingsLayer.Apply(RecipeBook.Find(null, null)!.Layer).Resolve();
        Assert.That(recipe.Method.FinalSparsity(recipe), Is.EqualTo(0.97).Within(0.001));
    }

    [TestCaseSource(typeof(NetworkZoo), nameof(NetworkZoo.Names))]
    public void Every_network_has_a_recipe_that_is_valid(string net)
    {
        BookRecipe? book = RecipeBook.Find(net, null);
        Assert.That(book, Is.Not.Null);
        Assert.That(SettingsLayer.Apply(book!.Layer).Resolve().Network, Is.EqualTo(net));
    }

    [Test]
    public void Every_embedded_recipe_is_for_a_network_that_exists()
    {
        Assert.That(RecipeBook.All, Is.Not.Empty);
        Assert.That(RecipeBook.All.Select(r => r.Network).Distinct(), Is.SubsetOf(NetworkZoo.Names));
    }

    /// <summary>Counted as the paper counts: multiply-adds, and two operations for each number that a batch-norm puts out.</summary>
    [TestCase("resnet34-ispasp-2.69g", 3.68e9, 2.69e9)]
    [TestCase("resnet34-ispasp-2.13g", 3.68e9, 2.13e9)]
    [TestCase("mobilenet_v2-ispasp-260m", 314e6, 260e6)]
    [TestCase("mobilenet_v2-ispasp-242m", 314e6, 242e6)]
    [TestCase("mobilenet_v2-ispasp-220m", 314e6, 220e6)]
    public void Recipes_of_structured_pruning_come_to_the_papers_FLOPs(string recipe, double dense, double pruned)
    {
        Recipe r = SettingsLayer.Apply(Load(Path.Combine("imagenet", recipe + ".yaml"))).Resolve();
        Network network = NetworkZoo.Create(r.Network);
        Assert.That(Flops(network), Is.EqualTo(dense).Within(0.005 * dense));
        var method = (UnitPruning)r.Method;
        Assert.That(method.Target.Budget, Is.Not.Null);
        ImmutableArray<string> groups = [.. method.Groups(network).Select(g => g.Name)];
        int[] kept = new UnitCounts(method.Target, network, groups).Kept(network, () => []);
        Assert.That(Flops(NarrowNetwork.Create(network, groups.Zip(kept).ToDictionary(g => g.First, g => g.Second))), Is.EqualTo(pruned).Within(0.002 * pruned));

        static double Flops(Network n) => NetworkAnalysis.Analyze(n).Macs + 2.0 * n.Nodes.OfType<BatchNormNode>().Sum(b => (long)b.Output.Elements);
    }

    [Test]
    public void Every_recipe_file_is_sound([ValueSource(nameof(Files))] string file)
    {
        Recipe r = Plan(Load(file));
        Assert.That(Path.GetDirectoryName(file), Is.EqualTo(r.Data));
        Assert.That(Path.GetFileName(file), Does.StartWith($"{r.Network}-{r.Method.Name}"));
    }

    [TestCase("sparsty: 0.9", "unknown key 'sparsty'")]
    [TestCase("sparsity: 1.5", "sparsity")]
    [TestCase("alpha: 2", "alpha has no effect")]
    [TestCase("cosine-stretch: 1", "cosine-stretch has no effect")]
    [TestCase("pattern: 2:4", "sparsity has no effect")]
    public void A_line_that_is_wrong_in_a_recipe_is_told(string line, string message)
    {
        string text = string.Join('\n', File.ReadLines(Path.Combine(Root, "mnist", "lenet300-gmp.yaml")).Where(l => !l.StartsWith(line.Split(':')[0] + ':', StringComparison.Ordinal)));
        text = line.StartsWith("cosine", StringComparison.Ordinal) ? text.Replace("cosine", "constant", StringComparison.Ordinal) : text;
        Assert.That(() => Plan(RecipeYaml.Parse($"{text}\n{line}\n", "r.yaml")), Throws.InstanceOf<UsageException>().With.Message.Contains(message));
    }

    /// <summary>What a run with this recipe checks before it opens data, and that each line of it counts.</summary>
    private static Recipe Plan(SettingsLayer layer)
    {
        RunSettings settings = SettingsLayer.Apply(layer);
        layer.RequireEffect(settings);
        Recipe recipe = settings.Resolve();
        Network network = NetworkZoo.Create(recipe.Network);
        recipe.Method.Validate(network);
        Assert.That(recipe.Method.Phases(recipe, given: false), Is.Not.Empty);
        return recipe;
    }

    /// <summary>The network's own recipe lies under it, and must not add to it; a recipe without epochs is for a network that is given.</summary>
    [Test]
    public void A_recipe_stands_alone([ValueSource(nameof(Files))] string file)
    {
        SettingsLayer layer = Load(file);
        RunSettings alone = SettingsLayer.Apply(layer);
        RunSettings run = SettingsLayer.Apply(RecipeBook.Find(alone.Recipe.Network, alone.Recipe.Data)!.Layer, layer) with { Init = layer.Has("epochs") ? null : "trained.pt" };
        IEnumerable<string> added = RunSettingList.ForMethod(run.Recipe.Method)
            .Where(s => s.Key != "init" && s.Get(run) != s.Get(alone) && SettingsLayer.GetIdleReason(s.Key, run) is null).Select(s => s.Key);
        Assert.That(added, Is.Empty);
    }

    private static string Root => Path.Combine(ArchitectureTests.Root, "recipes");

    private static SettingsLayer Load(string file) => RecipeYaml.Load(Path.Combine(Root, file));

    private static IEnumerable<string> Files() => Directory.EnumerateFiles(Root, "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Root, f)).Order();

    [TestCase("conv6", null, ExpectedResult = "recipes/cifar10/conv6-asni.yaml")]
    [TestCase("conv6", "mnist", ExpectedResult = "recipes/mnist/conv6-asni.yaml")]
    [TestCase("conv6", "digits", ExpectedResult = "recipes/mnist/conv6-asni.yaml")]
    [TestCase("conv6", "cifar100", ExpectedResult = "recipes/cifar10/conv6-asni.yaml")]
    [TestCase(null, null, ExpectedResult = "recipes/mnist/lenet300-asni.yaml")]
    [TestCase(null, "fashion-mnist", ExpectedResult = "recipes/mnist/lenet300-asni.yaml")]
    [TestCase(null, "cifar10", ExpectedResult = "recipes/cifar10/conv6-asni.yaml")]
    [TestCase("resnet50", null, ExpectedResult = "recipes/imagenet/resnet50-asni.yaml")]
    public string? The_recipe_suits_network_and_data(string? net, string? data) => RecipeBook.Find(net, data)?.Name;
}
