using System.Buffers.Binary;
using System.Text;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Host;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats;

public class WeightsByNameTests : FolderTest
{
    [Test]
    public void Our_own_files_give_everything_masks_included()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        var weights = model;
        AsniFile.Write(_folder["a"], weights, "asni1");
        NetworkFile.Write(_folder["b"], weights, "asni1");
        foreach (string path in new[] { _folder["a"], _folder["b"] })
        {
            WeightsByName loaded = WeightsByName.Load(path, model.Network, Fresh());
            Assert.That((loaded.Loaded, loaded.IsComplete, loaded.IsPruned), Is.EqualTo((4, true, true)));
            Assert.That(loaded.Unused, Is.Empty);
            Assert.That(loaded.Trained.Values, Is.EqualTo(model.Values));
            Assert.That(loaded.Trained.Masks[0]!.Live, Is.EqualTo(6));
            Assert.That(WeightNotes.Describe(loaded, "F").Single(), Is.EqualTo("4 of 4 tensors come from F."));
        }
    }

    [Test]
    public void What_is_missing_misshapen_or_unknown_is_listed_and_the_rest_taken()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path,
        [
            SafetensorsTensor.Single("module.fc1.weight", new Shape(3, 4), [.. Enumerable.Range(0, 12).Select(i => (float)Math.Max(i, 1))]),
            SafetensorsTensor.Single("module.fc2.weight", new Shape(5, 3), new float[15]),
            SafetensorsTensor.Single("module.fc2.bias", new Shape(2), [7, 8]),
            SafetensorsTensor.Single("module.head.weight", new Shape(1), new float[1]),
            SafetensorsTensor.Single("module.bn.num_batches_tracked", new Shape(1), new float[1]),
        ], new Dictionary<string, string>());
        WeightsByName loaded = WeightsByName.Load(path, TinyNetwork.Network, Fresh());
        Assert.That(WeightNotes.Describe(loaded, "F"), Is.EqualTo(new[]
        {
            "2 of 4 tensors come from F; the others are initialized.",
            "not in the file: fc1.bias.",
            "with another shape: fc2.weight is [5, 3] instead of [2, 3].",
            "in the file but not in the network: module.head.weight.",
        }));
        Assert.That(loaded.Trained.Values[0][11], Is.EqualTo(11));
        Assert.That(loaded.Trained.Values[1], Is.All.EqualTo(0.5f), "fresh");
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
        Assert.That(WeightsByName.Load(_folder["x"], TinyNetwork.Network, Fresh()).Trained.Values[3], Is.EqualTo(new[] { 1.5f, -2f }));
    }

    [Test]
    public void A_file_of_which_nothing_fits_is_refused()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path, [SafetensorsTensor.Single("x", new Shape(1), new float[1])], new Dictionary<string, string>());
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()), Throws.TypeOf<WeightMismatchException>().With.Message.EqualTo(
            $"no tensor of {path} fits network tiny: the file has x, ...; the network has fc1.weight, fc1.bias, fc2.weight, fc2.bias, ...."));
    }

    [Test]
    public void Masks_are_applied_whatever_they_are_called_and_must_be_0_and_1()
    {
        float[] weights = [.. Enumerable.Range(1, 12).Select(i => (float)i)], mask = [.. Enumerable.Range(0, 12).Select(i => (float)(i % 2))];
        foreach ((string name, string of) in ((string, string)[])[("fc1.weight_orig", "fc1.weight_mask"), ("fc1.weight", "fc1.weight_mask"), ("fc1.weight", "fc1.weight.mask"),
            ("module.fc1.weight_orig", "module.fc1.weight_mask")])
        {
            WeightsByName loaded = WeightsByName.Load(Write((name, new Shape(3, 4), weights), (of, new Shape(3, 4), mask)), TinyNetwork.Network, Fresh());
            Assert.That((loaded.Loaded, loaded.Unused.Length, loaded.IsPruned, loaded.Trained.Masks[0]!.Live), Is.EqualTo((1, 0, true, 6L)), name);
            Assert.That(loaded.Trained.Values[0], Is.EqualTo(weights.Select((w, i) => i % 2 == 1 ? w : 0)));
        }
        mask[3] = 0.5f;
        string path = Write(("fc1.weight_orig", new Shape(3, 4), weights), ("fc1.weight_mask", new Shape(3, 4), mask));
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()), Throws.TypeOf<AsniException>().With.Message.EqualTo(
            $"{path} has 0.5 in the mask fc1.weight_mask; 0 and 1 were expected."));
    }

    [TestCase("fc1.weight_g", "fc1.weight_v", "weight norm")]
    [TestCase("fc1.weight_orig", "fc1.weight_u", "spectral norm")]
    [TestCase("fc1.parametrizations.weight.original0", "fc1.parametrizations.weight.original1", "a parametrization")]
    [TestCase("fc1.parametrizations.weight.original", "fc1.parametrizations.weight.0._u", "a parametrization")]
    [TestCase("fc1.weight_orig", "fc1.bias", "fc1.weight_mask of the same shape is not there")]
    public void Weights_that_have_to_be_computed_are_refused_by_name(string first, string second, string words)
    {
        string path = Write((first, new Shape(3), [1, 2, 3]), (second, new Shape(4), [1, 2, 3, 4]));
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()),
            Throws.TypeOf<AsniException>().With.Message.StartsWith($"{path} has {first}: ").And.Message.Contains(words));
    }

    [Test]
    public void Zeros_of_a_file_without_masks_are_what_the_caller_says()
    {
        string path = Write(("fc1.weight", new Shape(3, 4), [0, 1, 0, 2, -0f, 3, 4, 5, 6, 7, 8, 9]), ("fc1.bias", new Shape(3), new float[3]));
        WeightsByName live = WeightsByName.Load(path, TinyNetwork.Network, Fresh());
        Assert.That((live.Zeros, live.IsPruned), Is.EqualTo((3L, false)));
        Assert.That(WeightNotes.Describe(live, "F"), Has.Some.EqualTo("3 weights are 0 in the file, which has no masks: they are treated as live (--zeros pruned treats them as pruned)."));
        WeightsByName pruned = WeightsByName.Load(path, TinyNetwork.Network, Fresh(), new WeightMatching { Zeros = ZeroWeights.Pruned });
        Assert.That((pruned.Zeros, pruned.IsPruned, pruned.Trained.Masks[0]!.Live, pruned.Trained.Masks[1]), Is.EqualTo((3L, true, 9L, (Mask?)null)), "biases are not pruned");
        Assert.That(float.IsNegative(pruned.Trained.Values[0][4]), Is.False);
        Assert.That(WeightNotes.Describe(pruned, "F"), Has.Some.Contains("they are treated as pruned (--zeros live"));
    }

    [Test]
    public void A_few_zeros_that_are_weights_as_any_other_need_no_word()
    {
        Network network = NetworkZoo.Create("mlp300");
        string path = Write([.. network.Parameters.Select(p => (p.Name, p.Shape, Enumerable.Range(0, (int)p.Elements).Select(i => i == 3 ? 0f : 1).ToArray()))]);
        Assert.That(WeightNotes.Describe(WeightsByName.Load(path, network), "F").Single(), Is.EqualTo("4 of 4 tensors come from F."));
        Assert.That(WeightNotes.Describe(WeightsByName.Load(path, network, null, new WeightMatching { Zeros = ZeroWeights.Pruned }), "F").Last(), Does.StartWith("2 weights are 0 in the file"));
    }

    [Test]
    public void A_file_with_a_mask_says_by_it_which_zeros_are_pruned()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        NetworkFile.Write(_folder["n"], model, "asni1");
        WeightsByName loaded = WeightsByName.Load(_folder["n"], model.Network, null, new WeightMatching { Zeros = ZeroWeights.Pruned });
        Assert.That((loaded.Zeros, loaded.Trained.Masks[0]!.Live), Is.EqualTo((0L, 6L)), "one live weight is 0");
    }

    [TestCase(float.NaN)]
    [TestCase(float.NegativeInfinity)]
    public void Values_that_are_no_numbers_are_named_with_tensor_and_file(float value)
    {
        string path = Write(("fc1.bias", new Shape(3), [1, 2, 3]), ("fc2.bias", new Shape(2), [1, value]));
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()), Throws.TypeOf<AsniException>().With.Message.EqualTo(
            $"tensor fc2.bias of {path} holds 1 of 2 values that are NaN or infinite, the first at element 1: the file is of no use."));
    }

    [Test]
    public void Without_fresh_weights_or_when_strict_everything_must_fit_and_nothing_be_left()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        (string, Shape, float[])[] all = [.. model.Network.Parameters.Select(p => (p.Name, p.Shape, model.Values[p.Index]))];
        WeightsByName whole = WeightsByName.Load(Write(all), model.Network);
        Assert.That(whole.Trained.Values, Is.EqualTo(model.Values));
        Assert.That(whole.Shortfall, Is.Null);
        string path = Write([.. all[1..], ("head.weight", new Shape(1), [1])]);
        string words = "does not fit network tiny tensor by tensor: not in the file: fc1.weight; only in the file: head.weight.";
        Assert.That(() => WeightsByName.Load(path, model.Network), Throws.TypeOf<WeightMismatchException>().With.Message.Contains(words)
            .And.Property(nameof(WeightMismatchException.Fitting)).EqualTo(3));
        Assert.That(() => WeightsByName.Load(path, model.Network, Fresh(), new WeightMatching { Strict = true }), Throws.TypeOf<WeightMismatchException>().With.Message.Contains(words));
        Assert.That(WeightsByName.Load(path, model.Network, Fresh()).Loaded, Is.EqualTo(3));
    }

    [Test]
    public void What_fits_in_order_is_offered_and_listed_when_it_is_taken()
    {
        // Names of a safetensors file are in any order; these sort as the network has them.
        string path = Write(("a1.w", new Shape(3, 4), new float[12]), ("a2.b", new Shape(3), [1, 2, 3]), ("b1.w", new Shape(2, 3), new float[6]), ("b2.b", new Shape(2), [4, 5]));
        Assert.That(() => WeightsByName.Load(path, TinyNetwork.Network, Fresh()), Throws.TypeOf<WeightMismatchException>().With.Message.EndsWith(
            "the shapes of 4 fit in order.").And.Property(nameof(WeightMismatchException.FitInOrder)).EqualTo(4));
        WeightsByName taken = WeightsByName.Load(path, TinyNetwork.Network, null, new WeightMatching { InOrder = true });
        Assert.That(taken.Trained.Values[3], Is.EqualTo(new float[] { 4, 5 }));
        Assert.That(WeightNotes.Describe(taken, "F"), Is.EqualTo(new[]
        {
            "4 of 4 tensors come from F.", "taken in order: fc1 from a1 (weight).", "taken in order: fc1 from a2 (bias).", "taken in order: fc2 from b1 (weight).",
            "taken in order: fc2 from b2 (bias).", "18 weights are 0 in the file, which has no masks: they are treated as live (--zeros pruned treats them as pruned).",
        }));
    }

    [TestCase(10)]
    [TestCase(37)]
    public void The_last_layer_tells_the_classes(int classes)
    {
        Network network = NetworkZoo.Create("lenet300", null, classes);
        string path = Write([.. network.Parameters.Select(p => ("net." + p.Name, p.Shape, new float[p.Elements]))]);
        Assert.That(WeightsByName.ClassesOf(path, NetworkZoo.Create("lenet300")), Is.EqualTo(classes));
        Assert.That(WeightsByName.ClassesOf(Write(("x", new Shape(1), [1])), NetworkZoo.Create("lenet300")), Is.Null);
    }

    private string Write(params (string Name, Shape Shape, float[] Values)[] tensors)
    {
        string path = _folder["w.safetensors"];
        SafetensorsWriter.Write(path, [.. tensors.Select(t => SafetensorsTensor.Single(t.Name, t.Shape, t.Values))], new Dictionary<string, string>());
        return path;
    }

    private static TrainedNetwork Fresh() =>
        new(TinyNetwork.Network, [.. TinyNetwork.Network.Parameters.Select(p => Enumerable.Repeat(0.5f, (int)p.Elements).ToArray())], [null, null, null, null]);
}
