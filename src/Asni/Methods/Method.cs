using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>
/// What a run does to its network, with the settings of its own. Each method is one file; recipes, flags, help, checks and reports follow from its <see cref="MethodRow"/>.
/// </summary>
public abstract record Method
{
    /// <summary>All methods with their defaults, by name.</summary>
    public static IReadOnlyList<Method> All { get; } = [.. MethodList.Defaults.OrderBy(m => m.Name, StringComparer.Ordinal)];

    /// <summary>The method of this name with its defaults; null when there is none.</summary>
    public static Method? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    /// <summary>As in recipes: "asni", "dense".</summary>
    public string Name => Row.Name;

    /// <summary>What it does, in a line.</summary>
    public string Summary => Row.Summary;

    /// <summary>The paper it is from; empty where there is none.</summary>
    public string Source => Row.Source;

    internal abstract MethodRow Row { get; }

    /// <summary>The phases that a run goes through, in order, controls included.</summary>
    /// <param name="given">The run starts from a network that was given to it.</param>
    internal abstract IEnumerable<PhasePlan> Phases(Recipe recipe, bool given);

    /// <summary>Runs them; the run stops after one that is not complete.</summary>
    internal abstract IEnumerable<PhaseResult> Run(MethodRun run);

    /// <summary>Phases of it train other networks than the recipe's: smaller ones.</summary>
    internal virtual bool ChangesNetwork => false;

    /// <summary>How it chooses the weights that stay; null when it has no such settings.</summary>
    internal virtual PruningParts? Parts => null;

    /// <summary>Sparsity of the network that it delivers, with a pattern that leaves layers dense: of the other layers; null when it does not prune weights.</summary>
    internal virtual double? FinalSparsity(Recipe recipe) => null;

    /// <summary>The same of all weights of a network.</summary>
    internal double? FinalSparsity(Recipe recipe, Network network) => FinalSparsity(recipe) is { } sparsity ? OfWhole(sparsity, network) : null;

    /// <summary>The sparsity under which epoch e of a phase is to train, e from 0, of the weights that <see cref="FinalSparsity(Recipe)"/> speaks of; null where no schedule is followed.</summary>
    internal virtual Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => null;

    /// <summary>The same of all weights of a network.</summary>
    internal Func<int, double>? PlannedSparsity(Recipe recipe, string phase, Network network) => PlannedSparsity(recipe, phase) is { } planned ? e => OfWhole(planned(e), network) : null;

    /// <summary>Checks what the bounds of its settings do not say.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    internal virtual void Validate(Recipe recipe) { }

    /// <summary>Checks whether it can work on a network.</summary>
    /// <exception cref="UsageException">It cannot.</exception>
    internal virtual void Validate(Network network) => Parts?.Validate(network);

    /// <summary>Checks whether it can begin with a network, or with none.</summary>
    /// <exception cref="StartException">It cannot.</exception>
    internal void ValidateStart(bool given, bool pruned)
    {
        if (Row.NeedsStart && !given) throw new StartException(StartFault.Missing, Name);
        if (Row.StartsDense && pruned) throw new StartException(StartFault.Pruned, Name);
    }

    /// <summary>Why a setting changes nothing in this run, where its needs do not say it; null when it counts.</summary>
    internal virtual string? Ignores(string setting, Recipe recipe, bool given) =>
        setting == "sparsity" && Parts is { Pattern: { HasSparsity: true } pattern } ? $"the pattern {pattern} gives the sparsity"
        : setting == "allocation" && Parts?.LayerDensities is not null ? "layer-densities has it"
        : setting == "fan-in" && given ? "the weights that are given are not drawn" : null;

    /// <summary>The same method with what follows from its other settings, or from the recipe's, filled in.</summary>
    internal virtual Method Explicit(Recipe recipe) => this;

    /// <summary>What a user may not expect of this run, beside the published one of its network; null when there is nothing to tell.</summary>
    internal virtual TrainingNote? Remark(Recipe recipe, Recipe published) => null;

    private double OfWhole(double sparsity, Network network) => Parts?.Pattern.Reached(sparsity, network) ?? sparsity;

    internal void ValidateSettings()
    {
        foreach (Setting<Method> setting in Row.Settings) setting.Check(this);
    }
}

/// <summary>What there is to say of a method.</summary>
/// <param name="Name">Lower case.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Source">Authors, year, where.</param>
internal sealed record MethodRow(string Name, string Summary, string Source)
{
    /// <summary>Lines that say what it computes.</summary>
    public required string Formula { get; init; }

    /// <summary>What a run leaves, and what it takes in time.</summary>
    public required string Leaves { get; init; }

    /// <summary>Settings of a good first run, beside the method's name.</summary>
    public required (string Key, string Value)[] Example { get; init; }

    /// <summary>Its own settings, in the order of help.</summary>
    public ImmutableArray<Setting<Method>> Settings { get; init; } = [];

    /// <summary>It works on a network that is given to it, and has nothing to do without.</summary>
    public bool NeedsStart { get; init; }

    /// <summary>A network that is given to it counts as trained: every tensor of it is to be in the file.</summary>
    public bool StartsTrained { get; init; }

    /// <summary>It needs a network that has all its weights: one that is pruned already is refused.</summary>
    public bool StartsDense { get; init; }
}

/// <summary>A phase that is to come.</summary>
/// <param name="Epochs">Of its schedule.</param>
internal sealed record PhasePlan(string Name, int Epochs, LearningRate LearningRate)
{
    /// <summary>Where in its schedule it begins; what is before that it does not train.</summary>
    public TrainingTime Begin { get; init; }

    /// <summary>What it delivers is the network that the method prunes.</summary>
    public bool IsTeacher => Name is DenseTraining.PhaseName or StructuredPruning.PenalizedName;

    /// <summary>True for "imp1", "imp2", ... of "imp".</summary>
    public static bool IsNumbered(string phase, string name) => phase.StartsWith(name, StringComparison.Ordinal) && int.TryParse(phase.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);
}

/// <summary>A time within a training, as epochs and steps beside them.</summary>
internal readonly record struct TrainingTime(int WholeEpochs, int FurtherSteps)
{
    /// <summary>The same in steps.</summary>
    public long Steps(int stepsPerEpoch) => (long)WholeEpochs * stepsPerEpoch + FurtherSteps;
}
