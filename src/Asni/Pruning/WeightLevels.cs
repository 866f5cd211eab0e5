using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Replaces the live weights of a network by few numbers, as <see cref="LevelOptions"/> say.</summary>
/// <param name="lloyd">The border between two numbers is that of Lloyd's algorithm, not 0.</param>
/// <param name="original">The weights before any training.</param>
/// <param name="seed">Of random signs.</param>
internal sealed class WeightLevels(LevelOptions options, bool lloyd, TrainedNetwork original, ulong seed)
{
    private const ulong SignPurpose = 0x7369676E; // "sign"

    private const int MaximumIterations = 100;

    /// <summary>Replaces the values of a model's weights, which are <paramref name="learned"/>'s.</summary>
    /// <returns>The numbers of each tensor, in the network's order; none where it has others than one for each sign.</returns>
    public Centroids[] Assign(Model model, TrainedNetwork learned)
    {
        Parameter[] weights = [.. learned.Network.Weights];
        var centroids = new Centroids[weights.Length];
        float[][] values = [.. weights.Select(p => new float[p.Elements])], signed = [.. weights.Select(p => Signed(p, learned))];
        // ASNI-II's own sums, on the device.
        bool ofLayers = options is { Levels: 2, Scope: LevelScope.Layer };
        if (ofLayers) centroids = TwoMeans.Find(model, weights, lloyd);
        foreach (Part[] scope in Scopes(weights))
        {
            Centroids? known = ofLayers ? centroids[scope[0].Weight] : null;
            Func<float, float> number = Numbers(Live(scope, weights, learned), known, out Centroids found);
            foreach (Part part in scope)
            {
                if (options.Scope != LevelScope.Channel) centroids[part.Weight] = found;
                Mask? mask = learned.Masks[weights[part.Weight].Index];
                for (int i = part.Start; i < part.End; i++)
                    if (mask?[i] ?? true) values[part.Weight][i] = number(signed[part.Weight][i]);
            }
        }
        for (int i = 0; i < weights.Length; i++) model.Parameters.Upload(weights[i].Index, Devices.ParameterSlot.Value, values[i]);
        return centroids;
    }

    private IEnumerable<Part[]> Scopes(Parameter[] weights)
    {
        IEnumerable<Part> layers = weights.Select((p, i) => new Part(i, 0, (int)p.Elements));
        return options.Scope switch
        {
            LevelScope.Network => [[.. layers]],
            LevelScope.Layer => layers.Select(part => (Part[])[part]),
            _ => weights.SelectMany((p, i) => Enumerable.Range(0, p.Filter.Out).Select(o => (Part[])[new Part(i, o * p.Filter.FanIn, (o + 1) * p.Filter.FanIn)])),
        };
    }

    private static float[] Live(Part[] scope, Parameter[] weights, TrainedNetwork learned)
    {
        var live = new List<float>();
        foreach (Part part in scope)
        {
            Parameter weight = weights[part.Weight];
            Mask? mask = learned.Masks[weight.Index];
            float[] values = learned.Values[weight.Index];
            for (int i = part.Start; i < part.End; i++)
                if (mask?[i] ?? true) live.Add(values[i]);
        }
        return [.. live];
    }

    /// <summary>What a weight of this value, or with the sign of this value, becomes.</summary>
    /// <param name="known">The centroids, when they have been found.</param>
    /// <param name="found">None where there are more than one for each sign.</param>
    private Func<float, float> Numbers(float[] live, Centroids? known, out Centroids found)
    {
        found = default;
        if (!options.IsBySign)
        {
            var means = KMeans.Find(live, options.Levels);
            return value => means[value];
        }
        Centroids c = found = known ?? (options.Levels == 1 ? OneMagnitude(live) : TwoNumbers(live));
        if (options.Signs == SignSource.Learned) return value => value > c.Pivot ? c.Plus ?? 0 : value < c.Pivot ? c.Minus ?? 0 : 0;
        // A sign that no learned weight has takes the other's magnitude.
        float plus = c.Plus ?? -c.Minus ?? 0, minus = c.Minus ?? -c.Plus ?? 0;
        return value => value > 0 ? plus : value < 0 ? minus : 0;
    }

    private static Centroids OneMagnitude(float[] live)
    {
        if (live.Length == 0) return default;
        float mean = (float)live.Average(v => Math.Abs((double)v));
        return new Centroids(mean, -mean, 0);
    }

    /// <summary>As <see cref="TwoMeans.Find"/> for a layer.</summary>
    private Centroids TwoNumbers(float[] live)
    {
        float pivot = 0;
        for (int i = 0; ; i++)
        {
            float? plus = Mean(live.Where(v => v > pivot)), minus = Mean(live.Where(v => v < pivot));
            if (!lloyd || i == MaximumIterations || plus is null || minus is null) return new Centroids(plus, minus, pivot);
            float moved = (float)(((double)plus + minus.Value) / 2);
            if (moved == pivot) return new Centroids(plus, minus, pivot);
            pivot = moved;
        }
    }

    private static float? Mean(IEnumerable<float> values)
    {
        (double sum, long count) = (0, 0);
        foreach (float value in values) (sum, count) = (sum + value, count + 1);
        return count == 0 ? null : (float)(sum / count);
    }

    /// <summary>Values with the signs that a tensor's weights are to have.</summary>
    private float[] Signed(Parameter weight, TrainedNetwork learned) => options.Signs switch
    {
        SignSource.Learned => learned.Values[weight.Index],
        SignSource.Initial => original.Values[weight.Index],
        _ => Coins(weight),
    };

    private float[] Coins(Parameter weight)
    {
        var random = SplitMix64.Fork(seed, SignPurpose, (ulong)weight.Index);
        var coins = new float[weight.Elements];
        for (int i = 0; i < coins.Length; i++) coins[i] = (random.NextUInt64() >> 63) == 0 ? 1 : -1;
        return coins;
    }

    /// <summary>Elements of a weight tensor.</summary>
    /// <param name="Weight">Its place among the weight tensors.</param>
    private readonly record struct Part(int Weight, int Start, int End);
}
