using System.IO.Compression;
using System.Text;
using Asni.Formats;
using Asni.Formats.PyTorch;

namespace Asni.Tests.Formats.PyTorch;

/// <summary>Pickles of a few bytes that ask for a lot.</summary>
public class PickleBoundsTests : FolderTest
{
    private const string Rebuild = "ctorch._utils\n_rebuild_tensor_v2\n", One = "K\u0001", Zero = "K\0", Storage0 = "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpu";

    [Test]
    public void Numbers_whose_hashes_collide_do_not_collide_as_keys()
    {
        object[] keys = [.. Enumerable.Range(0, 1000).Select(i => (object)((long)(i ^ 0x12345678) << 32 | (uint)i))];
        Assert.That(keys.Select(k => k.GetHashCode()).Distinct().Count(), Is.EqualTo(1), "what the runtime makes of them");
        Assert.That(keys.Select(PickleKeys.Comparer.GetHashCode).Distinct().Count(), Is.GreaterThan(900));
        Assert.That(PickleKeys.Comparer.Equals("weight", new string("weight".ToCharArray())), "texts are the same by their letters");
    }

    [TestCase(1)]
    [TestCase(400)]
    public void A_shape_of_more_dimensions_than_tensors_have_is_refused(int calls)
    {
        string shape = "(" + string.Concat(Enumerable.Repeat(One, 65)) + "t";
        ExpectRefused("}(" + string.Concat(Enumerable.Repeat($"X\u0001\0\0\0a{Rebuild}({Storage0}{One}tQ{Zero}{shape}{shape}tR", calls)) + "u.", "something else than a storage");
    }

    [TestCase("}", 2_000_000, "its dictionaries")]
    [TestCase("h\u0002h\u0003R", 800_000, "its tensors")]
    public void Many_objects_of_few_bytes_are_refused(string each, int count, string what)
    {
        string dims = "(" + string.Concat(Enumerable.Repeat(One, 20)) + "tq\u0004";
        string start = $"ccollections\nOrderedDict\nq\u0001{Rebuild}q\u0002({Storage0}{One}tQ{Zero}{dims}h\u0004tq\u0003";
        ExpectRefused(start + string.Concat(Enumerable.Repeat(each, count)) + ".", what);
    }

    [TestCase("(", "t")]
    [TestCase("]", "a")]
    [TestCase("N", "\u0085")]
    public void Depth_is_no_recursion(string open, string close) =>
        ExpectRefused(string.Concat(Enumerable.Repeat(open, 500_000)) + string.Concat(Enumerable.Repeat(close, 499_999)) + ".", "holds no state dict");

    [Test]
    public void A_dictionary_that_holds_itself_is_refused() => ExpectRefused("}q\0X\u0001\0\0\0ah\0s.", "no tensor by a name");

    /// <summary>Strides of 0 repeat one element as often as a shape says.</summary>
    [Test]
    public void A_view_that_repeats_its_data_without_end_is_refused()
    {
        string path = Archive(Dictionary(1, "J\0\u00e1\u00f5\u0005", Zero), new float[4]);
        using NamedTensors file = NamedTensors.Open(path);
        Assert.That(() => file.Read("0"), Throws.TypeOf<AsniException>().With.Message.Contains("more memory than a file of"));
    }

    [Test]
    public void Parts_of_one_storage_do_not_read_it_each()
    {
        const int parts = 200, elements = 250_000;
        string path = Archive(Dictionary(parts, One, One, elements), Enumerable.Range(0, elements).Select(i => (float)i).ToArray());
        using NamedTensors file = NamedTensors.Open(path);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < parts; i++) Assert.That(file.Read($"{i}"), Is.EqualTo(new float[] { i }));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(20 * elements));
        for (int i = 0; i < 100; i++) Assert.That(file.Read("7"), Is.EqualTo(new float[] { 7 }), "again and again");
    }

    [TestCase(100)]
    [TestCase(int.MaxValue / 4)]
    public void Data_that_are_longer_than_the_file_are_refused(int elements)
    {
        string path = Archive(Dictionary(1, One, One, elements * 64), new float[4]);
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("longer than the file").Or.Message.Contains("storage"));
    }

    /// <summary>Tensors 0, 1, ... of one dimension, at that offset of storage 0.</summary>
    private static string Dictionary(int tensors, string dim, string stride, int elements = 4)
    {
        string storage = Storage0 + "J" + Int(elements) + "tQ";
        IEnumerable<string> items = Enumerable.Range(0, tensors).Select(i => $"X{Int($"{i}".Length)}{i}{Rebuild}({storage}J{Int(i)}({dim}t({stride}t\u0089ccollections\nOrderedDict\n)RtR");
        return "}(" + string.Concat(items) + "u.";
    }

    private static string Int(int value) => Encoding.Latin1.GetString(BitConverter.GetBytes(value));

    private void ExpectRefused(string pickle, string words)
    {
        string path = Archive(pickle, []);
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains(words).And.Message.StartsWith(path));
    }

    private string Archive(string pickle, float[] storage)
    {
        string path = _folder["made.pt"];
        using ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Create);
        using (Stream stream = archive.CreateEntry("archive/data.pkl", CompressionLevel.NoCompression).Open()) stream.Write(Encoding.Latin1.GetBytes(pickle));
        using (Stream stream = archive.CreateEntry("archive/data/0", CompressionLevel.NoCompression).Open())
            stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(storage.AsSpan()));
        return path;
    }
}
