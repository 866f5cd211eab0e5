using Asni.Cpu;

namespace Asni.Tests.Cpu;

public class WorkersTests
{
    [TestCase(1, 10_000)]
    [TestCase(2, 10_000)]
    [TestCase(5, 500)]
    public void Every_region_runs_every_worker_once(int threads, int rounds)
    {
        using var workers = new Workers(threads);
        var counts = new long[threads * 16];
        for (int round = 1; round <= rounds; round++)
        {
            var body = new CountBody(counts);
            workers.Run(ref body);
            for (int i = 0; i < threads; i++)
                if (counts[i * 16] != round) Assert.Fail($"worker {i} ran {counts[i * 16]} times in {round} regions");
        }
    }

    [Test]
    public void Workers_that_fell_asleep_wake_for_the_next_region()
    {
        using var workers = new Workers(3);
        var counts = new long[3 * 16];
        for (int round = 1; round <= 60; round++)
        {
            // From still spinning, over just falling asleep, to asleep.
            Thread.Sleep(round % 6);
            var body = new CountBody(counts);
            workers.Run(ref body);
            workers.Run(ref body);
            Assert.That(new[] { counts[0], counts[16], counts[32] }, Is.All.EqualTo(2 * round));
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    public void An_exception_reaches_the_caller_and_the_team_works_on(int failing)
    {
        using var workers = new Workers(2);
        Assert.That(() => { var body = new ThrowBody(failing); workers.Run(ref body); }, Throws.InvalidOperationException);
        Assert.That(() => { var body = new ThrowBody(2); workers.Run(ref body); }, Throws.Nothing);
    }

    [Test]
    public void A_failure_of_the_caller_and_a_worker_together_is_not_reported_again()
    {
        using var workers = new Workers(2);
        Assert.That(() => { var body = new ThrowBody(-1); workers.Run(ref body); }, Throws.InvalidOperationException);
        Assert.That(() => { var body = new ThrowBody(2); workers.Run(ref body); }, Throws.Nothing);
    }

    /// <summary>More callers than teams: some do all shares themselves, and every worker still runs once.</summary>
    [TestCase(2)]
    [TestCase(3)]
    public void Callers_at_the_same_time_share_the_threads(int threads)
    {
        Parallel.For(0, 6, new ParallelOptions { MaxDegreeOfParallelism = 6 }, _ =>
        {
            using var workers = new Workers(threads);
            var counts = new long[threads * 16];
            var taken = new int[100];
            for (int round = 1; round <= 2000; round++)
            {
                var body = new CountBody(counts);
                workers.Run(ref body);
                var queue = new QueueBody(workers.Queue(taken.Length), taken);
                workers.Run(ref queue);
                Assert.That(Enumerable.Range(0, threads).All(i => counts[i * 16] == round) && taken.All(t => t == round), $"round {round}");
            }
        });
    }

    [Test]
    public void A_share_whose_thread_is_held_up_before_it_begins_is_done_by_the_caller()
    {
        // Of 200 threads few get a processor in time for a region of nothing.
        using var workers = new Workers(200);
        var counts = new long[200 * 16];
        for (int round = 1; round <= 50; round++)
        {
            var body = new CountBody(counts);
            workers.Run(ref body);
            Assert.That(Enumerable.Range(0, 200).All(i => counts[i * 16] == round));
        }
    }

    [Test]
    public void A_second_caller_of_the_same_workers_is_refused()
    {
        using var workers = new Workers(2);
        var body = new NestedBody(workers);
        workers.Run(ref body);
        var counts = new long[2 * 16];
        var next = new CountBody(counts);
        workers.Run(ref next);
        Assert.That(counts.Sum(), Is.EqualTo(2));
    }

    [Test]
    public void Workers_that_were_disposed_of_say_so()
    {
        var workers = new Workers(2);
        workers.Dispose();
        Assert.That(() => { var body = new ThrowBody(2); workers.Run(ref body); }, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Disposing_twice_is_harmless()
    {
        var workers = new Workers(3);
        workers.Dispose();
        Assert.That(workers.Dispose, Throws.Nothing);
    }

    [Test]
    public void Shares_cover_everything_once_on_whole_grains()
    {
        foreach (long count in (long[])[0, 1, 63, 64, 65, 1000])
        {
            long next = 0;
            for (int worker = 0; worker < 3; worker++)
            {
                (long from, long to) = Partition.Range(count, worker, 3, 64);
                Assert.That(from, Is.EqualTo(next));
                Assert.That(from % 64 == 0 || from == count, Is.True);
                next = to;
            }
            Assert.That(next, Is.EqualTo(count));
        }
    }

    private readonly struct CountBody(long[] counts) : IParallelBody
    {
        public void Execute(int worker, int workers) => counts[worker * 16]++;
    }

    private readonly struct QueueBody(WorkQueue queue, int[] taken) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            for (int unit; (unit = queue.Next(worker)) >= 0;) taken[unit]++;
        }
    }

    private readonly struct NestedBody(Workers same) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            Workers busy = same;
            Assert.That(() => { var body = new ThrowBody(2); busy.Run(ref body); }, Throws.InvalidOperationException);
            Assert.That(() => busy.Queue(1), Throws.InvalidOperationException);
        }
    }

    /// <param name="failing">The worker that throws; -1 for all.</param>
    private readonly struct ThrowBody(int failing) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            if (worker == failing || failing == -1) throw new InvalidOperationException("on purpose");
        }
    }
}
