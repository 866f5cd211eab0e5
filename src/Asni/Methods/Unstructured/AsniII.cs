using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training;

namespace Asni.Methods;

/// <summary>How the two numbers a layer are found: mean of each sign, or Lloyd's two means.</summary>
public enum CentroidKind { Sign, Lloyd }

/// <summary>
/// ASNI-II after ASNI-I (Damadi, Nouri, Pirsiavash 2023, Algorithm 2): every weight that survived ASNI-I takes one of two numbers of its layer, the mean
/// of the surviving positive or of the surviving negative weights; pruned weights are 0, biases 0, batch-norm fresh; then the network is
/// trained again under the fixed mask.
/// </summary>
public sealed record AsniII : AsniI
{
    internal new const string PhaseName = "asni2";
    internal const ulong Stream = 2;

    /// <summary>What files call the network that it starts from.</summary>
    internal const string InitialName = PhaseName + "-init";

    private static readonly MethodRow s_row = new("asni", "ASNI-I, then the network of two numbers a layer that trains to dense accuracy (ASNI-II)", "Damadi, Nouri, Pirsiavash 2023, Algorithms 1 and 2")
    {
        Formula = """
            as asni1; then in each layer w <- c+ where w > 0, c- where w < 0, with c+ and c- the means of its surviving positive and negative weights;
            biases 0, batch-norm fresh; trained again under the fixed mask. Other numbers of values, scopes and signs: levels, scope, signs, norm
            """,
        Leaves = "asni1.safetensors, asni2-init.asni (the initialization, kilobytes), asni2.safetensors; in the time of two trainings, and one for each control",
        Example = [("net", "lenet300"), ("sparsity", "0.97"), ("controls", "ticket,reinit,shuffle")],
        Settings =
        [
            .. OwnSettings,
            .. SettingFactory.As<Method, AsniII>(
            [
                SettingFactory.Choice<AsniII, CentroidKind>("centroids", "the two values per layer: sign (mean of each sign) or lloyd (two means)", m => m.Centroids, (m, v) => m with { Centroids = v }),
                SettingFactory.Switch<AsniII>("quantize-biases", "ASNI-II also starts biases from two values instead of 0", m => m.QuantizeBiases, (m, v) => m with { QuantizeBiases = v }),
                .. LevelOptions.Settings.In<AsniII, LevelOptions>(m => m.Levels, (m, v) => m with { Levels = v }),
                new("controls", "control runs after ASNI-II: ticket,reinit,shuffle,initialsigns,randomsigns,layermagnitude,networkmagnitude", (m, t) => m with { Controls = Methods.Controls.Parse(t) }, m => Methods.Controls.Text(m.Controls))
                    { Values = SettingText.Choices<ControlRuns>() },
                .. Retraining.Settings.In<AsniII, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
            ]),
        ],
        StartsDense = true,
    };

    public CentroidKind Centroids { get; init; } = CentroidKind.Sign;

    /// <summary>What ASNI-II starts from; the defaults are those of the paper.</summary>
    public LevelOptions Levels { get; init; } = new();

    /// <summary>ASNI-II also replaces each bias by one of two numbers; otherwise biases start at 0.</summary>
    public bool QuantizeBiases { get; init; }
    public ControlRuns Controls { get; init; }

    /// <summary>Of ASNI-II and the control runs.</summary>
    public Retraining Retraining { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) =>
        [Phase(recipe), Retraining.Phase(PhaseName, recipe), .. Methods.Controls.Names(Controls).Select(name => Retraining.Phase(name, recipe))];

    internal override Method Explicit(Recipe recipe) => ((AsniII)base.Explicit(recipe)) with { Retraining = Retraining.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => base.Ignores(setting, recipe, given) ?? Retraining.Ignores(setting, recipe, alone: false)
        ?? (setting == "centroids" && Levels.Levels != 2 && !QuantizeBiases ? "levels has another number than two" : null);

    internal override void Validate(Recipe recipe)
    {
        base.Validate(recipe);
        foreach (LevelOptions levels in Methods.Controls.Names(Controls).Select(name => Methods.Controls.Levels(name, Levels)).OfType<LevelOptions>().Prepend(Levels)) levels.Validate();
    }

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        PhaseResult sparse = Prune(run);
        yield return sparse;
        ImmutableArray<LayerResult> layers = Initialize(sparse, Levels, run);
        foreach (LayerResult layer in layers)
            if (Levels.HasCentroids) ReportMissing(layer, run.Observer);
        PhaseResult amenable = run.Train(Retraining.Phase(PhaseName, run.Recipe), stream: Stream) with { Layers = layers, Levels = Levels };
        yield return amenable;
        foreach (string control in Methods.Controls.Names(Controls))
        {
            if (Methods.Controls.Levels(control, Levels) is { } levels) Initialize(sparse, levels, run);
            else run.Model.Load(Methods.Controls.Start(control, run.Recipe.Seed, sparse, amenable.Initial));
            yield return run.Train(Retraining.Phase(control, run.Recipe), stream: Methods.Controls.Stream(control));
        }
    }

    /// <summary>Leaves the initialization of few numbers in the model: ASNI-I's network with its weights replaced by them.</summary>
    private ImmutableArray<LayerResult> Initialize(PhaseResult sparse, LevelOptions levels, MethodRun run)
    {
        Model model = run.Model;
        model.Load(sparse.Model);
        Centroids[] centroids = new WeightLevels(levels, Centroids == CentroidKind.Lloyd, sparse.Initial, run.Recipe.Seed).Assign(model, sparse.Model);
        if (QuantizeBiases)
        {
            Parameter[] biases = [.. model.Network.Parameters.Where(p => p.Kind == ParameterKind.Bias)];
            TwoMeans.Assign(model, biases, TwoMeans.Find(model, biases, Centroids == CentroidKind.Lloyd));
        }
        ResetVectors(model, keepBiases: QuantizeBiases, keepNorm: levels.Norm == NormStart.Kept);
        return [.. model.Network.Weights.Zip(centroids, (w, c) => new LayerResult(w, model.Parameters.Live(w.Index), c.Plus, c.Minus))];
    }

    /// <summary>Biases 0, batch-norm weight 1 and bias 0, running mean 0 and variance 1.</summary>
    private static void ResetVectors(Model model, bool keepBiases, bool keepNorm)
    {
        foreach (Parameter p in model.Network.Parameters)
        {
            if (p.IsWeight || (p.Kind == ParameterKind.Bias ? keepBiases : keepNorm)) continue;
            var values = new float[p.Elements];
            if (p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance) Array.Fill(values, 1f);
            model.Parameters.Upload(p.Index, Devices.ParameterSlot.Value, values);
        }
    }

    private static void ReportMissing(LayerResult layer, ITrainingObserver observer)
    {
        string? missing = (layer.CenterPlus, layer.CenterMinus) switch
        {
            (null, null) => "weight",
            (null, _) => "positive weight",
            (_, null) => "negative weight",
            _ => null,
        };
        if (missing is not null) observer.OnNote($"layer {layer.Parameter.Name} kept no {missing}: 0 is stored for its mean.");
    }
}
