using Asni.Cpu;
using Asni.Data;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;
using Asni.Training;

namespace Asni.Tests.Methods;

/// <summary>What holds for every method, on a network small enough to train in a second.</summary>
public class MethodTests
{
    internal static readonly Network Net = TinyNetworks.Linear(36, 40, 20, 4);
    /// <summary>Four residual blocks, for methods that take blocks.</summary>
    private static readonly Network s_residual = CreateResidual();

    /// <summary>For methods that take convolutions.</summary>
    private static readonly Network s_convolutions = new NetworkBuilder("convolutions", new Chw(36, 1, 1)).Convolution("c1", 12, 1).Relu("r1").Convolution("c2", 12, 3, padding: 1).Relu("r2").Linear("out", 4).Build();

    internal static readonly DatasetSplit Data = BlobDataset.Split(600, new Chw(36, 1, 1), 4);

    /// <summary>12 steps an epoch, 72 in all.</summary>
    internal static Recipe With(Method method) => new()
    {
        Network = "tiny",
        Data = "blobs",
        Method = method,
        Epochs = 6,
        BatchSize = 50,
        Seed = 3,
        Optimizer = new OptimizerSettings { Kind = OptimizerKind.Nesterov },
        LearningRate = new LearningRate { Initial = 0.02 },
    };

    /// <summary>The method with fewer rounds, and fewer images that it scores by.</summary>
    internal static Method Small(Method method)
    {
        var few = new CurvaturePruning { Gradients = 5, GradientImages = 4 };
        return method switch
        {
            Obd obd => obd with { Pruning = few },
            Obs obs => obs with { Pruning = few, Rounds = 2 },
            Imp imp => imp with { Sparsity = 0.5 },
            StructuredPruning structured => structured with { Rounds = 2, Scratch = true, Finetuning = new UnitFinetuning { Epochs = 2 } },
            SynFlow flow => flow with { Rounds = 10 },
            _ => method,
        };
    }

    internal static Network NetOf(Method method) => method is LayerPruning ? s_residual : method is StructuredConvolutions ? s_convolutions : Net;

    internal static (RunResult Result, RecordingObserver Observer) Run(Method method, TrainedNetwork? start = null)
    {
        using var device = new CpuDevice(2);
        var observer = new RecordingObserver();
        return (MethodRunner.Run(With(method), start?.Network ?? NetOf(method), Data, device, observer, start: start), observer);
    }

    [Test]
    public void What_begins_with_all_weights_refuses_a_pruned_network()
    {
        TrainedNetwork pruned = Run(new AsniI { Sparsity = 0.9, Schedule = new SparsitySchedule { Scale1 = 0.8 } }).Result.Phases[0].Model;
        foreach (Method method in Method.All.Where(m => m.Row.StartsDense && NetOf(m) == Net))
            Assert.That(() => Run(method, pruned), Throws.TypeOf<StartException>().With.Property("Fault").EqualTo(StartFault.Pruned), method.Name);
    }

    [Test]
    public void What_a_run_goes_through_is_what_was_planned()
    {
        TrainedNetwork plain = Run(new DenseTraining()).Result.Phases[0].Model;
        foreach (Method method in Method.All)
        {
            TrainedNetwork dense = NetOf(method) == Net ? plain : MethodRunner.CreateInitialWeights(NetOf(method), 3);
            foreach (TrainedNetwork? start in (TrainedNetwork?[])(method.Row.NeedsStart ? [dense] : [null, dense]))
            {
                (RunResult result, RecordingObserver observer) = Run(method, start);
                PhasePlan[] planned = [.. method.Phases(With(method), given: start is not null)];
                Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(planned.Select(p => p.Name)), method.Name);
                foreach (PhasePlan phase in planned) Assert.That(observer.Epochs.Count(e => e.Phase == phase.Name), Is.EqualTo(phase.Epochs - phase.Begin.WholeEpochs), $"{method.Name}, {phase.Name}");
                if (method.FinalSparsity(With(method), Net) is { } sparsity) Assert.That(result.Phases[^1].Kept, Is.EqualTo(Quota.At(sparsity, Net.WeightCount)), method.Name);
            }
        }
    }

    private static Network CreateResidual()
    {
        NetworkBuilder net = new NetworkBuilder("residual", new Chw(36, 1, 1)).Linear("in", 12).Relu("relu");
        for (int b = 1; b <= 4; b++) net.Residual($"block{b}", branch => branch.Linear("up", 16).Relu("relu").Linear("down", 12)).Relu($"relu{b}");
        return net.Linear("out", 4).Build();
    }
}
