using Asni.Data;
using Asni.Distributed;
using Asni.Tests.Devices;

namespace Asni.Tests.Distributed;

public class OrderedSumTests
{
    [TestCase(1, 1, 10)]
    [TestCase(2, 2, 1)]
    [TestCase(3, 3, 100)]
    [TestCase(4, 4, 1003)]
    [TestCase(5, 3, 77)]
    [TestCase(7, 7, 50)]
    [TestCase(8, 5, 33)]
    public void Every_rank_has_the_sum_in_the_order_of_the_tree(int size, int count, int length)
    {
        float[][] numbers = [.. Enumerable.Range(0, size).Select(r => Values.Random((ulong)r, length))];
        float[] expected = Sum(numbers[..count]);
        float[][] sums = ThreadRanks.Run(size, ranks =>
        {
            var sum = new OrderedSum(ranks);
            // Buffers of more numbers are there already.
            sum.Run(new float[2 * sum.RoundUp(length)], size);
            float[] own = [.. numbers[ranks.Rank], .. new float[sum.RoundUp(length) - length]];
            sum.Run(own, count);
            return own[..length];
        });
        Assert.That(sums, Is.All.EqualTo(expected));
    }

    /// <summary>Of the largest power of 2 before the last and of the rest.</summary>
    private static float[] Sum(float[][] rows)
    {
        if (rows.Length == 1) return rows[0];
        int left = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows.Length) / 2;
        return [.. Sum(rows[..left]).Zip(Sum(rows[left..]), (a, b) => a + b)];
    }

    [TestCase(6, 3, 20)]
    [TestCase(4, 4, 13)]
    [TestCase(8, 2, 8)]
    [TestCase(3, 1, 7)]
    public void Each_lane_is_one_ranks(int lanes, int ranks, int inAll)
    {
        int[] all = [.. Enumerable.Range(0, ranks).Select(r => new LaneShare(lanes, r, ranks)).SelectMany(s => Enumerable.Range(0, s.CountOf(inAll)).Select(s.Index)).Order()];
        Assert.That(all, Is.EqualTo(Enumerable.Range(0, inAll)));
    }

    [TestCase(6, 4, "6 lanes go on 1, 3 or 6 ranks, not on 4.")]
    [TestCase(1, 2, "1 lane goes on one rank, not on 2.")]
    public void Lanes_that_cannot_be_shared_are_refused(int lanes, int ranks, string message) =>
        Assert.That(() => new LaneShare(lanes, 0, ranks).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo(message));
}
