using System.Buffers.Binary;
using System.Text;
using Asni.Formats;
using Asni.Tensors;

namespace Asni.Tests.Formats;

public class SafetensorsTests : FolderTest
{
    [Test]
    public void The_bytes_are_those_of_the_specification()
    {
        string path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [SafetensorsTensor.Single("w", new Shape(2), [1f, -2f])], new Dictionary<string, string> { ["k"] = "v" });
        byte[] bytes = File.ReadAllBytes(path);
        const string json = """{"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";
        int header = (json.Length + 7) / 8 * 8;
        Assert.That(BinaryPrimitives.ReadUInt64LittleEndian(bytes), Is.EqualTo((ulong)header));
        Assert.That(Encoding.UTF8.GetString(bytes, 8, header), Is.EqualTo(json.PadRight(header)));
        Assert.That(bytes[(8 + header)..], Is.EqualTo(new byte[] { 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0 }));
    }

    [Test]
    public void What_is_written_is_read_back()
    {
        string path = _folder["a.safetensors"];
        var mask = new Mask(70_000);
        mask[69_999] = false;
        SafetensorsWriter.Write(path,
            [SafetensorsTensor.Single("a.weight", new Shape(2, 3), [1, 2, 3, 4, 5, float.NegativeInfinity]),
                SafetensorsTensor.Bool("m", new Shape(70_000), mask)],
            new Dictionary<string, string> { ["ключ"] = "a \"quoted\"\nvalue" });
        using var reader = SafetensorsReader.Open(path);
        Assert.That(reader.Metadata["ключ"], Is.EqualTo("a \"quoted\"\nvalue"));
        Assert.That(reader.Entries, Has.Count.EqualTo(2));
        Assert.That(reader.Entries["a.weight"].HasShape(new Shape(2, 3)), Is.True);
        Assert.That(reader.ReadSingles(reader.Entries["a.weight"]), Is.EqualTo(new[] { 1, 2, 3, 4, 5, float.NegativeInfinity }));
        byte[] bits = reader.ReadBytes(reader.Entries["m"]);
        Assert.That(bits[..^1], Is.All.EqualTo(1));
        Assert.That(bits[^1], Is.Zero);
    }

    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [TestCase("""{}""", 0, null)]
    [TestCase("""{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"I8","shape":[3,0],"data_offsets":[4,4]}}""", 4, null)]
    [TestCase("""[1]""", 0, "not a JSON object")]
    [TestCase("""{"w":""", 0, "not valid JSON")]
    [TestCase("""{"w":1}""", 0, "has no dtype")]
    [TestCase("""{"w":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown dtype F31")]
    [TestCase("""{"w":{"dtype":"F32","data_offsets":[0,8]}}""", 8, "has no shape")]
    [TestCase("""{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "not a list of whole numbers")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "not a list of whole numbers")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "bad data_offsets")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, "bad data_offsets")]
    [TestCase("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "needs 12 bytes")]
    [TestCase("""{"w":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}}""", 8, "too large")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "cut short")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "1 bytes at its end")]
    [TestCase("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "4 bytes before tensor w")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}""", 7, "overlaps")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "not valid JSON")]
    [TestCase("""{"__metadata__":3}""", 0, "__metadata__")]
    [TestCase("""{"__metadata__":{"k":3}}""", 0, "__metadata__ entry k")]
    public void A_header_is_checked_before_anything_is_read(string header, int dataBytes, string? fault)
    {
        string path = WriteRaw((ulong)header.Length, header, dataBytes);
        void Open()
        {
            using var reader = SafetensorsReader.Open(path);
        }
        if (fault is null) Assert.That(Open, Throws.Nothing);
        else Assert.That(Open, Throws.TypeOf<AsniException>().With.Message.Contains(fault).And.Message.StartsWith(path).And.Message.EndsWith("."));
    }

    [TestCase(ulong.MaxValue)]
    [TestCase(99UL)]
    public void An_impossible_header_length_is_refused(ulong length) =>
        Assert.That(() => SafetensorsReader.Open(WriteRaw(length, "{}", 0)),
            Throws.TypeOf<AsniException>().With.Message.Contains("announces a header"));

    [Test]
    public void A_file_cut_anywhere_is_refused_and_can_be_replaced()
    {
        string path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [SafetensorsTensor.Single("w", new Shape(4), [1, 2, 3, 4])], new Dictionary<string, string>());
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.That(() => SafetensorsReader.Open(path), Throws.TypeOf<AsniException>(), $"{length} of {whole.Length} bytes");
        }
    }

    [Test]
    public void A_file_with_bytes_changed_is_refused_or_read_but_does_no_harm()
    {
        string path = _folder["a.safetensors"];
        SafetensorsWriter.Write(path, [SafetensorsTensor.Single("w", new Shape(2, 2), [1, 2, 3, 4]),
            SafetensorsTensor.Bool("w.mask", new Shape(2, 2), new Mask(4))],
            new Dictionary<string, string> { ["network"] = "n" });
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(1);
        for (int round = 0; round < 3000; round++)
        {
            byte[] changed = [.. whole];
            for (int changes = random.Next(1, 4); changes > 0; changes--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, changed);
            try
            {
                using NamedTensors file = NamedTensors.Open(path);
                foreach (string name in file.Shapes.Keys) (_, _) = (file.Read(name), file.ReadMask(name));
            }
            catch (AsniException e)
            {
                Assert.That(e.Message, Does.Contain(path).And.EndsWith("."));
            }
        }
    }

    [Test]
    public void A_missing_file_is_one_sentence() =>
        Assert.That(() => SafetensorsReader.Open(_folder["none"]), Throws.TypeOf<AsniException>().With.Message.EndsWith("does not exist."));

    private string WriteRaw(ulong length, string header, int dataBytes)
    {
        string path = _folder["raw.safetensors"];
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        File.WriteAllBytes(path, [.. prefix, .. Encoding.UTF8.GetBytes(header), .. new byte[dataBytes]]);
        return path;
    }
}
