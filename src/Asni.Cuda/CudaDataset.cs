using Asni.Cuda.Driver;
using Asni.Data;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cuda;

/// <summary>A dataset that lies in the GPU's memory as 8-bit pixels; a batch is gathered, moved, mirrored and normalised by one launch.</summary>
internal sealed class CudaDataset : DeviceDataset
{
    private readonly CudaStream _stream;
    private readonly CudaBuffer _pixels, _labels, _draws, _table;
    private readonly CudaKernel _kernel;
    private readonly Chw _shape;
    private readonly int _count, _multiprocessors;

    /// <exception cref="CudaException">Not enough memory.</exception>
    public CudaDataset(ReadOnlyMemory<byte> pixels, int[] labels, Chw shape, Normalization normalization, CudaStream stream, CudaKernel kernel, int multiprocessors)
    {
        (_stream, _kernel, _shape, _count, _multiprocessors) = (stream, kernel, shape, labels.Length, multiprocessors);
        _pixels = new CudaBuffer(stream, pixels.Length);
        stream.Upload(_pixels.Pointer, pixels.Span);
        _labels = new CudaBuffer(stream, labels.Length * (long)sizeof(int));
        stream.Upload<int>(_labels.Pointer, labels);
        _draws = new CudaBuffer(stream, labels.Length * (long)DrawBytes);
        var table = new float[shape.Channels * 256];
        normalization.FillTable(table);
        _table = new CudaBuffer(stream, table.Length * sizeof(float));
        stream.Upload<float>(_table.Pointer, table);
    }

    private static unsafe int DrawBytes => sizeof(SampleDraw);

    public static long BytesOf(int pixels, int samples) => pixels + samples * (long)(sizeof(int) + DrawBytes);

    public override void SetOrder(ReadOnlySpan<SampleDraw> draws)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(draws.Length, _count, nameof(draws));
        foreach (SampleDraw d in draws) ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)d.Index, (uint)_count, nameof(draws));
        _stream.Upload(_draws.Pointer, draws);
    }

    public override void Load(int first, DeviceTensor to, DeviceBuffer labels)
    {
        if (first < 0 || first + to.Batch > _count) throw new ArgumentOutOfRangeException(nameof(first), first, $"0 to {_count - to.Batch}");
        var args = new SampleArgs
        {
            Pixels = _pixels.Pointer,
            Labels = _labels.Pointer,
            Draws = _draws.Pointer + (ulong)first * (ulong)DrawBytes,
            Table = _table.Pointer,
            To = CudaBuffer.At(to.Buffer, to.ByteOffset),
            LabelsTo = CudaBuffer.At(labels),
            Batch = to.Batch,
            Channels = _shape.Channels,
            Height = _shape.Height,
            Width = _shape.Width,
        };
        _kernel.Launch(_stream, CudaDevice.Blocks((long)to.Batch * _shape.Positions, _multiprocessors), CudaDevice.Threads, 0, in args);
    }

    public override void Dispose()
    {
        _pixels.Dispose();
        _labels.Dispose();
        _draws.Dispose();
        _table.Dispose();
    }

    private struct SampleArgs
    {
        public ulong Pixels, Labels, Draws, Table, To, LabelsTo;
        public int Batch, Channels, Height, Width;
    }
}
