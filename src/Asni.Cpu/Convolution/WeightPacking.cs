using Asni.Cpu.Sparse;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// A filter rearranged for the tiles: for each phase and panel, the inner rows in the order in which the windows are read, each of the
/// panel's full width with zeros past its last column.
/// </summary>
internal sealed unsafe class WeightPacking : PreparedWeights
{
    private readonly ConvolutionSpec _spec;
    private readonly List<WindowPhase> _phases;
    private readonly Panel[] _panels;
    private readonly int _inner;
    private readonly int _lanes;
    private readonly bool _transposed;
    private readonly long[][] _offsets;

    /// <param name="inner">Inner channels of a group: input channels, or output channels when transposed.</param>
    public WeightPacking(in ConvolutionSpec spec, List<WindowPhase> phases, Panel[] panels, int inner, int lanes, bool transposed)
    {
        (_spec, _phases, _panels, _inner, _lanes, _transposed) = (spec, phases, panels, inner, lanes, transposed);
        _offsets = new long[phases.Count][];
        for (int phase = 0; phase < phases.Count; phase++)
        {
            _offsets[phase] = new long[panels.Length];
            for (int panel = 0; panel < panels.Length; panel++)
            {
                _offsets[phase][panel] = Size;
                Size += (long)phases[phase].Taps * inner * Width(panel);
            }
        }
    }

    public override long Size { get; }

    public float* PanelPointer(int phase, int panel) => Pointer + _offsets[phase][panel];

    private protected override void Prepare(float* weights, Workers workers) => workers.Vectorize(Size, new PackBody { Packing = this, Weights = weights });

    /// <summary>This worker's share: (phase, panel, tap) triples in turn.</summary>
    private void Pack(float* weights, int worker, int workers)
    {
        int item = 0;
        for (int phase = 0; phase < _phases.Count; phase++)
            for (int panel = 0; panel < _panels.Length; panel++)
            {
                float* to = PanelPointer(phase, panel);
                foreach (TapRun run in _phases[phase].Runs)
                    foreach (int tap in run.Taps)
                    {
                        if (item++ % workers == worker)
                        {
                            if (_transposed) PackTransposed(weights, tap, panel, to);
                            else PackTap(weights, tap, panel, to);
                        }
                        to += _inner * Width(panel);
                    }
            }
    }

    private struct PackBody : IVectorBody
    {
        public WeightPacking Packing;
        public float* Weights;
        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct => Packing.Pack(Weights, worker, workers);
    }

    private int Width(int panel) => _panels[panel].Vectors * _lanes;

    private void PackTap(float* weights, int tap, int index, float* to)
    {
        Panel panel = _panels[index];
        int width = Width(index), outputs = _spec.Filter.Out;
        float* from = weights + (long)tap * _inner * outputs + panel.Start;
        for (int i = 0; i < _inner; i++, from += outputs, to += width)
        {
            new ReadOnlySpan<float>(from, panel.Columns).CopyTo(new Span<float>(to, panel.Columns));
            new Span<float>(to + panel.Columns, width - panel.Columns).Clear();
        }
    }

    /// <summary>Row o, column i of the panel is w(tap, i, o).</summary>
    private void PackTransposed(float* weights, int tap, int index, float* to)
    {
        Panel panel = _panels[index];
        int width = Width(index), outputs = _spec.Filter.Out, inputs = _spec.Filter.In;
        float* from = weights + ((long)tap * inputs + (panel.Start - panel.Group * inputs)) * outputs + panel.Group * _inner;
        RegisterTranspose.Run(from, panel.Columns, _inner, outputs, to, width);
        for (int o = 0; o < _inner; o++) new Span<float>(to + (long)o * width + panel.Columns, width - panel.Columns).Clear();
    }
}
