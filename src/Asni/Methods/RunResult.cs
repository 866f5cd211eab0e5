using System.Collections.Immutable;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Pruning;
using Asni.Training;

namespace Asni.Methods;

/// <summary>One weight tensor after ASNI-I. A centroid is null when the layer kept no weight of that sign.</summary>
public sealed record LayerResult(Parameter Parameter, long Kept, float? CenterPlus, float? CenterMinus)
{
    public double Sparsity => 1 - (double)Kept / Parameter.Elements;
}

/// <summary>One phase of a run: what it reached after its last epoch.</summary>
/// <param name="Phase">As in <see cref="EpochRecord.Phase"/>.</param>
/// <param name="Initial">What the phase started from.</param>
/// <param name="Model">What it delivered.</param>
public sealed record PhaseResult(string Phase, double Top1, double Top5, double TestLoss, double Sparsity, long Kept, double Seconds,
    TrainedNetwork Initial, TrainedNetwork Model)
{
    /// <summary>False when the run was cancelled before the phase's last epoch: the model is that of the last finished step.</summary>
    public bool Complete { get; init; } = true;

    /// <summary>True when the phase ended in an earlier session of a resumed run.</summary>
    public bool Restored { get; init; }

    /// <summary>False when a restored phase started from other last digits than <see cref="Initial"/> has: another device computed it then.</summary>
    public bool HasOwnInitial { get; init; } = true;

    /// <summary>Writes what the phase delivered to a safetensors file, which SparseModel and PyTorch read.</summary>
    /// <exception cref="AsniException">The file cannot be written; nothing is left behind.</exception>
    public void Save(string path) => NetworkFile.Write(path, Model, Phase);

    /// <summary>What of the delivered network is effective.</summary>
    internal LivePaths Paths { get; } = LivePaths.Find(Model);

    /// <summary>What the delivered network holds and costs.</summary>
    internal NetworkAnalysis Analysis => NetworkAnalysis.Analyze(Model.Network, Model.Live);

    /// <summary>It started from few numbers, as <see cref="Levels"/> say, which is worth keeping.</summary>
    internal bool IsFromFewNumbers => !Layers.IsEmpty;

    /// <summary>ASNI-II: the two numbers of each layer, in the order of the network's weights (null where it has others than one for each sign). Empty for other phases.</summary>
    public ImmutableArray<LayerResult> Layers { get; init; } = [];

    /// <summary>ASNI-II: what <see cref="Initial"/> is made of.</summary>
    internal LevelOptions Levels { get; init; } = new();
}

/// <summary>All phases of a run in the order they ran.</summary>
public sealed record RunResult(ImmutableArray<PhaseResult> Phases)
{
    /// <summary>False when the run was cancelled before its end; then the last phase may be complete, if it was between two phases.</summary>
    public bool Complete { get; init; } = true;

    public PhaseResult? this[string phase] => Phases.FirstOrDefault(p => p.Phase == phase);
}
