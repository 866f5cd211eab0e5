using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

public class RedistributionTests
{
    /// <summary>20 + 10 + 3 weights are dropped; signals 1 : 3 : 0 share out 33 as 8.25 : 24.75 : 0.</summary>
    [Test]
    public void Layers_grow_in_proportion_to_their_signals()
    {
        var r = Redistribution.Compute(0.5, [100, 200, 10], [40, 20, 7], [1, 3, 0]);
        Assert.That(r.Drop, Is.EqualTo((long[])[20, 10, 3]));
        Assert.That(r.Grow, Is.EqualTo((long[])[8, 25, 0]));
    }

    /// <summary>Of the 30 dropped weights the first layer has room for 3 and would get 24; the others share 27 as 2 : 1, and the second has room for 10.</summary>
    [Test]
    public void What_a_layer_has_no_room_for_goes_to_the_others()
    {
        var r = Redistribution.Compute(0.5, [10, 15, 100], [10, 10, 44], [8, 2, 1]);
        Assert.That(r.Drop, Is.EqualTo((long[])[0, 5, 22]), "a dense layer with the largest signal drops nothing");
        Assert.That(r.Grow, Is.EqualTo((long[])[0, 10, 17]));
    }

    [TestCase(90, 2.0, 9)]
    [TestCase(90, 1.0, 45)]
    [TestCase(79, 2.0, 39)]
    public void A_nearly_dense_layer_drops_at_most_the_share_that_is_dead_of_it_while_it_grows(long live, double signal, long dropped) =>
        Assert.That(Redistribution.Compute(0.5, [100, 100], [live, 10], [signal, 1.5]).Drop[0], Is.EqualTo(dropped));

    [Test]
    public void Without_any_signal_weights_go_where_room_is()
    {
        var r = Redistribution.Compute(0.5, [100, 100], [100, 60], [0, 0]);
        Assert.That((r.Drop[0], r.Drop[1], r.Grow[0], r.Grow[1]), Is.EqualTo((50, 30, 33, 47)));
        Assert.That(Redistribution.Compute(1, [4, 5], [4, 5], [0, 0]).Grow, Is.EqualTo((long[])[4, 5]));
    }

    [Test]
    public void Exactly_as_many_grow_as_were_dropped_and_none_where_there_is_no_room()
    {
        var random = SplitMix64.Fork(11);
        for (int trial = 0; trial < 1000; trial++)
        {
            int layers = 1 + (int)(random.NextUInt64() % 12);
            long[] elements = [.. Enumerable.Range(0, layers).Select(_ => 1 + (long)(random.NextUInt64() % 5000))];
            long[] live = [.. elements.Select(n => trial % 3 == 0 && random.NextDouble() < 0.4 ? n : (long)(random.NextDouble() * (n + 1)))];
            double[] signal = [.. elements.Select(_ => random.NextDouble() < 0.2 ? 0 : Math.Pow(10, -6 * random.NextDouble()))];
            var r = Redistribution.Compute(random.NextDouble(), elements, live, signal);
            Assert.That(r.Grow.Sum(), Is.EqualTo(r.Drop.Sum()), $"trial {trial}");
            for (int i = 0; i < layers; i++)
            {
                Assert.That(r.Drop[i], Is.InRange(0, live[i]));
                Assert.That(r.Grow[i], Is.InRange(0, elements[i] - live[i] + r.Drop[i]), $"trial {trial}");
            }
        }
    }
}
