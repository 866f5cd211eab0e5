using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// ASNI-II (Damadi, Nouri, Pirsiavash 2023, Algorithm 2): every weight that survived ASNI-I takes one of two numbers of its layer, the mean
/// of the surviving positive or of the surviving negative weights; pruned weights are 0, biases 0, batch-norm fresh; then the network is
/// trained again under the fixed mask.
/// </summary>
internal static class AsniII
{
    public const string Name = "asni2";

    /// <summary>What files call the network that it starts from.</summary>
    public const string InitialName = Name + "-init";

    public static PhaseResult Run(Recipe recipe, TrainedNetwork sparse, Trainer trainer, ITrainingObserver observer, CancellationToken cancellation)
    {
        ImmutableArray<LayerResult> layers = Initialize(recipe, sparse, trainer.Model, observer);
        return Retrain(Name, recipe, trainer, observer, cancellation) with { Layers = layers };
    }

    /// <summary>Trains what the model holds under its fixed mask; the same start, recipe and seed give the same network whatever the name.</summary>
    public static PhaseResult Retrain(string name, Recipe recipe, Trainer trainer, ITrainingObserver observer, CancellationToken cancellation) =>
        new Phase(name, stream: 2, recipe, trainer, observer)
            .Run(recipe.RetrainEpochs ?? recipe.Epochs, recipe.RetrainLearningRate ?? recipe.LearningRate, cancellation);

    /// <summary>Leaves the two-number initialization of <paramref name="sparse"/> in the model.</summary>
    public static ImmutableArray<LayerResult> Initialize(Recipe recipe, TrainedNetwork sparse, Model model, ITrainingObserver observer)
    {
        model.Load(sparse);
        Parameter[] weights = [.. model.Network.Weights];
        Centroids[] centroids = TwoMeans.Find(model, weights, recipe.Centroids == CentroidKind.Lloyd);
        TwoMeans.Assign(model, weights, centroids);
        if (recipe.QuantizeBiases)
        {
            Parameter[] biases = [.. model.Network.Parameters.Where(p => p.Kind == ParameterKind.Bias)];
            TwoMeans.Assign(model, biases, TwoMeans.Find(model, biases, recipe.Centroids == CentroidKind.Lloyd));
        }
        ResetVectors(model, keepBiases: recipe.QuantizeBiases);
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
        if (missing is not null) observer.Note($"layer {layer.Parameter.Name} kept no {missing}: 0 is stored for its mean.");
    }
}
