using System.Globalization;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Pruning;

/// <summary>A network of 3-2-1 whose numbers are computed by hand; the last weight of each layer is pruned.</summary>
public class WeightLevelsTests
{
    private static readonly float[] s_first = [1, -2, 2, 6, -6, 0], s_second = [-7, 0];

    private readonly CpuDevice _device = new(2);

    [OneTimeTearDown]
    public void Release() => _device.Dispose();

    [TestCase(2, LevelScope.Layer, "3 -4 3 3 -4 0", "-7 0")]
    [TestCase(2, LevelScope.Network, "3 -5 3 3 -5 0", "-5 0")]
    [TestCase(2, LevelScope.Channel, "1.5 -2 1.5 6 -6 0", "-7 0")]
    [TestCase(1, LevelScope.Layer, "3.4 -3.4 3.4 3.4 -3.4 0", "-7 0")]
    [TestCase(1, LevelScope.Network, "4 -4 4 4 -4 0", "-4 0")]
    [TestCase(1, LevelScope.Channel, "1.666667 -1.666667 1.666667 6 -6 0", "-7 0")]
    [TestCase(3, LevelScope.Layer, "-0.5 -0.5 4 4 -6 0", "-7 0")]
    [TestCase(4, LevelScope.Network, "1.5 -2 1.5 6 -6.5 0", "-6.5 0")]
    public void Weights_take_the_numbers_of_their_scope(int levels, LevelScope scope, string first, string second) =>
        Check(new LevelOptions { Levels = levels, Scope = scope }, first, second);

    [TestCase(2, LevelScope.Layer, "-4 -4 3 3 3 0", "7 0")]
    [TestCase(2, LevelScope.Network, "-5 -5 3 3 3 0", "3 0")]
    [TestCase(1, LevelScope.Network, "-4 -4 4 4 4 0", "4 0")]
    public void Initial_signs_choose_among_the_numbers_of_the_learned_ones(int levels, LevelScope scope, string first, string second) =>
        Check(new LevelOptions { Levels = levels, Scope = scope, Signs = SignSource.Initial }, first, second);

    [Test]
    public void Enough_levels_give_the_weights_back([Values] LevelScope scope)
    {
        TrainedNetwork learned = Random(40, 5);
        Centroids[] found = Assign(new LevelOptions { Levels = 200, Scope = scope }, learned, learned, out float[][] values);
        Assert.That(values[0], Is.EqualTo(learned.Values[0]));
        Assert.That(found, Is.All.EqualTo(default(Centroids)), "none for each sign");
    }

    /// <summary>The sums of a layer are the device's, those of other scopes the host's.</summary>
    [Test]
    public void Scopes_of_the_same_weights_have_the_same_numbers([Values] bool lloyd)
    {
        TrainedNetwork learned = Random(500, 1);
        float[][] all = [.. Enum.GetValues<LevelScope>().Select(scope =>
        {
            Assign(new LevelOptions { Scope = scope }, learned, learned, out float[][] values, lloyd: lloyd);
            return values[0];
        })];
        Assert.That(all[0].Where(v => v != 0).Distinct().Count(), Is.EqualTo(2));
        Assert.That(all[0], Is.EqualTo(all[1]).Within(1e-6f));
        Assert.That(all[2], Is.EqualTo(all[1]).Within(1e-6f));
    }

    [Test]
    public void Random_signs_are_fair_and_follow_the_seed()
    {
        TrainedNetwork learned = Random(2000, 1);
        var options = new LevelOptions { Signs = SignSource.Random };
        Centroids numbers = Assign(options, learned, learned, out float[][] values)[0];
        Assign(options, learned, learned, out float[][] same);
        Assign(options, learned, learned, out float[][] other, seed: 8);
        Assert.That(values[0].Where(v => v != 0).Distinct(), Is.EquivalentTo(new[] { numbers.Plus, numbers.Minus }));
        Assert.That(values[0].Count(v => v > 0), Is.InRange(900, 1100), "standard deviation 22");
        Assert.That(values[0].Zip(learned.Values[0]).Count(v => v.First * v.Second > 0), Is.InRange(900, 1100));
        Assert.That(same[0], Is.EqualTo(values[0]));
        Assert.That(other[0], Is.Not.EqualTo(values[0]));
    }

    [Test]
    public void Signs_of_others_need_one_or_two_levels() =>
        Assert.That(() => new LevelOptions { Levels = 3, Signs = SignSource.Random }.Validate(), Throws.TypeOf<UsageException>().With.Message.Contains("need levels of 1 or 2"));

    private void Check(LevelOptions options, string first, string second)
    {
        Network network = TinyNetworks.Linear(3, 2, 1);
        Mask?[] masks = [new Mask(6) { [5] = false }, null, new Mask(2) { [1] = false }, null];
        var learned = new TrainedNetwork(network, [s_first, new float[2], s_second, new float[1]], [.. masks]);
        TrainedNetwork original = learned with { Values = [[-1, -1, 1, 1, 1, 1], new float[2], [1, 1], new float[1]], Masks = [null, null, null, null] };
        Assign(options, learned, original, out float[][] values);
        Assert.That(values[0], Is.EqualTo(Numbers(first)).Within(1e-6f));
        Assert.That(values[1], Is.EqualTo(Numbers(second)).Within(1e-6f));
    }

    private Centroids[] Assign(LevelOptions options, TrainedNetwork learned, TrainedNetwork original, out float[][] values, bool lloyd = false, ulong seed = 7)
    {
        using var model = new Model(learned.Network, _device);
        model.Load(learned);
        Centroids[] found = new WeightLevels(options, lloyd, original, seed).Assign(model, learned);
        TrainedNetwork assigned = model.TakeSnapshot();
        values = [.. learned.Network.Weights.Select(p => assigned.Values[p.Index])];
        return found;
    }

    private static TrainedNetwork Random(int inputs, int outputs)
    {
        Network network = TinyNetworks.Linear(inputs, outputs);
        var random = new SplitMix64(3);
        return new TrainedNetwork(network, [[.. Enumerable.Range(0, inputs * outputs).Select(i => (float)(random.NextNormal() + 0.3))], new float[outputs]], [null, null]);
    }

    private static IEnumerable<float> Numbers(string text) => text.Split(' ').Select(t => float.Parse(t, CultureInfo.InvariantCulture));
}
