using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Methods;

/// <summary>
/// Trains convolutions whose filters are sparse by a fixed rule from the start, of which depthwise and groupwise convolutions, with a pointwise one beside them, are cases: structured sparse convolution. A small
/// form: the rule is ours, and layers stay sparse convolutions, which the sparse kernels compute.
/// </summary>
public sealed record StructuredConvolutions : Method
{
    private const string PhaseName = "ssc";

    private static readonly MethodRow s_row = new(PhaseName, "trains convolutions that are sparse by a fixed rule: whole filters between channels of a group, centres between some others (structured sparse convolution)", "a small form of ours")
    {
        Formula = """
            the weights of output o and input c of a k x k convolution, k > 1: all, where (c - o) mod g = 0; else the one in the centre, where (c - o) mod p = 0; else none
            g = channels: depthwise;  g = groups: groupwise;  p = 1: with a pointwise one beside it. The first layer and linear layers stay dense
            """,
        Leaves = "ssc.safetensors, in the time of one training; the more groups, the faster",
        Example = [("net", "conv6"), ("channel-groups", "8"), ("centre-period", "2")],
        Settings = SettingFactory.As<Method, StructuredConvolutions>(
        [
            SettingFactory.Integer<StructuredConvolutions>("channel-groups", "g: inputs and outputs whose numbers differ by a multiple of it are joined by whole filters", m => m.Groups, (m, v) => m with { Groups = v }, "[1, inf)"),
            SettingFactory.Integer<StructuredConvolutions>("centre-period", "p: those that differ by a multiple of it are joined by the centre of the filter; 0: none are", m => m.CentrePeriod, (m, v) => m with { CentrePeriod = v }, "[0, inf)"),
            SparseStart.FanInSetting.In<StructuredConvolutions>(m => new SparseStart { FanIn = m.FanIn }, (m, v) => m with { FanIn = v.FanIn }),
        ]),
        StartsDense = true,
    };

    /// <summary>g, 1 or more; a layer with fewer inputs or outputs has as many groups as these.</summary>
    public int Groups { get; init; } = 4;

    /// <summary>p, 1 or more; 0: no centres.</summary>
    public int CentrePeriod { get; init; }

    /// <inheritdoc cref="SparseStart.FanIn"/>
    public FanIn FanIn { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        TrainedNetwork start = run.Initial;
        start = start with { Masks = [.. start.Network.Parameters.Select(p => Layers(start.Network).FirstOrDefault(c => c.Weight == p) is { } layer ? MaskOf(layer.Weight.Filter) : null)] };
        run.Model.Load(FanIn == FanIn.Live && run.Given is null ? SparseStart.ForLiveInputs(start) : start);
        yield return run.Train(Phases(run.Recipe, given: false).Single());
    }

    internal override void Validate(Network network)
    {
        if (Groups == 1) throw new UsageException("channel-groups 1 joins all channels by whole filters: nothing would be sparse.");
        if (!Layers(network).Any()) throw new UsageException($"{network.Name} has no convolution of all channels and of 2x2 or larger behind its first layer for the method {PhaseName}.");
    }

    /// <summary>Convolutions of more than one place, of all channels, that do not read the image.</summary>
    private static IEnumerable<ConvolutionNode> Layers(Network network) =>
        network.Nodes.OfType<ConvolutionNode>().Where(c => c.Groups == 1 && c.Weight.Filter.Height * c.Weight.Filter.Width > 1 && network.Nodes[c.Source] is not InputNode);

    /// <summary>Null where all live.</summary>
    internal Mask? MaskOf(FilterShape filter)
    {
        int groups = Math.Min(Groups, Math.Min(filter.In, filter.Out)), taps = filter.Height * filter.Width, centre = filter.Height / 2 * filter.Width + filter.Width / 2;
        var mask = new Mask((long)filter.Out * filter.FanIn, live: false);
        for (int o = 0; o < filter.Out; o++)
            for (int c = 0; c < filter.In; c++)
            {
                long first = (long)o * filter.FanIn + (long)c * taps;
                if ((c - o) % groups == 0)
                    for (int tap = 0; tap < taps; tap++) mask[first + tap] = true;
                else if (CentrePeriod > 0 && (c - o) % CentrePeriod == 0) mask[first + centre] = true;
            }
        return mask.Live == mask.Length ? null : mask;
    }
}
