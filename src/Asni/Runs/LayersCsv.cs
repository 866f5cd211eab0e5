using System.Globalization;
using System.Text;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Runs;

/// <summary>layers.csv: one row a weight tensor, of the last phase that is no control.</summary>
internal static class LayersCsv
{
    public static string Text(IReadOnlyList<PhaseResult> phases)
    {
        PhaseResult phase = phases.LastOrDefault(p => !Controls.IsControl(p.Phase)) ?? phases[^1];
        var centers = phase.Layers.ToDictionary(layer => layer.Parameter.Index);
        var text = new StringBuilder("layer,shape,weights,kept,sparsity,c_plus,c_minus,macs,live_macs,effective\n");
        var macs = new Dictionary<int, long>();
        // Each output position uses a weight once.
        foreach (WeightedNode node in phase.Model.Network.Nodes.OfType<WeightedNode>()) macs[node.Weight.Index] = node.Output.Positions * node.Weight.Elements;
        foreach (Parameter p in phase.Model.Network.Weights)
        {
            centers.TryGetValue(p.Index, out LayerResult? layer);
            layer ??= new LayerResult(p, phase.Model.Live(p), null, null);
            text.Append(CultureInfo.InvariantCulture,
                $"{Quoted(p.Name)},{p.Shape},{p.Elements},{layer.Kept},{layer.Sparsity},{layer.CenterPlus},{layer.CenterMinus},{macs[p.Index]},{macs[p.Index] / p.Elements * layer.Kept},{phase.Paths.Of(p)}\n");
        }
        return text.ToString();
    }

    /// <summary>As RFC 4180 has it: a network of one's own may have any names.</summary>
    private static string Quoted(string field) => field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
