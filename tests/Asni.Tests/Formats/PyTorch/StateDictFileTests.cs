using System.IO.Compression;
using System.Text;
using Asni.Formats;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats.PyTorch;

/// <summary>make_fixtures.py made the files.</summary>
public class StateDictFileTests : FolderTest
{
    [Test]
    public void Strides_offsets_and_types_of_a_state_dict_are_understood()
    {
        using NamedTensors file = NamedTensors.Open(Fixture("tiny.pt"));
        Assert.That(file.Shapes.Keys, Is.EquivalentTo(new[] { "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "bn.num_batches_tracked" }));
        Assert.That(file.Shapes["fc1.weight"], Is.EqualTo(new long[] { 3, 4 }));
        Assert.That(file.Read("fc1.weight"), Is.EqualTo(new float[] { 1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12 }));
        Assert.That(file.Read("fc1.bias"), Is.EqualTo(new float[] { 4, 5, 6 }));
        Assert.That(file.Read("fc2.weight"), Is.EqualTo(new[] { 0.5f, -1, 2, 3, 4, 5 }));
        Assert.That(file.Read("fc2.bias"), Is.EqualTo(new[] { 1.5f, -2 }));
        Assert.That(() => file.Read("bn.num_batches_tracked"), Throws.TypeOf<AsniException>().With.Message.Contains("is a LongStorage"));
    }

    [Test]
    public void A_checkpoint_gives_the_state_dict_inside_and_nothing_foreign_is_built()
    {
        WeightsByName loaded = WeightsByName.Load(Fixture("checkpoint.pt"), TinyNetwork.Network, Zeros());
        Assert.That((loaded.Loaded, loaded.IsComplete), Is.EqualTo((4, true)));
        for (int i = 0; i < 4; i++) Assert.That(loaded.Trained.Values[i], Is.All.EqualTo(i + 0.25f));
    }

    [TestCase("module.pt", "holds no state dict but something else")]
    [TestCase("coo.pt", "its tensor fc1.weight is a sparse tensor; save it dense")]
    [TestCase("csr.pt", "its tensor fc1.weight is a sparse tensor (CSR); save it dense")]
    [TestCase("quantized.pt", "its tensor fc1.weight is quantized; save it as tensor.dequantize()")]
    public void What_holds_no_state_dict_is_refused_with_the_remedy(string fixture, string words) =>
        Assert.That(() => NamedTensors.Open(Fixture(fixture)), Throws.TypeOf<AsniException>().With.Message.Contains(words).And.Message.EndsWith("."));

    [Test]
    public void Weights_that_torch_prune_masks_are_weights_and_masks()
    {
        WeightsByName loaded = WeightsByName.Load(Fixture("pruned.pt"), TinyNetwork.Network);
        TrainedNetwork w = loaded.Trained;
        Assert.That((loaded.IsPruned, loaded.Unused.Length, w.Masks[0]!.Live, w.Masks[1], w.Masks[2], w.Masks[3]!.Live), Is.EqualTo((true, 0, 6L, (Mask?)null, (Mask?)null, 1L)));
        for (int i = 0; i < 12; i++) Assert.That(w.Values[0][i], Is.EqualTo(w.Masks[0]![i] ? i + 1 : 0));
        for (int i = 0; i < 2; i++) Assert.That(w.Values[3][i], Is.EqualTo(w.Masks[3]![i] ? 301 + i : 0));
    }

    [TestCase("state_dict", "best_acc1")]
    [TestCase("model_state", "rng_state")]
    [TestCase("anything", "best_acc1")]
    [TestCase("ema", "epoch")]
    public void The_state_dict_is_found_beside_other_tensors(string key, string other)
    {
        string path = Saved(d => Tensor(d.Text(other), "1").Text(key).Dictionary(inner => Tensor(inner.Text("fc1.bias"), "0"))
            .Text("optimizer").Dictionary(o => o.Text("state").Dictionary(s => s.Number(0).Dictionary(m => Tensor(m.Text("exp_avg"), "1")))));
        using NamedTensors file = NamedTensors.Open(path);
        Assert.That(file.Shapes.Keys, Is.EqualTo(new[] { "fc1.bias" }));
    }

    [Test]
    public void Two_state_dicts_of_which_neither_is_usual_are_named()
    {
        string path = Saved(d => d.Text("student").Dictionary(inner => Tensor(inner.Text("fc1.bias"), "0")).Text("teacher").Dictionary(inner => Tensor(inner.Text("fc1.bias"), "1")));
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("several state dicts, under student, teacher"));
    }

    [TestCase("torch._utils", "_rebuild_nested_tensor", "a nested tensor")]
    [TestCase("torch._tensor", "_rebuild_from_type_v2", "of a kind that is not read (torch._tensor._rebuild_from_type_v2)")]
    [TestCase("torch._utils", "_rebuild_wrapper_subclass", "of a kind that is not read")]
    public void Tensors_of_other_kinds_are_refused_by_name(string module, string function, string words)
    {
        string path = Saved(d => d.Text("conv.weight").Global(module, function).Tuple(_ => { }).Call());
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("its tensor conv.weight is " + words));
    }

    private string Saved(Action<PickleWriter> items) => Archive(Encoding.Latin1.GetString(new PickleWriter().Dictionary(items).ToArray()));

    private static PickleWriter Tensor(PickleWriter pickle, string key) => pickle.Tensor("FloatStorage", key, 3, 0, [3], [1]);

    [Test]
    public void A_pickle_that_would_run_a_program_runs_nothing()
    {
        string witness = _folder["witness"];
        string path = Archive($"cos\nsystem\n(X{Length($"touch {witness}")}touch {witness}tR.");
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("holds no state dict"));
        Assert.That(File.Exists(witness), Is.False);
    }

    [TestCase("", "it ends where")]
    [TestCase(".", "empty stack")]
    [TestCase("(t", "ends where")]
    [TestCase("t.", "closes what it never opened")]
    [TestCase("h\u0007.", "recalls entry 7")]
    [TestCase("}X\u00FF\u00FF\u00FF\u007Fa.", "announces a text")]
    [TestCase("}(X\u0001\0\0\0au.", "a key without a value")]
    [TestCase("}.", "no tensor by a name")]
    [TestCase("P1\n.", "opcode 0x50")]
    [TestCase("}(X\u0001\0\0\0actorch._utils\n_rebuild_tensor_v2\n(K\u0001K\u0000))tRu.", "rebuilds a tensor from something else")]
    public void A_pickle_that_is_none_is_refused(string pickle, string words) =>
        Assert.That(() => NamedTensors.Open(Archive(pickle)), Throws.TypeOf<AsniException>().With.Message.Contains(words));

    [Test]
    public void An_archive_that_swells_is_refused()
    {
        string path = _folder["bomb.pt"];
        using (ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Create))
        using (Stream pickle = archive.CreateEntry("archive/data.pkl", CompressionLevel.SmallestSize).Open())
            pickle.Write(new byte[1 << 20]);
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("were expected"));
    }

    [TestCase("tiny.pt")]
    [TestCase("checkpoint.pt")]
    public void Damaged_files_are_refused_or_read_but_do_no_harm(string fixture)
    {
        byte[] whole = File.ReadAllBytes(Fixture(fixture));
        var random = new Random(1);
        string path = _folder["damaged.pt"];
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = round % 4 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (int changes = random.Next(1, 4); round % 4 != 0 && changes > 0;
                changes--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, damaged);
            TryReadAll(path);
        }
    }

    [Test]
    public void A_damaged_pickle_under_a_right_checksum_does_no_harm()
    {
        byte[] pickle;
        using (ZipArchive archive = ZipFile.OpenRead(Fixture("checkpoint.pt")))
        using (var copy = new MemoryStream())
        {
            using Stream stream = archive.Entries.Single(e => e.Name == "data.pkl").Open();
            stream.CopyTo(copy);
            pickle = copy.ToArray();
        }
        var random = new Random(2);
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = [.. pickle];
            for (int changes = random.Next(1, 4); changes > 0; changes--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            TryReadAll(Archive(Encoding.Latin1.GetString(damaged)));
        }
    }

    [Test]
    public void PyTorch_s_resnet18_gives_its_logits_here_and_ours_loads_there()
    {
        const int images = 2;
        Network network = NetworkZoo.Create("resnet18", new Asni.Tensors.Chw(3, 64, 64), 10);
        NetworkFile.Write(_folder["ours.safetensors"], RandomNetworks.Weights(network, 0.5), "asni1");
        Python.Run("Formats.PyTorch.resnet18.py", _folder.Path, _folder.Path);
        WeightsByName loaded = WeightsByName.Load(_folder["resnet18.pt"], network, RandomNetworks.Weights(network, 0));
        Assert.That((loaded.IsComplete, loaded.Unused.Length), Is.EqualTo((true, 0)), loaded.Shortfall);
        float[] input = Singles("input"), expected = Singles("logits");
        float[] logits = RandomNetworks.Logits(loaded.Trained, input, images);
        Assert.That(logits.Zip(expected, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-4));
        float[] ours = RandomNetworks.Logits(RandomNetworks.Weights(network, 0.5), input, images);
        Assert.That(ours.Zip(Singles("ours.logits"), (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-4));
    }

    private float[] Singles(string name) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte,
        float>(File.ReadAllBytes(_folder[name])).ToArray();

    internal static void TryReadAll(string path)
    {
        try
        {
            using NamedTensors file = NamedTensors.Open(path);
            foreach (string name in file.Shapes.Keys) file.Read(name);
        }
        catch (AsniException e)
        {
            Assert.That(e.Message, Does.StartWith(path).And.EndsWith("."));
        }
    }

    /// <summary>An archive with this pickle, each character a byte.</summary>
    private string Archive(string pickle)
    {
        string path = _folder["made.pt"];
        File.Delete(path);
        using ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Create);
        using Stream stream = archive.CreateEntry("archive/data.pkl", CompressionLevel.NoCompression).Open();
        stream.Write(Encoding.Latin1.GetBytes(pickle));
        return path;
    }

    private static string Length(string text) => Encoding.Latin1.GetString(BitConverter.GetBytes(text.Length));

    private static TrainedNetwork Zeros() => new(TinyNetwork.Network, [.. TinyNetwork.Network.Parameters.Select(p => new float[p.Elements])], [null, null, null, null]);

    private string Fixture(string name) => Fixture(_folder, name);

    internal static string Fixture(TemporaryFolder folder, string name)
    {
        string path = folder[name];
        using Stream source = typeof(StateDictFileTests).Assembly.GetManifestResourceStream("Asni.Tests.Formats.PyTorch." + name)!;
        using FileStream file = File.Create(path);
        source.CopyTo(file);
        return path;
    }
}
