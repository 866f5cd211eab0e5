using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats.Amenable;

public class AsniFileTests : FolderTest
{
    [Test]
    public void A_sparse_network_comes_back_bit_for_bit()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        string path = Write(model, "asni1");
        TrainedNetwork read = AsniFile.Read(path, model.Network);
        Assert.That(read.Values, Is.EqualTo(model.Values));
        Assert.That(read.Masks[0]!.Words.ToArray(), Is.EqualTo(model.Masks[0]!.Words.ToArray()), "a live weight of 0 stays live");
        Assert.That(read.Masks.Skip(1), Is.All.Null);
        NetworkFileHeader header = AsniFile.Describe(path).Header!;
        Assert.That((header.Phase, header.Network.Name), Is.EqualTo(("asni1", "tiny")));
        GraphJsonTests.AssertEqual(header.Network, model.Network);
    }

    [Test]
    public void Two_numbers_a_layer_take_a_bit_each_and_others_are_kept_exactly()
    {
        TrainedNetwork model = TwoNumbers(NetworkZoo.Create("lenet300"), 0.9);
        model.Values[0][Array.FindIndex(model.Values[0], v => v != 0)] = 0f;
        string path = Write(model, "asni2-init");
        AsniContents contents = AsniFile.Describe(path);
        AsniTensor first = contents.Tensors[0];
        Assert.That(first.ValueCoding, Is.EqualTo(ValueCoding.TwoNumbers));
        Assert.That(first.ValueBytes, Is.EqualTo(8 + (first.Live + 7) / 8 + 5), "one exception: where, and which number");
        Assert.That(contents.Tensors[1].ValueCoding, Is.EqualTo(ValueCoding.Constant), "a bias of zeros");
        Assert.That(contents.FileBytes, Is.EqualTo(new FileInfo(path).Length));
        TrainedNetwork read = AsniFile.Read(path, model.Network);
        Assert.That(read.Values, Is.EqualTo(model.Values));
    }

    [TestCase(4, 2)]
    [TestCase(5, 3)]
    [TestCase(600, 10)]
    public void More_levels_take_as_many_bits_as_tell_them_apart(int levels, int bits)
    {
        TrainedNetwork model = TwoNumbers(NetworkZoo.Create("lenet300"), 0.9);
        float[] first = model.Values[0];
        for (int i = 0, next = 0; i < first.Length; i++)
            if (first[i] != 0) first[i] = (next++ % levels) - levels / 2 + 0.5f;
        string path = Write(model, "asni2-init");
        AsniTensor tensor = AsniFile.Describe(path).Tensors[0];
        Assert.That(tensor.ValueCoding, Is.EqualTo(ValueCoding.Levels));
        Assert.That(tensor.ValueBytes, Is.EqualTo(4 + 4 * levels + (bits * tensor.Live + 7) / 8));
        Assert.That(AsniFile.Read(path, model.Network).Values, Is.EqualTo(model.Values));
        Assert.That(File.ReadAllBytes(path)[4], Is.EqualTo(3), "the version");
        Assert.That(File.ReadAllBytes(Write(TwoNumbers(NetworkZoo.Create("lenet300"), 0.9), "asni2-init"))[4], Is.EqualTo(2));
        AsniFile.Write(path, model, "asni2-init", half: true);
        Assert.That(AsniFile.Read(path, model.Network).Values, Is.EqualTo(model.Values), "levels stay exact");
    }

    [TestCase("a damaged list of numbers", 3)]
    [TestCase("a damaged list of numbers", 4, 1)]
    [TestCase("bytes of values where", 4, 3, 0, 0, 0)]
    [TestCase("a number that is not in its list", 4, 3, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0b00_11_01_00)]
    [TestCase("a damaged list of places", 4, 3, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0b01_10_01_00)]
    public void Damaged_levels_are_refused(string words, params int[] bytes)
    {
        byte[] values = [.. bytes.Skip(1).Select(b => (byte)b)];
        if (bytes[0] == 3) values = [3, 0];
        Assert.That(() => ValueCode.Decode(ValueCoding.Levels, values, 3, what => new AsniException(what)), Throws.TypeOf<AsniException>().With.Message.Contains(words));
    }

    [Test]
    public void Half_precision_rounds_the_weights_but_not_the_vectors()
    {
        TrainedNetwork model = MethodRunner.CreateInitialWeights(NetworkZoo.Create("lenet300"), 1);
        model.Values[1][0] = 0.1f;
        string path = _folder["half.asni"];
        AsniFile.Write(path, model, "dense", half: true);
        TrainedNetwork read = AsniFile.Read(path, model.Network);
        Assert.That(read.Values[0], Is.EqualTo(model.Values[0].Select(v => (float)(Half)v)));
        Assert.That(read.Values[1], Is.EqualTo(model.Values[1]));
        model.Values[0][0] = 1e6f;
        AsniFile.Write(path, model, "dense", half: true);
        Assert.That(AsniFile.Read(path, model.Network).Values[0], Is.EqualTo(model.Values[0]), "what does not fit 16 bits keeps 32");
    }

    [Test]
    public void A_file_of_another_network_is_refused()
    {
        string path = Write(TinyNetwork.TakeSnapshot(), "asni1");
        Assert.That(() => AsniFile.Read(path, NetworkZoo.Create("lenet300")), Throws.TypeOf<AsniException>().With.Message.EqualTo(
            $"{path} does not fit network lenet300: it has fc1.weight 3x4 where 1.weight 300x784 is expected."));
    }

    [Test]
    public void A_file_cut_anywhere_or_with_any_bit_turned_is_refused()
    {
        string path = Write(TinyNetwork.TakeSnapshot(), "asni1");
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++) ExpectRefused(whole[..length], $"{length} of {whole.Length} bytes");
        ExpectRefused([.. whole, 0], "one byte more");
        for (int bit = 0; bit < 8 * whole.Length; bit++)
        {
            byte[] turned = [.. whole];
            turned[bit / 8] ^= (byte)(1 << bit % 8);
            ExpectRefused(turned, $"bit {bit}");
        }
    }

    [Test]
    public void A_hostile_file_with_a_right_checksum_does_no_harm()
    {
        string path = Write(TinyNetwork.TakeSnapshot(), "asni1");
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(1);
        for (int round = 0; round < 3000; round++)
        {
            byte[] changed = [.. whole];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
                changed[random.Next(AsniFile.HeadBytes, whole.Length - AsniFile.ChecksumBytes)] = (byte)random.Next(256);
            Seal(changed);
            string file = _folder["hostile.asni"];
            File.WriteAllBytes(file, changed);
            try
            {
                AsniFile.Describe(file);
                AsniFile.Read(file, TinyNetwork.Network);
            }
            catch (AsniException e)
            {
                Assert.That(e.Message, Does.StartWith(file).And.EndsWith("."));
            }
        }
    }

    [Test]
    public void A_tensor_larger_than_the_file_can_hold_is_refused_before_memory_is_asked_for()
    {
        string path = Write(TinyNetwork.TakeSnapshot(), "asni1");
        byte[] bytes = File.ReadAllBytes(path);
        int dims = bytes.AsSpan().IndexOf("fc1.weight"u8) + "fc1.weight".Length + 1;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(dims), 1 << 30);
        Seal(bytes);
        File.WriteAllBytes(path, bytes);
        Assert.That(() => AsniFile.Describe(path),
            Throws.TypeOf<AsniException>().With.Message.Contains("fc1.weight is larger than such a file can hold"));
    }

    /// <summary>A constant takes four bytes in the file for any number of elements.</summary>
    [TestCase("lenet300", 1, 1870, 1870)]
    [TestCase("mlp300", 3, 500, 500)]
    public void A_network_that_is_many_times_its_file_is_refused_before_memory_is_asked_for(string name, int channels, int height, int width)
    {
        Network large = NetworkZoo.Create(name, new Asni.Tensors.Chw(channels, height, width));
        string path = _folder["large.asni"];
        File.WriteAllBytes(path, Constant(large));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => AsniFile.Describe(path), Throws.TypeOf<AsniException>().With.Message.Contains("more memory than a file of"));
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.Contains("more memory than a file of"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    /// <summary>Values are taken out of the code before they go to their places: both are there at once.</summary>
    [TestCase(33_000_000, 1, true)]
    [TestCase(45_000_000, 2_000_000, true)]
    [TestCase(45_000_000, 44_000_000, false)]
    [TestCase(66_000_000, 66_000_000, true)]
    public void Live_elements_of_a_pruned_tensor_count_twice(int elements, long live, bool fits)
    {
        var tensor = new StoredTensor("t", new Asni.Tensors.Shape(elements), MaskCoding.PrunedGaps, 0, live, [], ValueCoding.Constant, new byte[4]);
        var budget = new ReadBudget(1000, what => new AsniException(what));
        Assert.That(() => tensor.TakeFrom(budget), fits ? Throws.Nothing : Throws.TypeOf<AsniException>());
    }

    [Test]
    public void A_network_of_many_small_tensors_that_is_within_the_limit_is_read()
    {
        Network resnet = NetworkZoo.Create("resnet18c");
        File.WriteAllBytes(_folder["zeros.asni"], Constant(resnet));
        Assert.That(AsniFile.Describe(_folder["zeros.asni"]).Tensors, Has.Length.EqualTo(resnet.Parameters.Length));
    }

    /// <summary>A file of this network, all of whose tensors are one number.</summary>
    private static byte[] Constant(Network network)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        void Text(string text)
        {
            writer.Write((ushort)text.Length);
            writer.Write(System.Text.Encoding.UTF8.GetBytes(text));
        }
        writer.Write("ASNI\u0001\0\0\0\0\0\0\0\0\0\0\0"u8);
        Text(network.Name);
        Text("asni1");
        foreach (int n in (int[])[network.Input.Channels, network.Input.Height, network.Input.Width, network.Classes, network.Parameters.Length]) writer.Write(n);
        foreach (Parameter p in network.Parameters)
        {
            Text(p.Name);
            writer.Write((byte)p.Shape.Rank);
            foreach (int d in p.Shape.Dims) writer.Write(d);
            writer.Write((ushort)0);
            writer.Write(p.Elements);
            writer.Write(0);
            writer.Write((byte)0);
            writer.Write(4);
            writer.Write(0.5f);
        }
        byte[] file = [.. memory.ToArray(), .. new byte[AsniFile.ChecksumBytes]];
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(8), file.Length);
        Seal(file);
        return file;
    }

    [Test]
    public void A_later_version_says_so()
    {
        string path = Write(TinyNetwork.TakeSnapshot(), "asni1");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[4] = 4;
        Seal(bytes);
        File.WriteAllBytes(path, bytes);
        Assert.That(() => AsniFile.Describe(path), Throws.TypeOf<AsniException>().With.Message.Contains("version 4, this program reads versions 1 to 3"));
        Assert.That(() => AsniFile.Describe(_folder["none"]), Throws.TypeOf<AsniException>().With.Message.EndsWith("does not exist."));
    }

    [TestCase(0.80, 3_300_000)]
    [TestCase(0.95, 1_300_000)]
    public void ResNet_50_is_stored_in_a_few_megabytes(double sparsity, long max)
    {
        TrainedNetwork model = TwoNumbers(NetworkZoo.Create("resnet50"), sparsity);
        AsniContents contents = AsniFile.Describe(Write(model, "asni2-init"));
        Assert.That(contents.FileBytes, Is.LessThan(max));
        Assert.That(contents.Tensors.Sum(t => t.MaskBytes), Is.LessThan(1.05 * contents.Tensors.Sum(t => t.MaskEntropyBytes)));
        TestContext.Out.WriteLine($"{sparsity}: {contents.FileBytes} bytes");
    }

    private string Write(TrainedNetwork model, string phase)
    {
        string path = _folder["n.asni"];
        AsniFile.Write(path, model, phase);
        return path;
    }

    /// <summary>Random masks, and for each weight one of two numbers of its layer at random; other tensors as when fresh.</summary>
    private static TrainedNetwork TwoNumbers(Network network, double sparsity)
    {
        var random = new Random(3);
        var values = ImmutableArray.CreateBuilder<float[]>();
        var masks = ImmutableArray.CreateBuilder<Mask?>();
        foreach (Parameter p in network.Parameters)
        {
            var mask = new Mask(p.Elements, live: false);
            var v = new float[p.Elements];
            if (!p.IsWeight) Array.Fill(v, p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance ? 1f : 0f);
            for (int i = 0; p.IsWeight && i < v.Length; i++)
            {
                if (random.NextDouble() < sparsity) continue;
                mask[i] = true;
                v[i] = random.Next(2) == 0 ? 0.5f : -0.25f;
            }
            values.Add(v);
            masks.Add(p.IsWeight ? mask : null);
        }
        return new TrainedNetwork(network, values.ToImmutable(), masks.ToImmutable());
    }

    private static void Seal(byte[] file) => SHA256.HashData(file.AsSpan(..^AsniFile.ChecksumBytes), file.AsSpan(^AsniFile.ChecksumBytes..));

    private void ExpectRefused(byte[] bytes, string what)
    {
        string path = _folder["bad.asni"];
        File.WriteAllBytes(path, bytes);
        Assert.That(() => AsniFile.Describe(path), Throws.TypeOf<AsniException>().With.Message.StartsWith(path), what);
    }
}
