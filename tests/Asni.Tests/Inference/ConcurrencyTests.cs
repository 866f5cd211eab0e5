using System.Diagnostics;
using Asni.Cpu;
using Asni.Engine;
using Asni.Inference;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Inference;

/// <summary>One <see cref="SparseModel"/> called by several threads at once, against the answers that it gives to one.</summary>
[NonParallelizable]
public class ConcurrencyTests
{
    private const int Callers = 8;

    [TestCase(1, null)]
    [TestCase(2, null)]
    [TestCase(2, 1)]
    [TestCase(2, 3)]
    [TestCase(2, 8)]
    public void Ten_thousand_calls_a_thread_get_the_bits_of_serial_ones(int threads, int? maxConcurrency) =>
        Compare(NetworkZoo.Create("lenet300", new Chw(1, 28, 28), 10), density: 0.02, threads, maxBatchSize: 1, maxConcurrency, calls: 10_000);

    /// <summary>Dense, sparse, unrolled and depthwise layers, minimal filtering, batch-norm that is not folded, batches smaller than the largest.</summary>
    [TestCase("lenet300", "1x28x28", 0.9)]
    [TestCase("conv2", "3x16x16", 0.05)]
    [TestCase("conv2", "3x16x16", 1)]
    [TestCase("resnet20", "3x16x16", 0.1)]
    [TestCase("resnet18", "3x32x32", 0.1)]
    [TestCase("mobilenet_v2", "3x32x32", 0.1)]
    public void Calls_of_any_network_get_the_bits_of_serial_ones(string name, string input, double density)
    {
        int[] sizes = [.. input.Split('x').Select(int.Parse)];
        Network net = NetworkZoo.Create(name, new Chw(sizes[0], sizes[1], sizes[2]), 10);
        foreach (int batch in (int[])[1, 20]) Compare(net, density, threads: 3, batch, maxConcurrency: 5, calls: 12);
    }

    [TestCase(1)]
    [TestCase(4)]
    public void Disposing_waits_for_calls_that_run_and_refuses_the_others(int maxConcurrency)
    {
        TrainedNetwork snapshot = SparseNetworks.Prune(NetworkZoo.Create("conv2", new Chw(3, 16, 16), 10), 0.1);
        float[] image = SparseNetworks.Images(snapshot.Network.Input.Elements, 3);
        int expected = Serial(snapshot, image);
        for (int round = 0; round < 5; round++)
        {
            using var device = new CpuDevice(2);
            SparseModel model = SparseModel.Create(snapshot, device, 1, maxConcurrency);
            int right = 0, refused = 0;
            Thread[] callers = Start(Callers, _ =>
            {
                try
                {
                    while (true)
                    {
                        Assert.That(model.Predict(image), Is.EqualTo(expected));
                        Interlocked.Increment(ref right);
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref refused);
                }
            });
            SpinWait.SpinUntil(() => Volatile.Read(ref right) > 20 * (round + 1));
            model.Dispose();
            Join(callers);
            Assert.That(refused, Is.EqualTo(Callers));
            Assert.That(() => model.Predict(image), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(model.Dispose, Throws.Nothing);
        }
    }

    [Test]
    public void A_call_that_fails_gives_its_plan_back()
    {
        TrainedNetwork snapshot = SparseNetworks.Prune(NetworkZoo.Create("lenet300", new Chw(1, 28, 28), 10), 0.1);
        float[] image = SparseNetworks.Images(784, 3);
        using var device = new CpuDevice(2);
        using SparseModel model = SparseModel.Create(snapshot, device, 1, maxConcurrency: 1);
        int before = model.Predict(image);
        // The device is busy with another thread: every call fails inside its plan.
        using (device.Caller.Enter())
        {
            Join(Start(3, _ =>
            {
                for (int i = 0; i < 10; i++) Assert.That(() => model.Predict(image), Throws.InvalidOperationException);
            }));
        }
        Assert.That(() => model.Run(image, new float[9]), Throws.ArgumentException);
        int after = -1;
        Join(Start(1, _ => after = model.Predict(image)));
        Assert.That(after, Is.EqualTo(before));
    }

    /// <summary>The reference device takes one caller at a time, as a GPU does.</summary>
    [Test]
    public void Callers_of_a_device_that_takes_one_wait_for_each_other()
    {
        TrainedNetwork snapshot = SparseNetworks.Prune(NetworkZoo.Create("lenet300", new Chw(1, 28, 28), 10), 0.1);
        float[] image = SparseNetworks.Images(784, 3);
        using var device = new Reference.ReferenceDevice();
        using SparseModel model = SparseModel.Create(snapshot, device, 1, maxConcurrency: 8);
        var expected = new float[10];
        model.Run(image, expected);
        Join(Start(4, _ =>
        {
            var actual = new float[10];
            for (int i = 0; i < 10; i++)
            {
                model.Run(image, actual);
                Assert.That(actual, Is.EqualTo(expected));
            }
        }));
    }

    /// <summary>A further caller has neither lists of live weights of its own nor a packed copy of them, as a plan without sharing has.</summary>
    [TestCase("conv4", true)]
    [TestCase("conv4", false)]
    [TestCase("lenet300", true)]
    public void Callers_share_what_is_made_of_the_weights(string name, bool sparse)
    {
        const int batch = 20, callers = 4, tapBytes = 8;
        Network net = NetworkZoo.Create(name, new Chw(1, 28, 28), 10);
        TrainedNetwork snapshot = SparseNetworks.Prune(net, 0.5);
        float[] images = SparseNetworks.Images(batch * net.Input.Elements, 3);
        using var device = new CpuDevice(1);
        using var model = new Model(net, device);
        model.Load(snapshot);
        try
        {
            Asni.Cpu.Sparse.SparsePath.Forced = sparse;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            long alone = BytesAlone(snapshot, batch, images, out float[] expected);
            using var pool = new PlanPool(model, batch, callers);
            var plans = new List<Plan>();
            var bytes = new List<long>();
            for (int i = 0; i < callers; i++)
            {
                long before = CpuBuffer.LiveBytes;
                plans.Add(pool.Take());
                float[] actual = Answer(plans[i], images);
                bytes.Add(CpuBuffer.LiveBytes - before);
                Assert.That(actual, Is.EqualTo(expected));
            }
            plans.ForEach(pool.GiveBack);
            long weights = sparse ? tapBytes * model.Kept : sizeof(float) * net.Weights.Where(w => w.Filter.Height > 1 && w.Filter.Height < 7).Sum(w => (long)w.Elements);
            Assert.That(bytes.Skip(1), Is.All.LessThanOrEqualTo(bytes[1]).And.All.GreaterThan(0));
            // A caller's device has a little of its own, and which layers pack their weights depends on the processor's caches.
            Assert.That(alone - bytes[1], Is.GreaterThan(sparse ? weights - 1000 : weights / 2), $"{alone}, {string.Join(", ", bytes)}");
        }
        finally
        {
            Asni.Cpu.Sparse.SparsePath.Forced = null;
        }
    }

    [Test]
    public void Models_that_are_forgotten_give_their_threads_back()
    {
        const int threads = 5;
        TrainedNetwork snapshot = SparseNetworks.Prune(NetworkZoo.Create("conv2", new Chw(3, 16, 16), 10), 0.1);
        float[] image = SparseNetworks.Images(snapshot.Network.Input.Elements, 3);
        Forget(snapshot, image, 2, threads: 1);
        int before = ThreadCount();
        int max = Forget(snapshot, image, 30, threads);
        int teams = Math.Max(1, Environment.ProcessorCount / threads);
        Assert.That(max, Is.LessThanOrEqualTo(before + teams * (threads - 1) + 2), "30 models share a team");
        var watch = Stopwatch.StartNew();
        while (ThreadCount() > before && watch.Elapsed.TotalSeconds < 20)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }
        Assert.That(ThreadCount(), Is.LessThanOrEqualTo(before));
    }

    /// <summary>Runs models that nobody disposes of, nor of their devices.</summary>
    /// <returns>Threads of the process when they had all run.</returns>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static int Forget(TrainedNetwork snapshot, float[] image, int count, int threads)
    {
        var models = new List<SparseModel>();
        for (int i = 0; i < count; i++) models.Add(SparseModel.Create(snapshot, new CpuDevice(threads)));
        foreach (SparseModel model in models) model.Predict(image);
        return ThreadCount();
    }

    /// <summary>What a plan of its own takes after a call, with a device of its own.</summary>
    private static long BytesAlone(TrainedNetwork snapshot, int batch, float[] images, out float[] logits)
    {
        using var device = new CpuDevice(1);
        using var model = new Model(snapshot.Network, device);
        model.Load(snapshot);
        long before = CpuBuffer.LiveBytes;
        using var plan = new Plan(model, batch, training: false);
        logits = Answer(plan, images);
        return CpuBuffer.LiveBytes - before;
    }

    private static float[] Answer(Plan plan, float[] images)
    {
        var logits = new float[plan.BatchSize * plan.Model.Network.Classes];
        plan.Load(images, new int[plan.BatchSize]);
        plan.RunEvaluation();
        plan.ReadLogits(logits);
        return logits;
    }

    private static int ThreadCount()
    {
        using var process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }

    private static void Compare(Network net, double density, int threads, int maxBatchSize, int? maxConcurrency, int calls)
    {
        TrainedNetwork snapshot = SparseNetworks.Prune(net, density);
        // Batches of all sizes up to the largest, so that callers of different ones meet.
        (float[] Images, float[] Logits)[] cases = [.. Enumerable.Range(0, 2 * Callers).Select(i =>
        {
            int batch = 1 + i * 7 % maxBatchSize;
            return (SparseNetworks.Images(batch * net.Input.Elements, (ulong)i), new float[batch * net.Classes]);
        })];
        using (var alone = new CpuDevice(threads))
        using (SparseModel serial = SparseModel.Create(snapshot, alone, maxBatchSize, maxConcurrency: 1))
            foreach ((float[] images, float[] logits) in cases) serial.Run(images, logits);
        // Nobody has called this one: what is made by first calls is made by several at once.
        using var modelDevice = new CpuDevice(threads);
        using SparseModel model = SparseModel.Create(snapshot, modelDevice, maxBatchSize, maxConcurrency);
        using var start = new Barrier(Callers);
        Join(Start(Callers, caller =>
        {
            var actual = new float[maxBatchSize * net.Classes];
            start.SignalAndWait();
            for (int i = 0; i < calls; i++)
            {
                (float[] images, float[] logits) = cases[(caller + i) % cases.Length];
                model.Run(images, actual.AsSpan(0, logits.Length));
                if (!actual.AsSpan(0, logits.Length).SequenceEqual(logits)) Assert.Fail($"call {i} of caller {caller} got other logits");
            }
        }));
    }

    private static int Serial(TrainedNetwork snapshot, float[] image)
    {
        using var modelDevice = new CpuDevice(2);
        using SparseModel model = SparseModel.Create(snapshot, modelDevice, 1, maxConcurrency: 1);
        return model.Predict(image);
    }

    private static readonly List<Exception> s_failures = [];

    private static Thread[] Start(int count, Action<int> work)
    {
        s_failures.Clear();
        var threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            int caller = i;
            threads[i] = new Thread(() =>
            {
                try
                {
                    work(caller);
                }
                catch (Exception e)
                {
                    lock (s_failures) s_failures.Add(e);
                }
            });
            threads[i].Start();
        }
        return threads;
    }

    private static void Join(Thread[] threads)
    {
        foreach (Thread thread in threads) Assert.That(thread.Join(TimeSpan.FromMinutes(5)), "a caller hangs");
        Assert.That(s_failures, Is.Empty);
    }
}
