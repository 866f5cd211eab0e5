using Asni.Cpu;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Networks;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Golden;

namespace Asni.Tests.Distributed;

/// <summary>Gradients of live weights, added up over ranks in buckets. RankTests have what comes of it.</summary>
public class GradientExchangeTests
{
    // fc2 and fc3 fill a first bucket of 2^18 numbers, fc1 comes after it.
    private static readonly Network s_network = TinyNetworks.Linear(600, 500, 500, 4);

    [TestCase(1.0, false)]
    [TestCase(0.05, false)]
    [TestCase(0.6, false)]
    [TestCase(0.05, true)]
    public void Every_rank_has_the_sums_of_all(double density, bool dense)
    {
        (float[][] Own, float[][] Sums, long Length)[] ranks = ThreadRanks.Run(3, r =>
        {
            using var device = new CpuDevice(1);
            using Model model = Create(device, density);
            using var plan = new Plan(model, 4, training: true);
            using var exchange = new GradientExchange(model, plan, r, null);
            Run(plan, (ulong)r.Rank, dense, null);
            float[][] own = Gradients(model);
            exchange.Begin(3, dense);
            exchange.Finish();
            return (own, Gradients(model), exchange.Length);
        });
        foreach ((float[][] _, float[][] sums, long length) in ranks)
        {
            Assert.That(length, Is.EqualTo(s_network.Parameters.Sum(p => dense ? p.Elements : MaskOf(p, density)?.Live ?? p.Elements)));
            foreach (Parameter p in s_network.Parameters)
            {
                Asni.Tensors.Mask? mask = MaskOf(p, density);
                float[][] own = [.. ranks.Select(r => r.Own[p.Index])];
                int[] wrong = [.. Enumerable.Range(0, (int)p.Elements).Where(i => (dense || mask?[i] != false) && sums[p.Index][i] != own[0][i] + own[1][i] + own[2][i])];
                Assert.That(wrong, Is.Empty, p.Name);
            }
        }
    }

    [Test]
    public void The_last_layers_leave_while_the_first_have_their_backward_pass()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device, 1);
        using var plan = new Plan(model, 4, training: true);
        using var ranks = new Watched();
        using var exchange = new GradientExchange(model, plan, ranks, null);
        exchange.Begin(1, dense: false);
        var left = new List<(int Step, long Numbers)>();
        Run(plan, 1, false, step =>
        {
            exchange.AfterBackward(step);
            if (step == plan.StepOf(2)) Assert.That(ranks.Left.Wait(TimeSpan.FromSeconds(20)), Is.True);
            left.Add((step, Volatile.Read(ref ranks.Numbers)));
        });
        exchange.Finish();
        Assert.That(left[0].Numbers, Is.Zero, "only the last layer's are there");
        Assert.That(left[^2].Numbers, Is.EqualTo(252_504), "fc3 and fc2, before fc1's backward pass");
        Assert.That(ranks.Numbers, Is.EqualTo(exchange.Length));
    }

    [Test]
    public void Masks_that_have_come_apart_are_told()
    {
        (bool, Exception? Failure)[] ended = ThreadRanks.Try(2, r =>
        {
            using var device = new CpuDevice(1);
            using Model model = Create(device, r.Rank == 0 ? 0.5 : 0.4);
            using var plan = new Plan(model, 4, training: true);
            using var exchange = new GradientExchange(model, plan, r, null);
            exchange.Begin(2, dense: false);
            return true;
        });
        Assert.That(ended.Select(e => e.Failure!.Message), Is.All.EqualTo("pruning masks of rank 1 differ from rank 0's: a fault of memory or a mixed cluster; resume from the checkpoint."));
    }

    [Test]
    public void What_the_exchange_throws_is_thrown_at_its_end()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device, 1);
        using var plan = new Plan(model, 4, training: true);
        using var ranks = new Watched { Failure = new AsniException("MPI: cut.") };
        using var exchange = new GradientExchange(model, plan, ranks, null);
        exchange.Begin(1, dense: false);
        Run(plan, 1, false, exchange.AfterBackward);
        Assert.That(exchange.Finish, Throws.TypeOf<AsniException>().With.Message.EqualTo("MPI: cut."));
    }

    private static Model Create(Device device, double density)
    {
        var model = new Model(s_network, device);
        GoldenComparison.Initialize(model);
        foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, MaskOf(p, density));
        return model;
    }

    private static Asni.Tensors.Mask? MaskOf(Parameter p, double density) => density == 1 || p.Kind != ParameterKind.Weight ? null : Values.Mask((ulong)p.Index, p.Elements, density);

    private static void Run(Plan plan, ulong seed, bool dense, Action<int>? afterBackward)
    {
        plan.Load(Values.Random(seed, 4 * 600), [0, 1, 2, 3]);
        plan.RunTraining(dense, afterBackward: afterBackward);
    }

    private static float[][] Gradients(Model model) => [.. s_network.Parameters.Select(p => Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient))];

    /// <summary>A rank by itself.</summary>
    private sealed class Watched : Communicator
    {
        public long Numbers;

        public ManualResetEventSlim Left { get; } = new();
        public Exception? Failure { get; init; }
        public override int Rank => 0;
        public override int Size => 1;
        public override void Broadcast(Span<byte> bytes, int root) { }
        public override void AllGather(ReadOnlySpan<byte> own, Span<byte> all) => own.CopyTo(all);

        public override void AllToAll(ReadOnlySpan<byte> parts, Span<byte> received)
        {
            if (Failure is not null) throw Failure;
            parts.CopyTo(received);
            Interlocked.Add(ref Numbers, parts.Length / sizeof(float));
            Left.Set();
        }

        public override void Dispose()
        {
            Left.Dispose();
            base.Dispose();
        }
    }
}
