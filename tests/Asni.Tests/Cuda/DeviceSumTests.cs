using Asni.Cpu;
using Asni.Cuda;
using Asni.Cuda.Libraries;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Host;
using Asni.Host.Commands;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Distributed;
using Asni.Tests.Golden;
using Asni.Tests.Methods;
using Asni.Tests.Reference;
using Asni.Training;

namespace Asni.Tests.Cuda;

/// <summary>Gradients that GPUs add up among themselves: in the simulator ranks are threads, each with a GPU of its own.</summary>
/// <remarks>A failure in the simulator drops what all streams have in flight.</remarks>
[NonParallelizable]
public class DeviceSumTests
{
    // Parameters whose last mask word is a part of one, and one of several chunks.
    private static readonly Network s_network = new NetworkBuilder("normed", new Chw(3, 9, 9)).Convolution("conv", 7, 3, padding: 1).BatchNorm("norm").Relu("cut").Linear("head", 5).Build();

    [SetUp]
    public void RequireDevice()
    {
        if (CudaDevice.GetUnavailableReason() is { } reason) Assert.Ignore(reason);
        if (Nccl.Version is null) Assert.Ignore("NCCL is not here");
    }

    [Test]
    public void Ordered_sums_have_the_bits_of_those_through_the_host([Values(1, 2, 5, 9)] int size, [Values] bool dense)
    {
        float[][][] onDevice = Sums(size, dense, SumOrder.Ordered), throughHost = Sums(size, dense, SumOrder.Host);
        Assert.That(onDevice[0], Is.EqualTo(throughHost[0]));
        for (int rank = 1; rank < size; rank++) Assert.That(onDevice[rank], Is.EqualTo(onDevice[0]));
    }

    [Test]
    public void Fast_sums_are_the_same_but_for_rounding([Values(1, 3)] int size, [Values] bool dense)
    {
        float[][][] fast = Sums(size, dense, SumOrder.Fast), ordered = Sums(size, dense, SumOrder.Host);
        for (int rank = 0; rank < size; rank++)
            for (int step = 0; step < ordered[0].Length; step++) Assert.That(fast[rank][step], Is.EqualTo(ordered[0][step]).Within(1e-4), $"rank {rank}, step {step}");
    }

    [Test]
    public void Messages_that_do_not_meet_fail_on_all_ranks()
    {
        (bool, Exception? Failure)[] ended = ThreadRanks.Try(Require(2), r =>
        {
            using var device = new CudaDevice();
            using Model model = Create(device);
            IExchangingDevice exchanging = device;
            Assert.That(exchanging.Join(r), Does.StartWith("NCCL "));
            DeviceSum sum = exchanging.CreateSum(model.Parameters, SumOrder.Ordered, most: 1000);
            // As no masks of two ranks may be.
            if (r.Rank == 1) model.Parameters.SetMask(0, Values.Mask(7, s_network.Parameters[0].Elements, 0.2));
            sum.Prepare([0], dense: false);
            sum.Run([0], ParameterSlot.Gradient, dense: false, having: 2);
            device.Synchronize();
            return true;
        });
        Assert.That(ended.Select(e => e.Failure), Is.All.InstanceOf<AsniException>().With.Message.Contains("NCCL: rank"));
    }

    [Test]
    public void Training_on_several_GPUs_has_the_bits_of_one([Values(CudaPrecision.Fp32, CudaPrecision.Bf16)] CudaPrecision precision)
    {
        Network net = SmallNetworks.Create("bottleneck");
        DatasetSplit data = BlobDataset.Split(60, net.Input, net.Classes);
        var recipe = new Recipe
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 2,
            BatchSize = 24,
            Lanes = 4,
            LearningRate = new LearningRate { Initial = 1e-2 },
            Method = new Gmp { Cuts = new() { Sparsity = 0.7, EverySteps = 1 } },
        };
        string alone = Train(1)[0];
        Assert.That(Train(2), Is.All.EqualTo(alone));
        Assert.That(Train(4), Is.All.EqualTo(alone));

        string[] Train(int size) => ThreadRanks.Run(Require(size), ranks =>
        {
            using var device = new CudaDevice(0, precision);
            Assert.That(GradientExchange.Join(device, ranks, recipe.Reduce), Does.StartWith("NCCL "));
            return MethodRunner.Run(recipe, net, data, device, ranks).Phases[^1].Model.ComputeSha256();
        });
    }

    [Test]
    public void Doctor_times_sums_by_MPI_and_by_NCCL()
    {
        string[] said = ThreadRanks.Run(Require(2), ranks =>
        {
            using var output = new StringWriter();
            using var device = new CudaDevice();
            HostConsole console = HostConsole.Plain(output, output);
            console.Ranks = ranks;
            RankDiagnosis.Write(console, device, [5000]);
            return output.ToString();
        });
        Assert.That(said[0], Does.Match(@"sum of 0 MB on each rank: [\d.]+ ms").And.Match(@"sum of 0 MB on each rank by NCCL \d+\.\d+\.\d+: [\d.]+ ms"));
        Assert.That(said[1], Is.Empty);
    }

    [Test]
    public void Without_NCCL_fast_sums_are_refused()
    {
        Exception?[] failures = [.. ThreadRanks.Try(2, r =>
        {
            using var device = new CpuDevice(1);
            using Model model = Create(device);
            using var plan = new Plan(model, 2, training: true);
            using var exchange = new GradientExchange(model, plan, r, null, order: SumOrder.Fast);
            return true;
        }).Select(e => e.Failure)];
        Assert.That(failures, Is.All.InstanceOf<UsageException>().With.Message.Contains("NCCL"));
    }

    /// <summary>A machine's GPUs are not one for each thread.</summary>
    private static int Require(int size)
    {
        if (size > 1 && !CudaDevice.IsSimulated) Assert.Ignore("one GPU is one rank");
        return size;
    }

    /// <summary>All numbers of each rank after each step.</summary>
    private static float[][][] Sums(int size, bool dense, SumOrder order) => ThreadRanks.Run(Require(size), r =>
    {
        using var device = new CudaDevice();
        using Model model = Create(device);
        using var plan = new Plan(model, 2, training: true) { Lanes = size };
        using var exchange = new GradientExchange(model, plan, r, null, beside: false, lengths: (16, 64), order);
        Assert.That(GradientExchange.Join(device, r, order) is not null, Is.EqualTo(order != SumOrder.Host));
        var steps = new List<float[]>();
        // Directly, recorded and replayed; then a rank has no lane, and masks move.
        foreach (int having in (int[])[size, size, size, Math.Max(1, size - 1), size, size])
        {
            if (steps.Count == 4) SetMasks(model, seed: 9);
            exchange.Begin(having, dense);
            plan.Load(Values.Random((ulong)(10 * steps.Count + r.Rank), 2 * s_network.Input.Elements), [1, 3]);
            plan.RunTraining(dense, 2 * size);
            exchange.Finish();
            steps.Add([.. s_network.Parameters.SelectMany(p => NumbersOf(model, p, dense))]);
        }
        return steps.ToArray();
    });

    private static float[] NumbersOf(Model model, Parameter p, bool dense)
    {
        float[] numbers = Workbench.Read(model.Parameters, p.Index, p.IsTrained ? ParameterSlot.Gradient : ParameterSlot.Value);
        Mask? mask = dense ? null : model.Parameters.GetMask(p.Index);
        return [.. numbers.Where((_, i) => mask?[i] != false)];
    }

    private static Model Create(Device device)
    {
        var model = new Model(s_network, device);
        GoldenComparison.Initialize(model);
        SetMasks(model, seed: 1);
        return model;
    }

    private static void SetMasks(Model model, ulong seed)
    {
        foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, Values.Mask(seed + (ulong)p.Index, p.Elements, 0.3));
    }
}
