using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// A filter rearranged for the tiles: for each phase and panel, the inner rows in the order in which the windows are read, each of the
/// panel's full width with zeros past its last column. Done anew for each call, since an optimizer step lies between two.
/// </summary>
internal sealed unsafe class WeightPacking : IDisposable
{
    private const int Block = 8;

    private readonly ConvolutionSpec _spec;
    private readonly List<Phase> _phases;
    private readonly Panel[] _panels;
    private readonly int _inner;
    private readonly int _lanes;
    private readonly bool _transposed;
    private readonly long[][] _offsets;
    private readonly CpuBuffer _buffer;

    /// <param name="inner">Inner channels of a group: input channels, or output channels when transposed.</param>
    public WeightPacking(in ConvolutionSpec spec, List<Phase> phases, Panel[] panels, int inner, int lanes, bool transposed)
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
        _buffer = new CpuBuffer(Size * sizeof(float));
    }

    /// <summary>Floats.</summary>
    public long Size { get; }

    public float* Pointer => (float*)_buffer.Pointer;
    public float* PanelPointer(int phase, int panel) => Pointer + _offsets[phase][panel];
    public void Dispose() => _buffer.Dispose();

    /// <summary>This worker's share: (phase, panel, tap) triples in turn.</summary>
    public void Pack(float* weights, int worker, int workers)
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
        int blockedRows = Avx.IsSupported ? _inner / Block * Block : 0, blockedColumns = panel.Columns / Block * Block;
        for (int o = 0; o < blockedRows; o += Block)
            for (int i = 0; i < blockedColumns; i += Block)
                TransposeBlock(from + (long)i * outputs + o, outputs, to + (long)o * width + i, width);
        for (int o = 0; o < _inner; o++)
        {
            float* row = to + (long)o * width;
            for (int i = o < blockedRows ? blockedColumns : 0; i < panel.Columns; i++) row[i] = from[(long)i * outputs + o];
            new Span<float>(row + panel.Columns, width - panel.Columns).Clear();
        }
    }

    /// <summary>8 x 8 in registers: pairs, quads, halves.</summary>
    private static void TransposeBlock(float* from, nint fromStride, float* to, nint toStride)
    {
        Vector256<float> r0 = Vector256.Load(from), r1 = Vector256.Load(from + fromStride);
        Vector256<float> r2 = Vector256.Load(from + 2 * fromStride), r3 = Vector256.Load(from + 3 * fromStride);
        Vector256<float> r4 = Vector256.Load(from + 4 * fromStride), r5 = Vector256.Load(from + 5 * fromStride);
        Vector256<float> r6 = Vector256.Load(from + 6 * fromStride), r7 = Vector256.Load(from + 7 * fromStride);
        (Vector256<float> a0, Vector256<float> a1, Vector256<float> a2, Vector256<float> a3) = Quads(r0, r1, r2, r3);
        (Vector256<float> b0, Vector256<float> b1, Vector256<float> b2, Vector256<float> b3) = Quads(r4, r5, r6, r7);
        Avx.Permute2x128(a0, b0, 0x20).Store(to);
        Avx.Permute2x128(a1, b1, 0x20).Store(to + toStride);
        Avx.Permute2x128(a2, b2, 0x20).Store(to + 2 * toStride);
        Avx.Permute2x128(a3, b3, 0x20).Store(to + 3 * toStride);
        Avx.Permute2x128(a0, b0, 0x31).Store(to + 4 * toStride);
        Avx.Permute2x128(a1, b1, 0x31).Store(to + 5 * toStride);
        Avx.Permute2x128(a2, b2, 0x31).Store(to + 6 * toStride);
        Avx.Permute2x128(a3, b3, 0x31).Store(to + 7 * toStride);
    }

    /// <summary>Within each 128-bit half: element j of the four rows, for j = 0 .. 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float>, Vector256<float>, Vector256<float>, Vector256<float>) Quads(Vector256<float> r0, Vector256<float> r1,
        Vector256<float> r2, Vector256<float> r3)
    {
        Vector256<float> low01 = Avx.UnpackLow(r0, r1), high01 = Avx.UnpackHigh(r0, r1);
        Vector256<float> low23 = Avx.UnpackLow(r2, r3), high23 = Avx.UnpackHigh(r2, r3);
        return (Avx.Shuffle(low01, low23, 0x44), Avx.Shuffle(low01, low23, 0xEE), Avx.Shuffle(high01, high23, 0x44), Avx.Shuffle(high01, high23, 0xEE));
    }
}
