using Asni.Data;
using Asni.Tensors;

namespace Asni.Cpu;

/// <summary>8-bit images to normalized activations.</summary>
internal static unsafe class ImageConversion
{
    /// <summary>nhwc = (nchw / 255 - mean) / std, by a table of 256 results a channel: exact, and no slower than arithmetic for 3 channels.</summary>
    /// <param name="table">Scratch of 256 floats a channel.</param>
    public static void Run(Workers workers, byte* nchw, int batch, Chw shape, Normalization normalization, float* table, float* nhwc)
    {
        normalization.FillTable(new Span<float>(table, shape.Channels * 256));
        long count = (long)batch * shape.Elements;
        if (shape.Channels == 1) workers.Vectorize(count, new GrayBody(nchw, count, table, nhwc));
        else
        {
            var body = new ColorBody(nchw, batch, shape, table, nhwc);
            workers.RunSized(count, ref body);
        }
    }

    /// <summary>One channel has the same order in both layouts, so that it can go through vectors: table[0] + p * slope.</summary>
    private readonly struct GrayBody(byte* from, long count, float* table, float* to) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long i, long end) = Partition.Range(count, worker, workers, grain: 64);
            V offset = L.Create(table[0]), slope = L.Create((float)(((double)table[255] - table[0]) / 255));
            // A byte load may take more bytes than lanes: 16 is the most.
            for (; i <= end - 16; i += L.Count) L.Store(L.Fma(L.LoadBytes(from + i), slope, offset), to + i);
            for (; i < end; i++) to[i] = table[from[i]];
        }
    }

    private readonly struct ColorBody(byte* from, int batch, Chw shape, float* table, float* to) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            int channels = shape.Channels, positions = shape.Positions;
            (long first, long end) = Partition.Range((long)batch * positions, worker, workers, grain: 64);
            while (first < end)
            {
                long sample = first / positions;
                int p = (int)(first % positions), stop = (int)Math.Min(positions, p + end - first);
                first += stop - p;
                byte* source = from + sample * channels * positions;
                float* target = to + sample * channels * positions;
                if (channels == 3) ConvertThree(source, p, stop, target);
                else
                {
                    for (; p < stop; p++)
                        for (int c = 0; c < channels; c++) target[p * channels + c] = table[c * 256 + source[c * positions + p]];
                }
            }
        }

        private void ConvertThree(byte* source, int p, int stop, float* target)
        {
            byte* red = source, green = source + shape.Positions, blue = green + shape.Positions;
            for (target += 3 * p; p < stop; p++, target += 3)
            {
                target[0] = table[red[p]];
                target[1] = table[256 + green[p]];
                target[2] = table[512 + blue[p]];
            }
        }
    }
}
