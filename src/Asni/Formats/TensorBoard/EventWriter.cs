using System.Buffers.Binary;
using System.Numerics;

namespace Asni.Formats.TensorBoard;

/// <summary>
/// Appends events to a TensorBoard log (tensorflow's event.proto and summary.proto in TFRecord frames: length, its masked CRC-32C, the event, its
/// masked CRC-32C). The numbers are those files' field numbers. Each event is in the stream when a method returns.
/// </summary>
internal sealed class EventWriter
{
    private const int WallTime = 1, Step = 2, FileVersion = 3, Summary = 5;
    private const int Value = 1, Tag = 1, SimpleValue = 2, Image = 4, Histogram = 5;
    private const int Rgb = 3, Buckets = 64;

    private readonly Stream _stream;
    private readonly TimeProvider _clock;

    /// <summary>Starts a log at the stream's present position.</summary>
    public EventWriter(Stream stream, TimeProvider? clock = null)
    {
        (_stream, _clock) = (stream, clock ?? TimeProvider.System);
        Write(Event(0).Text(FileVersion, "brain.Event:2"));
    }

    /// <summary>What the names of logs look like.</summary>
    public const string Pattern = "events.out.tfevents.*";

    /// <summary>TensorBoard looks for files with "tfevents" in their name.</summary>
    public static string FileName(DateTimeOffset now) => $"events.out.tfevents.{now.ToUnixTimeSeconds()}.asni";

    /// <summary>Numbers by tag; those that are null or not finite are left out.</summary>
    public void Scalars(long step, params IEnumerable<(string Tag, double? Value)> values)
    {
        var summary = new ProtoMessage();
        foreach ((string tag, double? value) in values)
            if (value is { } number && double.IsFinite(number))
                summary.Message(Value, new ProtoMessage().Text(Tag, tag).Single(SimpleValue, (float)number));
        Write(Event(step).Message(Summary, summary));
    }

    /// <summary>How values are distributed, in buckets of equal width; nothing is written for no values or values that are not finite.</summary>
    public void Distribution(long step, string tag, ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return;
        double min = double.PositiveInfinity, max = double.NegativeInfinity, sum = 0, squares = 0;
        foreach (float v in values)
        {
            if (!float.IsFinite(v)) return;
            (min, max, sum, squares) = (Math.Min(min, v), Math.Max(max, v), sum + v, squares + (double)v * v);
        }
        double width = max > min ? (max - min) / Buckets : 1;
        var limits = new double[Buckets];
        var counts = new double[Buckets];
        for (int i = 0; i < Buckets; i++) limits[i] = i == Buckets - 1 ? Math.Max(max, min + Buckets * width) : min + (i + 1) * width;
        foreach (float v in values) counts[Math.Min(Buckets - 1, (int)((v - min) / width))]++;
        ProtoMessage histogram = new ProtoMessage().Double(1, min).Double(2, max).Double(3, values.Length).Double(4, sum).Double(5, squares)
            .Doubles(6, limits).Doubles(7, counts);
        Write(Event(step).Message(Summary, new ProtoMessage().Message(Value, new ProtoMessage().Text(Tag, tag).Message(Histogram, histogram))));
    }

    /// <summary>A picture.</summary>
    public void Picture(long step, string tag, PngImage image)
    {
        ProtoMessage picture = new ProtoMessage().Integer(1, image.Height).Integer(2, image.Width).Integer(3, Rgb).Bytes(4, image.Encode());
        Write(Event(step).Message(Summary, new ProtoMessage().Message(Value, new ProtoMessage().Text(Tag, tag).Message(Image, picture))));
    }

    private ProtoMessage Event(long step) =>
        new ProtoMessage().Double(WallTime, _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0).Integer(Step, step);

    private void Write(ProtoMessage message)
    {
        byte[] data = message.ToArray();
        var frame = new byte[sizeof(ulong) + sizeof(uint) + data.Length + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(frame, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(sizeof(ulong)), Masked(frame.AsSpan(0, sizeof(ulong))));
        data.CopyTo(frame, sizeof(ulong) + sizeof(uint));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(^sizeof(uint)), Masked(data));
        _stream.Write(frame);
    }

    /// <summary>TFRecord's masking, so that checksums of data that hold checksums stay good ones.</summary>
    private static uint Masked(ReadOnlySpan<byte> bytes)
    {
        uint sum = Castagnoli(bytes);
        return (sum >> 15 | sum << 17) + 0xA282EAD8;
    }

    /// <summary>The CRC-32C, which System.IO.Hashing lacks: register and result inverted.</summary>
    internal static uint Castagnoli(ReadOnlySpan<byte> bytes)
    {
        uint register = uint.MaxValue;
        foreach (byte b in bytes) register = BitOperations.Crc32C(register, b);
        return ~register;
    }
}
