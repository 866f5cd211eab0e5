namespace Asni.Cpu;

/// <summary>
/// Layout conversions at the device's boundary, all of them one thing: a batch of matrices is transposed in tiles that stay in the first-level cache.
/// </summary>
internal static unsafe class Transposition
{
    private const int Tile = 16;

    /// <summary>Activations of PyTorch's order, each sample (C, H * W), to the device's (H * W, C).</summary>
    public static void ToChannelsLast(Workers workers, float* nchw, int batch, int channels, int positions, float* nhwc) =>
        Run(workers, nchw, batch, channels, positions, 1, nhwc);

    public static void ToChannelsFirst(Workers workers, float* nhwc, int batch, int channels, int positions, float* nchw) =>
        Run(workers, nhwc, batch, positions, channels, 1, nchw);

    /// <summary>
    /// A filter bank OIHW to HWIO: a matrix (O, I * H * W) is transposed, and column i * HW + p becomes row p * I + i.
    /// </summary>
    public static void ToOutputsLast(Workers workers, float* oihw, int outputs, int inputs, int taps, float* hwio) =>
        Run(workers, oihw, 1, outputs, inputs * taps, taps, hwio);

    /// <summary>HWIO to OIHW.</summary>
    public static void ToOutputsFirst(Workers workers, float* hwio, int outputs, int inputs, int taps, float* oihw)
    {
        var body = new GatherBody(hwio, outputs, inputs, taps, oihw);
        workers.RunSized((long)outputs * inputs * taps, ref body);
    }

    private static void Run(Workers workers, float* from, int batch, int rows, int columns, int taps, float* to)
    {
        var body = new ScatterBody(from, batch, rows, columns, taps, to);
        workers.RunSized((long)batch * rows * columns, ref body);
    }

    /// <summary>to[place(column)][row] = from[row][column], by bands of columns.</summary>
    private readonly struct ScatterBody(float* from, int batch, int rows, int columns, int taps, float* to) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            long bands = (columns + Tile - 1) / Tile;
            (long band, long end) = Partition.Range(batch * bands, worker, workers);
            for (; band < end; band++)
            {
                long matrix = band / bands * rows * columns;
                int first = (int)(band % bands) * Tile, last = Math.Min(columns, first + Tile);
                for (int row = 0; row < rows; row += Tile)
                    TransposeTile(from + matrix, to + matrix, row, Math.Min(rows, row + Tile), first, last);
            }
        }

        private void TransposeTile(float* source, float* target, int firstRow, int lastRow, int firstColumn, int lastColumn)
        {
            int inputs = columns / taps;
            for (int column = firstColumn; column < lastColumn; column++)
            {
                long place = taps == 1 ? column : (long)(column % taps) * inputs + column / taps;
                float* read = source + (long)firstRow * columns + column, write = target + place * rows;
                for (int row = firstRow; row < lastRow; row++, read += columns) write[row] = *read;
            }
        }
    }

    /// <summary>to[o][column] = from[place(column)][o], by bands of outputs.</summary>
    private readonly struct GatherBody(float* from, int outputs, int inputs, int taps, float* to) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            int columns = inputs * taps;
            (long first, long end) = Partition.Range(outputs, worker, workers, Tile);
            for (int o = (int)first; o < end; o += Tile)
            {
                int last = (int)Math.Min(end, o + Tile);
                for (int column = 0; column < columns; column++)
                {
                    long place = (long)(column % taps) * inputs + column / taps;
                    float* read = from + place * outputs, write = to + column;
                    for (int output = o; output < last; output++) write[(long)output * columns] = read[output];
                }
            }
        }
    }
}
