using Asni.Cpu;

namespace Asni.Tests.Cpu;

public unsafe class WorkQueueTests
{
    [TestCase(false, new[] { 0, 1, 2, 6, 5, 4, 3 })]
    [TestCase(true, new[] { 2, 1, 0, 3, 4, 5, 6 })]
    public void A_worker_takes_its_own_part_in_order_and_then_what_others_left_from_the_other_end(bool descending, int[] order)
    {
        long* left = stackalloc long[2 * WorkQueue.Spacing];
        var queue = new WorkQueue(left, 2, 7, descending);
        Assert.That(Enumerable.Range(0, 7).Select(_ => queue.Next(0)), Is.EqualTo(order));
        Assert.That(new[] { queue.Next(0), queue.Next(1) }, Is.All.EqualTo(-1));
    }

    [Test]
    public void Others_units_are_taken_behind_those_that_their_owner_took()
    {
        long* left = stackalloc long[3 * WorkQueue.Spacing];
        var queue = new WorkQueue(left, 3, 9, descending: false);
        Assert.That(queue.Next(1), Is.EqualTo(3));
        Assert.That(Enumerable.Range(0, 3).Select(_ => queue.Next(0)), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(Enumerable.Range(0, 2).Select(_ => queue.Next(0)), Is.EqualTo(new[] { 5, 4 }));
        Assert.That(queue.Next(1), Is.EqualTo(8), "the owner's part is empty, the next one is taken from its end");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void What_is_ahead_of_a_worker_comes_next_and_is_its_own(bool descending)
    {
        long* left = stackalloc long[2 * WorkQueue.Spacing];
        var queue = new WorkQueue(left, 2, 7, descending);
        for (int item; (item = queue.Ahead(1)) >= 0;) Assert.That(queue.Next(1), Is.EqualTo(item));
        Assert.That(queue.Next(1), Is.LessThan(3).And.GreaterThanOrEqualTo(0), "another's, and not told ahead: it may well take it itself");
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(100_000)]
    public void Every_unit_is_dealt_to_one_worker(int items)
    {
        using var workers = new Workers(3);
        var taken = new int[items];
        var body = new TakeBody(workers.Queue(items), taken);
        workers.Run(ref body);
        Assert.That(taken, Is.All.EqualTo(1));
    }

    [Test]
    public void While_one_worker_is_held_up_the_others_do_the_rest()
    {
        using var workers = new Workers(2);
        var taken = new int[50];
        var body = new HeldUpBody(workers.Queue(50), taken);
        workers.Run(ref body);
        Assert.That(taken.Count(worker => worker == 2), Is.EqualTo(1), "items of the second worker");
        Assert.That(taken.Count(worker => worker == 1), Is.EqualTo(49), "items of the first worker");
    }

    private readonly struct TakeBody(WorkQueue queue, int[] taken) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            for (int item; (item = queue.Next(worker)) >= 0;) Interlocked.Increment(ref taken[item]);
        }
    }

    /// <summary>The second worker holds on to its first item until all others are taken.</summary>
    private readonly struct HeldUpBody(WorkQueue queue, int[] taken) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            while (worker == 0 && !taken.Contains(2)) Thread.Yield();
            for (int item; (item = queue.Next(worker)) >= 0;)
            {
                Volatile.Write(ref taken[item], worker + 1);
                while (worker == 1 && taken.Contains(0)) Thread.Yield();
            }
        }
    }
}
