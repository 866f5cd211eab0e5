using System.Buffers;
using System.Runtime.Intrinsics.X86;
using Asni.Data;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu;

/// <summary>A dataset where it lies in memory: a batch's images are read, moved, mirrored and normalised in one pass.</summary>
internal sealed unsafe class CpuDataset : DeviceDataset
{
    private readonly Workers _workers;
    private readonly Chw _shape;
    private readonly int[] _labels;
    private readonly float[] _table;
    private readonly SampleDraw[] _draws;
    private MemoryHandle _pixels;
    private bool _moves;

    public CpuDataset(ReadOnlyMemory<byte> pixels, int[] labels, Chw shape, Normalization normalization, Workers workers)
    {
        (_workers, _shape, _labels) = (workers, shape, labels);
        _table = new float[shape.Channels * 256];
        normalization.FillTable(_table);
        _draws = new SampleDraw[labels.Length];
        _pixels = pixels.Pin();
    }

    public override void SetOrder(ReadOnlySpan<SampleDraw> draws)
    {
        _moves = false;
        foreach (SampleDraw d in draws)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)d.Index, (uint)_labels.Length, nameof(draws));
            _moves |= d is not { Top: 0, Left: 0, Flip: false };
        }
        draws.CopyTo(_draws);
    }

    public override void Load(int first, DeviceTensor to, DeviceBuffer labels)
    {
        ReadOnlySpan<SampleDraw> draws = _draws.AsSpan(first, to.Batch);
        int* classes = (int*)((CpuBuffer)labels).Pointer;
        for (int i = 0; i < draws.Length; i++) classes[i] = _labels[draws[i].Index];
        fixed (SampleDraw* samples = draws)
        fixed (float* table = _table)
        {
            var images = new Images((byte*)_pixels.Pointer, samples, to.Batch, _shape, table, CpuBuffer.Floats(to));
            if (_shape.Channels == 1 && !_moves) _workers.Vectorize(to.Elements, new GrayBody(images));
            else
            {
                var body = new RowBody(images);
                _workers.RunSized(to.Elements, ref body);
            }
        }
    }

    public override void Dispose() => _pixels.Dispose();

    private readonly struct Images(byte* pixels, SampleDraw* draws, int batch, Chw shape, float* table, float* to)
    {
        public readonly SampleDraw* Draws = draws;
        public readonly int Batch = batch;
        public readonly Chw Shape = shape;
        public readonly float* Table = table;

        public byte* Source(int sample) => pixels + (long)Draws[sample].Index * Shape.Elements;
        public float* Target(int sample) => to + (long)sample * Shape.Elements;
    }

    /// <summary>Whole images of one channel, by arithmetic on vectors.</summary>
    private readonly struct GrayBody(Images images) : IVectorBody
    {
        private const int Lines = 4;

        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long n, long end) = Partition.Range(images.Batch, worker, workers);
            float* table = images.Table;
            int size = images.Shape.Elements;
            V offset = L.Create(table[0]), slope = L.Create((float)(((double)table[255] - table[0]) / 255));
            for (; n < end; n++)
            {
                // Images lie anywhere in memory; once begun, the processor reads ahead by itself.
                if (Sse.IsSupported && n + 1 < end)
                    for (int line = 0; line < Lines; line++) Sse.Prefetch0(images.Source((int)n + 1) + line * Caches.Line);
                byte* from = images.Source((int)n);
                float* to = images.Target((int)n);
                int i = 0;
                // A byte load may take more bytes than lanes: 16 is the most.
                for (; i <= size - 16; i += L.Count) L.Store(L.Fma(L.LoadBytes(from + i), slope, offset), to + i);
                for (; i < size; i++) to[i] = table[from[i]];
            }
        }
    }

    /// <summary>Rows of any number of channels, from where the sample's draw says, by the table.</summary>
    private readonly struct RowBody(Images images) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            int height = images.Shape.Height;
            (long row, long end) = Partition.Range((long)images.Batch * height, worker, workers);
            for (; row < end; row++)
            {
                int sample = (int)(row / height), y = (int)(row % height);
                Row(images.Draws[sample], y, images.Source(sample), images.Target(sample) + (long)y * images.Shape.Width * images.Shape.Channels);
            }
        }

        private void Row(SampleDraw draw, int y, byte* source, float* target)
        {
            (int channels, int height, int width) = (images.Shape.Channels, images.Shape.Height, images.Shape.Width);
            int from = y + draw.Top, plane = height * width;
            bool inside = from >= 0 && from < height;
            int x = draw.Flip ? width - 1 + draw.Left : draw.Left, step = draw.Flip ? -1 : 1;
            for (int n = 0; n < width; n++, x += step, target += channels)
            {
                bool here = inside && x >= 0 && x < width;
                byte* pixel = source + from * width + x;
                for (int c = 0; c < channels; c++) target[c] = images.Table[c * 256 + (here ? pixel[c * plane] : 0)];
            }
        }
    }
}
