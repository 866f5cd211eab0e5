using System.Globalization;
using System.Text.RegularExpressions;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Training;

namespace Asni.Tests.Cuda;

/// <summary>Whole steps and runs on the CUDA device, beside the CPU.</summary>
[NonParallelizable]
public class CudaDeviceTests
{
    private const int Batch = 4;

    [SetUp]
    public void NeedADriver() => CudaTest.Open().Dispose();

    [Test]
    public void ASNI_I_and_II_keep_exactly_the_asked_weights_and_learn_as_on_the_CPU()
    {
        Network net = TinyNetworks.Linear(36, 40, 20, 4);
        Recipe recipe = new()
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 6,
            BatchSize = 50,
            Seed = 3,
            Optimizer = new OptimizerSettings { Kind = OptimizerKind.Nesterov, Momentum = 0.9, WeightDecay = 5e-4 },
            LearningRate = new LearningRate { Initial = 0.02 },
            Method = new AsniII { Schedule = new SparsitySchedule { Scale1 = 0.8 }, Sparsity = 0.9 },
        };
        RunResult onCpu = Run(new CpuDevice(1)), onGpu = Run(new CudaDevice());
        foreach (string phase in (string[])["asni1", "asni2"])
        {
            PhaseResult expected = onCpu[phase]!, actual = onGpu[phase]!;
            Assert.That(actual.Kept, Is.EqualTo(expected.Kept));
            Assert.That(actual.Top1, Is.EqualTo(expected.Top1).Within(0.06), phase);
        }

        RunResult Run(Device device)
        {
            using (device) return MethodRunner.Run(recipe, net, BlobDataset.Split(600, net.Input, 4), device, new RecordingObserver());
        }
    }

    [Test]
    public void A_batch_that_does_not_fit_is_refused_with_one_that_does()
    {
        if (!CudaDevice.IsSimulated) Assert.Ignore("the simulator limits memory, a GPU does not");
        Network net = NetworkZoo.Create("resnet20");
        DatasetSplit data = BlobDataset.Split(1000, net.Input, 10);
        CudaTest.SetMemoryLimit(192 << 20);
        try
        {
            var e = Assert.Throws<DeviceMemoryException>(() => Make(512))!;
            Match fits = Regex.Match(e.Message, @"a batch of 512 of resnet20 takes .* GiB are free on cuda:0; a batch of (\d+) fits\.$");
            Assert.That(fits.Success, e.Message);
            int batch = int.Parse(fits.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            Assert.That((e.BatchSize, e.FittingBatchSize), Is.EqualTo((512, batch)));
            Assert.That(batch, Is.GreaterThan(8));
            Assert.That(512 / e.FittingLanes, Is.EqualTo(batch), "both are powers of 2");
            Assert.DoesNotThrow(() => Make(batch));
        }
        finally
        {
            CudaTest.SetMemoryLimit(0);
        }

        void Make(int batch)
        {
            using var device = new CudaDevice();
            using var model = new Model(net, device);
            new Trainer(model, data, batch, Augmentation.None, 0, new RecordingObserver()).Dispose();
        }
    }

    [TestCase(CudaPrecision.Fp32, 1e-5)]
    [TestCase(CudaPrecision.Tf32, 1e-2)]
    [TestCase(CudaPrecision.Bf16, 5e-2)]
    public void A_training_step_in_each_precision_is_near_that_of_the_CPU(CudaPrecision precision, double tolerance)
    {
        Network net = Small();
        double expected = LossAfter(new CpuDevice(1), net, 1), actual = LossAfter(new CudaDevice(0, precision), net, 1);
        Assert.That(actual, Is.EqualTo(expected).Within(tolerance * expected));
    }

    [Test]
    public void A_recorded_step_does_what_a_step_does()
    {
        Network net = Small();
        double expected = LossAfter(new CpuDevice(1), net, steps: 4);
        var device = new CudaDevice();
        Assert.That(LossAfter(device, net, steps: 4), Is.EqualTo(expected).Within(1e-4 * expected));
        Assert.That(device.Recordings, Is.EqualTo(1), "the second step is recorded; the evaluation runs once");
    }

    [Test]
    public void Equal_steps_give_equal_bits()
    {
        Network net = Small();
        double first = LossAfter(new CudaDevice(), net, 3), second = LossAfter(new CudaDevice(), net, 3);
        Assert.That(second, Is.EqualTo(first));
    }

    [Test]
    public void Too_little_memory_is_one_sentence_that_tells_how_much_there_is()
    {
        CudaTest.OpenSimulator().Dispose();
        CudaTest.SetMemoryLimit(1 << 20);
        try
        {
            using var device = new CudaDevice();
            Assert.That(() => device.Allocate(8 << 20), Throws.InstanceOf<AsniException>().With.Message.Contains("8.0 MiB").And.Message.Contains("batch"));
        }
        finally
        {
            CudaTest.SetMemoryLimit(0);
        }
    }

    [Test]
    public void A_GPU_that_is_not_there_is_named() =>
        Assert.That(() => new CudaDevice(7), Throws.InstanceOf<AsniException>().With.Message.Contains("number 7"));

    private static double LossAfter(Device device, Network net, int steps)
    {
        using (device)
        {
            using var model = new Model(net, device);
            foreach (Parameter p in net.Parameters)
            {
                var values = new float[p.Elements];
                Initialization.Fill(p, 5, values);
                model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
            }
            using var plan = new Plan(model, Batch, training: true);
            var random = new SplitMix64(3);
            float[] images = [.. Enumerable.Range(0, Batch * net.Input.Elements).Select(_ => 2 * random.NextSingle() - 1)];
            int[] labels = [.. Enumerable.Range(0, Batch).Select(i => i % net.Classes)];
            plan.Load(images, labels);
            for (int step = 1; step <= steps; step++)
            {
                plan.RunTraining();
                model.Parameters.Update(new OptimizerSettings { Kind = OptimizerKind.Momentum }.At(0.001, step));
            }
            plan.ReadLoss();
            plan.RunEvaluation();
            return plan.ReadLoss().Loss / Batch;
        }
    }

    private static Network Small() => NetworkZoo.Create("resnet20", new Chw(3, 8, 8), 4);
}
