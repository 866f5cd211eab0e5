using System.Buffers.Binary;
using System.Text;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Tensors;

namespace Asni.Tests.Formats;

public class WeightsByNameTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Our_own_files_give_everything_masks_included()
    {
        ModelSnapshot model = TinyNetwork.Snapshot();
        var weights = new StoredWeights(model.Values, model.Masks);
        AsniFile.Write(_folder["a"], model.Network, weights, "asni1");
        NetworkFile.Write(_folder["b"], model.Network, weights, "asni1");
        foreach (string path in new[] { _folder["a"], _folder["b"] })
        {
            WeightsByName loaded = WeightsByName.Load(path, model.Network, Fresh());
            Assert.That((loaded.Loaded, loaded.IsComplete, loaded.IsPruned), Is.EqualTo((4, true, true)));
            Assert.That(loaded.Unused, Is.Empty);
            Assert.That(loaded.Weights.Values, Is.EqualTo(model.Values));
            Assert.That(loaded.Weights.Masks[0]!.Live, Is.EqualTo(6));
            Assert.That(loaded.Describe("F").Single(), Is.EqualTo("4 of 4 tensors come from F."));
        }
    }

    [Test]
    public void What_is_missing_misshapen_or_unknown_is_listed_and_the_rest_taken()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path,
        [
            SafetensorsTensor.Single("module.fc1.weight", new Shape(3, 4), [.. Enumerable.Range(0, 12).Select(i => (float)i)]),
            SafetensorsTensor.Single("module.fc2.weight", new Shape(5, 3), new float[15]),
            SafetensorsTensor.Single("module.fc2.bias", new Shape(2), [7, 8]),
            SafetensorsTensor.Single("module.head.weight", new Shape(1), new float[1]),
            SafetensorsTensor.Single("module.bn.num_batches_tracked", new Shape(1), new float[1]),
        ], new Dictionary<string, string>());
        WeightsByName loaded = WeightsByName.Load(path, TinyNetwork.Network, Fresh());
        Assert.That(loaded.Describe("F"), Is.EqualTo(new[]
        {
            "2 of 4 tensors come from F; the others start fresh.",
            "not in the file: fc1.bias.",
            "of another shape: fc2.weight is [5, 3] instead of [2, 3].",
            "in the file but not in the network: head.weight.",
        }));
        Assert.That(loaded.Weights.Values[0][11], Is.EqualTo(11));
        Assert.That(loaded.Weights.Values[1], Is.All.EqualTo(0.5f), "fresh");
        Assert.That(loaded.IsPruned, Is.False);
    }

    [TestCase("F16", new byte[] { 0x00, 0x3E, 0x00, 0xC0 })]
    [TestCase("BF16", new byte[] { 0xC0, 0x3F, 0x00, 0xC0 })]
    [TestCase("F64", new byte[] { 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0xC0 })]
    public void Other_floating_point_formats_become_32_bits(string dtype, byte[] data)
    {
        string header = $$$"""{"fc2.bias":{"dtype":"{{{dtype}}}","shape":[2],"data_offsets":[0,{{{data.Length}}}]}}""";
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        File.WriteAllBytes(_folder["x"], [.. prefix, .. Encoding.UTF8.GetBytes(header), .. data]);
        Assert.That(WeightsByName.Load(_folder["x"], TinyNetwork.Network, Fresh()).Weights.Values[3], Is.EqualTo(new[] { 1.5f, -2f }));
    }

    [Test]
    public void A_file_of_which_nothing_fits_is_refused()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path, [SafetensorsTensor.Single("x", new Shape(1), new float[1])], new Dictionary<string, string>());
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()), Throws.TypeOf<AsniException>().With.Message.EqualTo(
            $"no tensor of {path} fits network tiny: the file has x, ...; the network has fc1.weight, fc1.bias, fc2.weight, fc2.bias, ...."));
    }

    private static StoredWeights Fresh() =>
        new([.. TinyNetwork.Network.Parameters.Select(p => Enumerable.Repeat(0.5f, (int)p.Elements).ToArray())], [null, null, null, null]);
}
