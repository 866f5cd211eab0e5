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
            biases 0, batch-norm fresh; trained again under the fixed mask
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
                new("controls", "control runs after ASNI-II: ticket,reinit,shuffle", (m, t) => m with { Controls = Methods.Controls.Parse(t) }, m => Methods.Controls.Text(m.Controls))
                    { Values = SettingText.Choices<ControlRuns>() },
                .. Retraining.Settings.In<AsniII, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
            ]),
        ],
        StartsDense = true,
    };

    public CentroidKind Centroids { get; init; } = CentroidKind.Sign;

    /// <summary>ASNI-II also replaces each bias by one of two numbers; otherwise biases start at 0.</summary>
    public bool QuantizeBiases { get; init; }
    public ControlRuns Controls { get; init; }

    /// <summary>Of ASNI-II and the control runs.</summary>
    public Retraining Retraining { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) =>
        [Phase(recipe), Retraining.Phase(PhaseName, recipe), .. Methods.Controls.Names(Controls).Select(name => Retraining.Phase(name, recipe))];

    internal override Method Explicit(Recipe recipe) => ((AsniII)base.Explicit(recipe)) with { Retraining = Retraining.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => base.Ignores(setting, recipe, given) ?? Retraining.Ignores(setting, recipe, alone: false);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        PhaseResult sparse = Prune(run);
        yield return sparse;
        ImmutableArray<LayerResult> layers = Initialize(sparse.Model, run.Model, run.Observer);
        PhaseResult amenable = run.Train(Retraining.Phase(PhaseName, run.Recipe), stream: Stream) with { Layers = layers };
        yield return amenable;
        foreach (string control in Methods.Controls.Names(Controls))
        {
            run.Model.Load(Methods.Controls.Start(control, run.Recipe.Seed, sparse, amenable.Initial));
            yield return run.Train(Retraining.Phase(control, run.Recipe), stream: Methods.Controls.Stream(control));
        }
    }

    /// <summary>Leaves the two-number initialization of <paramref name="sparse"/> in the model.</summary>
    private ImmutableArray<LayerResult> Initialize(TrainedNetwork sparse, Model model, ITrainingObserver observer)
    {
        model.Load(sparse);
        Parameter[] weights = [.. model.Network.Weights];
        Centroids[] centroids = TwoMeans.Find(model, weights, Centroids == CentroidKind.Lloyd);
        TwoMeans.Assign(model, weights, centroids);
        if (QuantizeBiases)
        {
            Parameter[] biases = [.. model.Network.Parameters.Where(p => p.Kind == ParameterKind.Bias)];
            TwoMeans.Assign(model, biases, TwoMeans.Find(model, biases, Centroids == CentroidKind.Lloyd));
        }
        ResetVectors(model, keepBiases: QuantizeBiases);
        var layers = weights.Zip(centroids, (w, c) => new LayerResult(w, model.Parameters.Live(w.Index), c.Plus, c.Minus)).ToImmutableArray();
        foreach (LayerResult layer in layers) ReportMissing(layer, observer);
        return layers;
    }

    /// <summary>Biases 0, batch-norm weight 1 and bias 0, running mean 0 and variance 1.</summary>
    private static void ResetVectors(Model model, bool keepBiases)
    {
        foreach (Parameter p in model.Network.Parameters)
        {
            if (p.IsWeight || (keepBiases && p.Kind == ParameterKind.Bias)) continue;
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
