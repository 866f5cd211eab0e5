using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Tests.Reference;

/// <summary>Memory of the reference device: doubles, activations in NCHW and parameters in PyTorch's order; labels are int32.</summary>
internal sealed class ReferenceBuffer(long bytes) : DeviceBuffer
{
    private readonly byte[] _bytes = new byte[bytes];

    public override long Bytes => _bytes.Length;

    public static Span<double> Doubles(DeviceTensor tensor) => ((ReferenceBuffer)tensor.Buffer).Doubles(tensor.ByteOffset, tensor.Elements);
    public static Span<double> Doubles(ParameterTensor tensor) =>
        ((ReferenceBuffer)tensor.Buffer).Doubles(tensor.ByteOffset, tensor.Parameter.Elements);
    public static Span<int> Integers(DeviceBuffer buffer) => MemoryMarshal.Cast<byte, int>(((ReferenceBuffer)buffer)._bytes.AsSpan());

    public override void Dispose() { }

    private Span<double> Doubles(long offset, long count) =>
        MemoryMarshal.Cast<byte, double>(_bytes.AsSpan(checked((int)offset), checked((int)(count * sizeof(double)))));
}
