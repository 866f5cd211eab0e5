using System.Globalization;
using System.Text;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Reports;

/// <summary>layers.csv: one row a weight tensor, from the latest ASNI phase (or the only phase there is).</summary>
internal static class LayersCsv
{
    public static string Text(IReadOnlyList<PhaseResult> phases)
    {
        PhaseResult phase = phases.LastOrDefault(p => p.Phase is "asni1" or "asni2") ?? phases[^1];
        var centers = phase.Layers.ToDictionary(layer => layer.Parameter.Index);
        var text = new StringBuilder("layer,shape,weights,kept,sparsity,c_plus,c_minus\n");
        foreach (Parameter p in phase.Model.Network.Weights)
        {
            centers.TryGetValue(p.Index, out LayerResult? layer);
            layer ??= new LayerResult(p, phase.Model.Live(p), null, null);
            text.Append(CultureInfo.InvariantCulture,
                $"{p.Name},{p.Shape},{p.Elements},{layer.Kept},{layer.Sparsity},{layer.CenterPlus},{layer.CenterMinus}\n");
        }
        return text.ToString();
    }
}
