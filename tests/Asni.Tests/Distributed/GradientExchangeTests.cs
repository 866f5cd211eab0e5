using Asni.Cpu;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Golden;

namespace Asni.Tests.Distributed;

/// <summary>Gradients of live weights, added up over ranks in buckets. RankTests have what comes of it.</summary>
public class GradientExchangeTests
{
    // fc2 and fc3 fill a first bucket of 2^18 numbers, fc1 comes after it.
    private static readonly Network s_network = TinyNetworks.Linear(600, 500, 500, 4);

    private static readonly Network s_normed = new NetworkBuilder("normed", new Chw(3, 10, 10)).Convolution("conv", 8, 3, padding: 1).BatchNorm("norm").Relu("cut")
        .Convolution("second", 8, 3, padding: 1).BatchNorm("second norm").Relu("second cut").MaxPool("pool", 2).Linear("head", 4).Build();

    [TestCase(1.0, false, 1)]
    [TestCase(0.05, false, 1)]
    [TestCase(0.6, false, 2)]
    [TestCase(0.05, true, 2)]
    public void Every_rank_has_the_sums_of_all(double density, bool dense, int threads)
    {
        (float[][] Own, float[][] Sums, long Length)[] ranks = ThreadRanks.Run(3, r =>
        {
            using var device = new CpuDevice(threads);
            using Model model = Create(device, density);
            using var plan = new Plan(model, 4, training: true);
            using var exchange = new GradientExchange(model, plan, r, null, beside: r.Rank > 0);
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
                Mask? mask = MaskOf(p, density);
                float[][] own = [.. ranks.Select(r => r.Own[p.Index])];
                int[] wrong = [.. Enumerable.Range(0, (int)p.Elements).Where(i => (dense || mask?[i] != false) && sums[p.Index][i] != own[0][i] + own[1][i] + own[2][i])];
                Assert.That(wrong, Is.Empty, p.Name);
            }
        }
    }

    /// <summary>Two ranks of two lanes in many buckets, one of which sends during the backward pass, and four lanes on one.</summary>
    [Test]
    public void Lanes_and_running_statistics_come_to_the_bits_of_one_rank([Values] bool dense)
    {
        float[][] alone = WithDevice(model =>
        {
            using var plan = new Plan(model, 4, training: true) { Lanes = 4 };
            var tree = new LaneTree(model.Parameters);
            tree.Begin();
            for (ulong lane = 0; lane < 4; lane++)
            {
                Run(plan, lane, dense, null, of: 16);
                if (lane < 3) tree.Add(dense);
                else tree.AddLast(dense);
            }
            tree.End(4);
            return Numbers(model, dense);
        });
        foreach (float[][] numbers in ThreadRanks.Run(2, r => WithDevice(model =>
        {
            using var plan = new Plan(model, 4, training: true) { Lanes = 4 };
            var tree = new LaneTree(model.Parameters);
            using var exchange = new GradientExchange(model, plan, r, tree, beside: r.Rank == 0, lengths: (8, 64));
            tree.Begin();
            exchange.Begin(2, dense);
            Run(plan, 2 * (ulong)r.Rank, dense, null, of: 16);
            tree.Add(dense);
            Run(plan, 2 * (ulong)r.Rank + 1, dense, exchange.DuringBackward, of: 16);
            exchange.Finish();
            tree.End(4);
            return Numbers(model, dense);
        }))) Assert.That(numbers, Is.EqualTo(alone));

        static float[][] WithDevice(Func<Model, float[][]> body)
        {
            using var device = new CpuDevice(1);
            using var model = new Model(s_normed, device);
            GoldenComparison.Initialize(model);
            foreach (Parameter p in s_normed.Weights) model.Parameters.SetMask(p.Index, Values.Mask((ulong)p.Index, p.Elements, 0.5));
            return body(model);
        }

        // Running statistics too; of pruned weights only where they are asked for.
        static float[][] Numbers(Model model, bool dense) =>
        [
            .. s_normed.Parameters.Select(p =>
            {
                var numbers = new float[dense || !p.IsTrained ? p.Elements : model.Parameters.Live(p.Index)];
                model.Parameters.Pack([p.Index], p.IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value, dense, numbers);
                return numbers;
            }),
        ];
    }

    [Test]
    public void The_last_layers_leave_while_the_first_have_their_backward_pass()
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device, 1);
        using var plan = new Plan(model, 4, training: true);
        using var ranks = new Watched();
        using var exchange = new GradientExchange(model, plan, ranks, null, beside: true);
        exchange.Begin(1, dense: false);
        var left = new List<(int Step, long Numbers)>();
        Run(plan, 1, false, step =>
        {
            exchange.DuringBackward!(step);
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
    public void What_the_exchange_throws_is_thrown_at_its_end([Values] bool beside)
    {
        using var device = new CpuDevice(1);
        using Model model = Create(device, 1);
        using var plan = new Plan(model, 4, training: true);
        using var ranks = new Watched { Failure = new AsniException("MPI: cut.") };
        using var exchange = new GradientExchange(model, plan, ranks, null, beside);
        exchange.Begin(1, dense: false);
        Run(plan, 1, false, exchange.DuringBackward);
        Assert.That(exchange.Finish, Throws.TypeOf<AsniException>().With.Message.EqualTo("MPI: cut."));
    }

    private static Model Create(Device device, double density)
    {
        var model = new Model(s_network, device);
        GoldenComparison.Initialize(model);
        foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, MaskOf(p, density));
        return model;
    }

    private static Mask? MaskOf(Parameter p, double density) => density == 1 || p.Kind != ParameterKind.Weight ? null : Values.Mask((ulong)p.Index, p.Elements, density);

    private static void Run(Plan plan, ulong seed, bool dense, Action<int>? afterBackward, int? of = null)
    {
        plan.Load(Values.Random(seed, 4 * plan.Model.Network.Input.Elements), [0, 1, 2, 3]);
        plan.RunTraining(dense, of, afterBackward);
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
