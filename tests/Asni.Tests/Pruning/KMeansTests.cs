using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Tests.Pruning;

public class KMeansTests
{
    [Test]
    public void Clusters_apart_have_their_means()
    {
        KMeans found = KMeans.Find([10f, -5, 11, 0.5f, -6, 0, 12, -7], 3);
        Assert.That(found.Means, Is.EqualTo(new[] { -6f, 0.25f, 11f }));
        Assert.That(new[] { -7f, 0.5f, 10 }.Select(v => found[v]), Is.EqualTo(new[] { -6f, 0.25f, 11f }));
    }

    [Test]
    public void The_borders_move_to_the_middle_of_the_means()
    {
        // From the halves {0, 1, 2} and {3, 20, 21} the 3 goes over to the first.
        Assert.That(KMeans.Find([0f, 1, 2, 3, 20, 21], 2).Means, Is.EqualTo(new[] { 1.5f, 20.5f }));
    }

    [Test]
    public void As_many_levels_as_different_values_give_the_values_back()
    {
        var random = new SplitMix64(5);
        float[] values = [.. Enumerable.Range(0, 500).Select(i => (float)random.NextNormal()), .. new float[] { 1, 1, 1, 2, 2 }];
        foreach (int k in (int[])[values.Distinct().Count(), values.Length, int.MaxValue])
        {
            KMeans found = KMeans.Find(values, k);
            Assert.That(values.Select(v => found[v]), Is.EqualTo(values));
        }
    }

    [Test]
    public void A_value_goes_to_its_nearest_mean_whatever_the_order([Values(2, 3, 7, 32)] int k)
    {
        var random = new SplitMix64((ulong)k);
        float[] values = [.. Enumerable.Range(0, 2000).Select(i => (float)random.NextNormal()), .. Enumerable.Repeat(0.25f, 300)];
        KMeans found = KMeans.Find(values, k);
        Assert.That(found.Means, Has.Length.EqualTo(k).And.Ordered.Ascending);
        foreach (float v in values) Assert.That(Math.Abs(v - found[v]), Is.LessThanOrEqualTo(found.Means.Min(m => Math.Abs(v - m)) * (1 + 1e-5f) + 1e-6f));
        random.Shuffle(values.AsSpan());
        Assert.That(KMeans.Find(values, k).Means, Is.EqualTo(found.Means));
    }

    [Test]
    public void A_cluster_that_loses_its_values_is_left_out()
    {
        // Of {0, 0.5} {1, 99} {99.5, 100} the middle one has the mean 50, from which both its values go.
        KMeans found = KMeans.Find([0f, 0.5f, 1, 99, 99.5f, 100], 3);
        Assert.That(found.Means, Is.EqualTo(new[] { 0.5f, 99.5f }));
        Assert.That((found[1], found[99]), Is.EqualTo((0.5f, 99.5f)));
        Assert.That(KMeans.Find([], 3).Means, Is.Empty);
    }
}
