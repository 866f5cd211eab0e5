using System.Buffers.Binary;

namespace Asni.Tests.Formats.TensorBoard;

/// <summary>Takes a TensorBoard log apart, checking each frame's checksums bit by bit.</summary>
internal static class EventLog
{
    public static List<ProtoReader> Read(ReadOnlySpan<byte> log)
    {
        var events = new List<ProtoReader>();
        while (!log.IsEmpty)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(log));
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(log[8..]), Is.EqualTo(Masked(log[..8])));
            ReadOnlySpan<byte> data = log.Slice(12, length);
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(log[(12 + length)..]), Is.EqualTo(Masked(data)));
            events.Add(new ProtoReader(data));
            log = log[(16 + length)..];
        }
        return events;
    }

    private static uint Masked(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        foreach (byte b in bytes)
        {
            sum ^= b;
            for (int bit = 0; bit < 8; bit++) sum = (sum & 1) == 0 ? sum >> 1 : sum >> 1 ^ 0x82F63B78;
        }
        return System.Numerics.BitOperations.RotateRight(~sum, 15) + 0xA282EAD8;
    }
}
