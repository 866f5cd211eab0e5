using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Asni.Formats;
using Asni.Formats.TensorBoard;

namespace Asni.Tests.Formats.TensorBoard;

public class EventWriterTests
{
    [Test]
    public void Checksums_are_those_of_the_standards()
    {
        // The check values of the CRC catalogue for "123456789", and RFC 3720's for 32 zeros.
        Assert.That(Crc32.HashToUInt32("123456789"u8), Is.EqualTo(0xCBF43926));
        Assert.That(EventWriter.Castagnoli("123456789"u8), Is.EqualTo(0xE3069283));
        Assert.That(EventWriter.Castagnoli(new byte[32]), Is.EqualTo(0x8A9136AA));
    }

    [Test]
    public void The_first_frame_is_byte_for_byte_TensorFlow_s()
    {
        using var stream = new MemoryStream();
        _ = new EventWriter(stream, new FixedClock(DateTimeOffset.FromUnixTimeMilliseconds(1_500)));
        byte[] bytes = stream.ToArray();
        // wall_time = 1.5, step = 0, file_version = "brain.Event:2"
        byte[] data = [0x09, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0x10, 0x00, 0x1A, 13, .. "brain.Event:2"u8];
        Assert.That(bytes[12..^4], Is.EqualTo(data));
        Assert.That(BinaryPrimitives.ReadUInt64LittleEndian(bytes), Is.EqualTo((ulong)data.Length));
    }

    [Test]
    public void Scalars_distributions_and_pictures_are_read_back()
    {
        using var stream = new MemoryStream();
        var writer = new EventWriter(stream);
        writer.Scalars(3, [("a", 0.5), ("none", null), ("nan", double.NaN), ("b", -2)]);
        writer.Distribution(4, "w", [-1, 0, 0.25f, 1]);
        writer.Distribution(4, "equal", [2, 2]);
        writer.Distribution(4, "empty", []);
        writer.Picture(5, "p", new PngImage(2, 1, [255, 0, 0, 0, 0, 255]));
        List<ProtoReader> events = EventLog.Read(stream.ToArray());
        Assert.That(events, Has.Count.EqualTo(5));
        Assert.That(events.Select(e => e.Integer(2)), Is.EqualTo(new[] { 0, 3, 4, 4, 5 }));
        Assert.That(events[1].Message(5).Messages(1).Select(v => (v.Text(1), v.All<float>(2).Single())),
            Is.EqualTo(new[] { ("a", 0.5f), ("b", -2f) }));
        ProtoReader histogram = events[2].Message(5).Message(1).Message(5);
        Assert.That(Enumerable.Range(1, 5).Select(f => histogram.All<double>(f).Single()), Is.EqualTo(new[] { -1, 1, 4, 0.25, 2.0625 }));
        double[] limits = Doubles(histogram, 6), counts = Doubles(histogram, 7);
        Assert.That((limits.Length, counts.Sum(), limits[^1]), Is.EqualTo((counts.Length, 4, 1)));
        Assert.That(limits, Is.Ordered.Ascending);
        Assert.That(counts[0], Is.EqualTo(1));
        Assert.That(counts[^1], Is.EqualTo(1));
        Assert.That(Doubles(events[3].Message(5).Message(1).Message(5), 7).Sum(), Is.EqualTo(2), "equal values have a bucket too");
        ProtoReader picture = events[4].Message(5).Message(1).Message(4);
        Assert.That((picture.Integer(1), picture.Integer(2)), Is.EqualTo((1, 2)));
        Assert.That(picture.All<byte[]>(4).Single()[..4], Is.EqualTo(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G' }));
    }

    [Test]
    public void The_event_file_has_the_name_that_TensorBoard_looks_for() =>
        Assert.That(EventWriter.FileName(DateTimeOffset.FromUnixTimeSeconds(12)), Is.EqualTo("events.out.tfevents.12.asni"));

    private static double[] Doubles(ProtoReader message, int field) => MemoryMarshal.Cast<byte,
        double>(message.All<byte[]>(field).Single()).ToArray();

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
