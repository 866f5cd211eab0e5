using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>What a method works with: the recipe, the data, a device, and a model that its phases train one after the other.</summary>
internal sealed class MethodRun(Recipe recipe, Network network, DatasetSplit data, Device device, ITrainingObserver observer) : IDisposable
{
    private Network? _continued;
    private Model? _model;
    private Trainer? _trainer;
    private TrainedNetwork? _rewindPoint, _teacher;

    public Recipe Recipe => recipe;
    public DatasetSplit Data => data;
    public Device Device => device;
    public ITrainingObserver Observer => observer;
    public CheckpointKeeper? Checkpoints { get; init; }
    public CancellationToken Cancellation { get; init; }

    /// <summary>Null: one process trains.</summary>
    public RankSteps? Ranks { get; init; }

    /// <summary>What the run was told to start from; null for a fresh network.</summary>
    public TrainedNetwork? Given { get; init; }

    /// <summary>What later phases go back to; a run that is resumed has it again.</summary>
    public TrainedNetwork? RewindPoint
    {
        get => Checkpoints is null ? _rewindPoint : Checkpoints.RewindPoint;
        set
        {
            _rewindPoint = value;
            if (Checkpoints is not null) Checkpoints.RewindPoint = value;
        }
    }

    /// <summary>What was given, or the fresh network.</summary>
    public TrainedNetwork Initial => Given ?? MethodRunner.CreateInitialWeights(network, recipe.Seed);

    /// <summary>At first what was given, or the fresh network; then what the last phase left.</summary>
    public Model Model => Trainer.Model;

    public int StepsPerEpoch => Trainer.StepsPerEpoch;

    private Trainer Trainer => _trainer ?? Open(Initial);

    /// <summary>Trains the model for a phase and says what came of it. A phase that ended before the run was resumed is read back.</summary>
    /// <param name="policy">Changes masks in between; null: they stay.</param>
    /// <param name="stream">Of random numbers, which the order of the data follows; from the phase's name when not given.</param>
    public PhaseResult Train(PhasePlan phase, IMaskPolicy? policy = null, ulong? stream = null)
    {
        bool teaches = phase.IsTeacher && recipe.Method is not DenseTraining;
        // One that is read back trains nothing.
        if (phase.Epochs > 0 && Checkpoints?.Done(phase.Name) is null) Teach(Trainer, teaches || Controls.IsControl(phase.Name) ? null : _teacher ?? Given);
        PhaseResult result = new Phase(phase.Name, stream ?? StreamOf(phase.Name), recipe, Trainer, observer) { Policy = policy, Begin = phase.Begin.Steps(StepsPerEpoch) }.Run(phase.Epochs, phase.LearningRate, Cancellation);
        if (teaches) _teacher = result.Model;
        return result;
    }

    /// <summary>A trainer of a model of its own, as the recipe says, for what follows the dense training; whoever asks for it disposes of it.</summary>
    /// <param name="learns">From the dense network, where the recipe says so.</param>
    public Trainer NewTrainer(Model of, bool learns = true)
    {
        Trainer trainer = NewTrainer(of, checkpoints: null);
        try
        {
            if (learns) Teach(trainer, _teacher ?? Given);
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
        return trainer;
    }

    private Trainer NewTrainer(Model of, CheckpointKeeper? checkpoints) =>
        new(of, data, recipe.BatchSize, recipe.Augmentation, (float)recipe.LabelSmoothing, observer, recipe.Lanes, Ranks) { Checkpoints = checkpoints };

    /// <summary>The training images that units or layers are chosen by.</summary>
    /// <param name="stream">Of the method's random numbers, and the choice among the method's.</param>
    public Calibration NewCalibration(ImageBatches images, params ReadOnlySpan<ulong> stream) =>
        new(data.Train, images, SplitMix64.Fork(recipe.Seed, stream).NextUInt64(), device, Cancellation);

    /// <summary>Counts of units that stay, with the time of networks as this device takes it.</summary>
    public UnitCounts UnitCounts(UnitTarget target, Network original, ImmutableArray<string> groups) => new(target, original, groups, of => Latency.Measure(of, device));

    /// <summary>Checks what only the device and the processes of a run tell, before anything is trained.</summary>
    /// <exception cref="UsageException">Units cannot be chosen so here.</exception>
    public void ValidateUnits(UnitTarget target, UnitSelection selection)
    {
        selection.Validate(device);
        if (target.Budget is { Of: UnitCost.Latency } && Ranks is not null)
            throw new UsageException("a budget of latency is measured, and each rank would measure another time: prune in one process, or give a budget of macs.");
    }

    /// <inheritdoc cref="Trainer.NewBatchGradient"/>
    public BatchGradient NewBatchGradient() => Trainer.NewBatchGradient();

    /// <summary>The network that a phase delivered before the run was resumed; null when it has not ended.</summary>
    public TrainedNetwork? Delivered(string phase) => Checkpoints?.Done(phase) is { } done ? Checkpoints.TakeDelivered(done) : null;

    /// <summary>Gives the model's memory back. The next phase would begin with a fresh one.</summary>
    public void Release()
    {
        _trainer?.Dispose();
        _model?.Dispose();
        (_trainer, _model) = (null, null);
    }

    /// <summary>Gives the model's place to another network's, which later phases train.</summary>
    public void Continue(TrainedNetwork with)
    {
        Release();
        _continued = with.Network;
        Open(with);
    }

    public void Dispose() => Release();

    private void Teach(Trainer trainer, TrainedNetwork? from)
    {
        if (recipe.DistillWeight > 0) trainer.Learn(from, new Distillation(recipe.DistillTemperature, recipe.DistillWeight));
    }

    private Trainer Open(TrainedNetwork with)
    {
        _model = new Model(_continued ?? network, device);
        _trainer = NewTrainer(_model, Checkpoints);
        _model.Load(with);
        return _trainer;
    }

    /// <summary>FNV-1a: a phase's numbers hang on its name alone.</summary>
    private static ulong StreamOf(string phase) => phase.Aggregate(0xcbf29ce484222325, (hash, c) => (hash ^ c) * 0x100000001b3);
}
