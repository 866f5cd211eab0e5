using Asni.Formats;

namespace Asni.Tests.Formats.PyTorch;

/// <summary>Files of torch.save before PyTorch 1.6. make_fixtures.py made those that are not written here.</summary>
public class LegacyStateDictTests : FolderTest
{
    private static readonly byte[] s_magic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.'];

    [Test]
    public void A_state_dict_of_PyTorch_is_read()
    {
        WeightsByName loaded = WeightsByName.Load(StateDictFileTests.Fixture(_folder, "legacy.pt"), TinyNetwork.Network);
        for (int i = 0; i < 4; i++) Assert.That(loaded.Trained.Values[i], Is.All.EqualTo(i + 0.25f));
    }

    [Test]
    public void A_checkpoint_with_other_tensors_and_views_of_a_storage_is_read()
    {
        using NamedTensors file = NamedTensors.Open(StateDictFileTests.Fixture(_folder, "legacy_checkpoint.pt"));
        Assert.That(file.Shapes.Keys, Is.EquivalentTo(new[] { "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias" }));
        Assert.That(file.Read("fc1.weight"), Is.EqualTo(new float[] { 0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11 }));
        Assert.That(file.Read("fc1.bias"), Is.EqualTo(new float[] { 3, 4, 5 }));
        Assert.That(file.Read("fc2.bias"), Is.EqualTo(new float[] { 1, 1 }));
    }

    [Test]
    public void Texts_and_ordered_dictionaries_of_Python_2_are_understood()
    {
        byte[] saved = new PickleWriter().Global("collections", "OrderedDict").Tuple(t => t.List(pairs => pairs
            .List(p => p.OldText("fc1.bias").Tensor("FloatStorage", "9", 4, 1, [2], [1], old: true))
            .List(p => p.OldText("fc2.bias").Tensor("FloatStorage", "9", 4, 0, [2], [1], (2, 2), old: true)))).Call().ToArray();
        using NamedTensors file = NamedTensors.Open(Write(saved, ["9"], [4], [1, 2, 3, 4]));
        Assert.That(file.Read("fc1.bias"), Is.EqualTo(new float[] { 2, 3 }));
        Assert.That(file.Read("fc2.bias"), Is.EqualTo(new float[] { 3, 4 }), "a part of a storage");
    }

    [TestCase(new[] { 5L }, "5 elements where 4 were expected")]
    [TestCase(new[] { -4L }, "-4 elements where 4 were expected")]
    [TestCase(new long[0], "is cut short")]
    public void Storages_that_do_not_agree_with_the_pickle_are_refused(long[] counts, string words) =>
        Assert.That(() => NamedTensors.Open(Write(Saved(4), ["9"], counts, [1, 2, 3, 4])), Throws.TypeOf<AsniException>().With.Message.Contains(words));

    [Test]
    public void A_storage_beyond_the_file_takes_no_memory()
    {
        string path = Write(Saved(int.MaxValue), ["9"], [int.MaxValue], [1, 2, 3, 4]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("is cut short"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [Test]
    public void Keys_that_are_unknown_or_twice_there_are_refused()
    {
        Assert.That(() => NamedTensors.Open(Write(Saved(4), ["8"], [4], [1, 2, 3, 4])), Throws.TypeOf<AsniException>().With.Message.Contains("no tensor has"));
        Assert.That(() => NamedTensors.Open(Write(Saved(1), ["9", "9"], [1, 1], [1, 2])), Throws.TypeOf<AsniException>().With.Message.Contains("twice"));
        using NamedTensors file = NamedTensors.Open(Write(Saved(4), [], [], []));
        Assert.That(() => file.Read("a.bias"), Throws.TypeOf<AsniException>().With.Message.Contains("are not in it"));
    }

    [TestCase("legacy.pt")]
    [TestCase("legacy_checkpoint.pt")]
    public void Damaged_files_are_refused_or_read_but_do_no_harm(string fixture)
    {
        byte[] whole = File.ReadAllBytes(StateDictFileTests.Fixture(_folder, fixture));
        var random = new Random(1);
        string path = _folder["damaged.pt"];
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = round % 4 == 0 ? whole[..random.Next(20, whole.Length)] : [.. whole];
            for (int changes = random.Next(1, 4); round % 4 != 0 && changes > 0; changes--) damaged[random.Next(20, damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, damaged);
            StateDictFileTests.TryReadAll(path);
        }
    }

    private static byte[] Saved(int elements) => new PickleWriter()
        .Dictionary(d => d.Text("a.bias").Tensor("FloatStorage", "9", elements, 0, [1], [1])).ToArray();

    /// <summary>The five pickles, then each storage's number of elements, each followed by its share of the values.</summary>
    private string Write(byte[] saved, string[] keys, long[] counts, float[] values)
    {
        string path = _folder["made.pt"];
        using FileStream file = File.Create(path);
        file.Write(s_magic);
        file.Write(new PickleWriter().Number(1001).ToArray());
        file.Write(new PickleWriter().Dictionary(d => d.Text("little_endian").Put(0x88)).ToArray());
        file.Write(saved);
        file.Write(new PickleWriter().List(l => Array.ForEach(keys, k => l.Text(k))).ToArray());
        int share = counts.Length == 0 ? 0 : values.Length / counts.Length;
        for (int i = 0; i < counts.Length; i++)
        {
            file.Write(BitConverter.GetBytes(counts[i]));
            foreach (float value in values.AsSpan(i * share, share)) file.Write(BitConverter.GetBytes(value));
        }
        return path;
    }
}
