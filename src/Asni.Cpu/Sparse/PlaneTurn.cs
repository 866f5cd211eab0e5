using Asni.Cpu.Convolution;

namespace Asni.Cpu.Sparse;

/// <summary>Carries blocks of activations between the device's NHWC and planes.</summary>
internal static unsafe class PlaneTurn
{
    /// <summary>
    /// Samples turned at a time. Images are often a power of two apart, so that the same position of more samples would not fit in a set of
    /// the first cache; and fewer streams are fetched ahead better.
    /// </summary>
    private const int Together = 8;

    /// <summary>Fills planes with the rows of the block that begins at tensor row <paramref name="first"/>; columns outside the tensor stay as they are, 0.</summary>
    /// <param name="sample">First sample; the planes hold <c>max(1, Lanes)</c> of them, those past the batch 0.</param>
    /// <param name="known">So many rows of each plane hold what they should already.</param>
    /// <param name="zeros">As many zeros as there are channels.</param>
    public static void In(float* tensor, int batch, int sample, int first, in Planes planes, int known, float* zeros, float* to)
    {
        for (int r = known * planes.Step; r < planes.Rows * planes.Step; r++)
        {
            int row = first + planes.FirstRow + r;
            if (row < 0 || row >= planes.Height) Clear(planes, r, to);
            else if (planes.Lanes == 1)
                RowIn(tensor + (long)sample * planes.Height * planes.Width * planes.Channels, row, planes, zeros, to, r);
            else SamplesIn(tensor, batch, sample, row, planes, zeros, to, r);
        }
    }

    /// <summary>Moves the last rows of each plane to its beginning, where the next block of the same sample begins.</summary>
    /// <returns>How many they are.</returns>
    public static int Advance(in Planes planes, int rows, float* to)
    {
        long bytes = (long)(planes.Rows - rows) * planes.Pitch * sizeof(float);
        for (long plane = 0; plane < planes.Floats; plane += planes.Size) Buffer.MemoryCopy(to + plane + (long)rows * planes.Pitch, to + plane, bytes, bytes);
        return planes.Rows - rows;
    }

    /// <summary>Writes the block's rows back through an epilogue.</summary>
    /// <param name="rows">Memory for 16 positions of all channels.</param>
    public static void Out<L, V>(float* from, in Planes planes, int first, int rowCount, in Epilogue epilogue, float* rows, int batch, int sample, float* tensor)
        where L : struct, ILanes<V> where V : struct
    {
        for (int r = 0; r < rowCount * planes.Step && first + r < planes.Height; r++)
        {
            if (planes.Lanes == 1) RowOut<L, V>(from, planes, r, epilogue, rows, tensor + ((long)sample * planes.Height + first + r) * planes.Width * planes.Channels);
            else SamplesOut<L, V>(from, planes, r, first + r, epilogue, rows, batch, sample, tensor);
        }
    }

    private static void Clear(in Planes planes, int r, float* to)
    {
        for (int c = 0; c < planes.Channels; c++)
            for (int phase = 0; phase < planes.Step; phase++)
                new Span<float>(to + planes.Offset(c, r, phase), planes.Pitch).Clear();
    }

    /// <summary>One row of one sample: its positions become lanes. Rows come in order: a short one may put zeros where the next ones will be.</summary>
    private static void RowIn(float* image, int row, in Planes planes, float* zeros, float* to, int r)
    {
        float** positions = stackalloc float*[Together];
        for (int phase = 0; phase < planes.Step; phase++)
        {
            // The first column of this phase that lies inside the tensor.
            int skip = planes.FirstColumn + phase >= 0 ? 0 : (-planes.FirstColumn - phase + planes.Step - 1) / planes.Step;
            int column = planes.FirstColumn + phase + skip * planes.Step;
            int count = Math.Min(planes.Columns - skip, (planes.Width - column + planes.Step - 1) / planes.Step);
            if (count <= 0) continue;
            float* from = image + ((long)row * planes.Width + column) * planes.Channels, place = to + planes.Offset(0, r, phase) + skip;
            int step = planes.Step * planes.Channels, room = planes.Size - r / planes.Step * planes.Pitch - skip;
            if (count >= Together || room < Together) RegisterTranspose.Run(from, count, planes.Channels, step, place, planes.ChannelPitch);
            else
            {
                for (int p = 0; p < Together; p++) positions[p] = p < count ? from + (long)p * step : zeros;
                RegisterTranspose.Run(positions, Together, planes.Channels, place, planes.ChannelPitch);
            }
        }
    }

    /// <summary>One row of as many samples as a vector has lanes.</summary>
    private static void SamplesIn(float* tensor, int batch, int sample, int row, in Planes planes, float* zeros, float* to, int r)
    {
        long image = (long)planes.Height * planes.Width * planes.Channels;
        float** rows = stackalloc float*[Together];
        for (int lane = 0; lane < planes.Lanes; lane += Together)
            for (int c = Math.Max(0, -planes.FirstColumn); c < planes.Columns * planes.Step && planes.FirstColumn + c < planes.Width; c++)
            {
                float* place = tensor + ((long)row * planes.Width + planes.FirstColumn + c) * planes.Channels;
                int count = Math.Min(Together, planes.Lanes - lane);
                for (int s = 0; s < count; s++) rows[s] = sample + lane + s < batch ? place + (sample + lane + s) * image : zeros;
                RegisterTranspose.Run(rows, count, planes.Channels, to + planes.Offset(0, r, c) + lane, planes.ChannelPitch);
            }
    }

    private static void RowOut<L, V>(float* from, in Planes planes, int r, in Epilogue epilogue, float* rows, float* to)
        where L : struct, ILanes<V> where V : struct
    {
        const int piece = 16;
        int channels = planes.Channels;
        for (int phase = 0; phase < planes.Step; phase++)
        {
            float* plane = from + planes.Offset(0, r, phase);
            int count = (planes.Width - phase + planes.Step - 1) / planes.Step;
            float* place = to + phase * channels;
            if (epilogue.IsPlain) RegisterTranspose.RunNarrow(plane, channels, count, planes.ChannelPitch, place, planes.Step * channels);
            else
                for (int j = 0; j < count; j += piece)
                {
                    int positions = Math.Min(piece, count - j);
                    RegisterTranspose.RunNarrow(plane + j, channels, positions, planes.ChannelPitch, rows, channels);
                    for (int p = 0; p < positions; p++) epilogue.Store<L, V>(rows + p * channels, place + (long)(j + p) * planes.Step * channels);
                }
        }
    }

    private static void SamplesOut<L, V>(float* from, in Planes planes, int r, int row, in Epilogue epilogue, float* rows, int batch, int sample, float* tensor)
        where L : struct, ILanes<V> where V : struct
    {
        int channels = planes.Channels, samples = Math.Min(planes.Lanes, batch - sample);
        long image = (long)planes.Height * planes.Width * channels;
        for (int lane = 0; lane < samples; lane += Together)
            for (int c = 0; c < planes.Width; c++)
            {
                float* plane = from + planes.Offset(0, r, c) + lane;
                float* place = tensor + (sample + lane) * image + ((long)row * planes.Width + c) * channels;
                int count = Math.Min(Together, samples - lane);
                if (epilogue.IsPlain) RegisterTranspose.Run(plane, channels, count, planes.ChannelPitch, place, (nint)image);
                else
                {
                    RegisterTranspose.Run(plane, channels, count, planes.ChannelPitch, rows, channels);
                    for (int s = 0; s < count; s++) epilogue.Store<L, V>(rows + s * channels, place + s * image);
                }
            }
    }
}
