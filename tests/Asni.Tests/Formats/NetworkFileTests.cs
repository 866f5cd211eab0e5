using System.Globalization;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats;

public class NetworkFileTests : FolderTest
{
    [Test]
    public void Weights_masks_and_description_come_back()
    {
        TrainedNetwork model = TinyNetwork.TakeSnapshot();
        string path = _folder["n.safetensors"];
        NetworkFile.Write(path, model, "asni1");
        StoredNetwork stored = NetworkFormats.Read(path);
        Assert.That((stored.Path, stored.Phase, stored.Trained.Network.Name), Is.EqualTo((path, "asni1", "tiny")));
        GraphJsonTests.AssertEqual(stored.Trained.Network, model.Network);
        TrainedNetwork read = stored.Trained;
        Assert.That(read.Values, Is.EqualTo(model.Values));
        Assert.That(read.Masks[0]!.Words.ToArray(), Is.EqualTo(model.Masks[0]!.Words.ToArray()), "a live weight of 0 stays live");
        Assert.That(read.Masks.Skip(1), Is.All.Null);
    }

    /// <summary>Bytes that this thread has read, as the kernel counts them: the file once, and its beginning to tell its format.</summary>
    [TestCase(".safetensors")]
    [TestCase(".asni")]
    [Platform("Linux")]
    public void A_file_is_read_once(string extension)
    {
        TrainedNetwork model = MethodRunner.CreateInitialWeights(NetworkZoo.Create("lenet300"), 1);
        string path = _folder["n" + extension];
        if (extension == AsniFile.Extension) AsniFile.Write(path, model, "dense");
        else NetworkFile.Write(path, model, "dense");
        long Read() => long.Parse(File.ReadLines("/proc/thread-self/io").First().Split(' ')[1], CultureInfo.InvariantCulture);
        long before = Read();
        Assert.That(NetworkFormats.Read(path).Trained.ComputeSha256(), Is.EqualTo(model.ComputeSha256()));
        long read = Read() - before, length = new FileInfo(path).Length;
        Assert.That(read, Is.InRange(length, length + 20_000), $"{length} bytes");
    }

    [Test]
    public void What_does_not_fit_is_listed_by_name()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path,
        [
            SafetensorsTensor.Single("fc1.weight", new Shape(4, 3), new float[12]),
            SafetensorsTensor.Single("fc1.bias", new Shape(3), new float[3]),
            SafetensorsTensor.Bool("fc2.bias", new Shape(2), new Mask(2)),
            SafetensorsTensor.Single("head.weight", new Shape(1), new float[1]),
        ], new Dictionary<string, string>());
        Assert.That(() => NetworkFile.Read(path, TinyNetwork.Network), Throws.TypeOf<AsniException>().With.Message.EqualTo(
            $"{path} does not fit network tiny: fc1.weight is [4, 3] instead of [3, 4], fc2.weight is missing, fc2.bias is BOOL instead of F32, head.weight is unknown."));
    }

    [Test]
    public void A_long_list_of_misfits_is_cut()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path, [.. "abc".Select(c => SafetensorsTensor.Single($"{c}", new Shape(1), new float[1]))], new Dictionary<string, string>());
        Assert.That(() => NetworkFile.Read(path, TinyNetwork.Network), Throws.TypeOf<AsniException>().With.Message.EndsWith("fc2.bias is missing and 3 more."));
    }

    [Test]
    public void A_file_without_a_description_is_refused()
    {
        string path = _folder["n.safetensors"];
        SafetensorsWriter.Write(path, [], new Dictionary<string, string>());
        Assert.That(() => NetworkFile.ReadHeader(path), Throws.TypeOf<UnnamedNetworkException>().With.Message.EqualTo($"{path} does not say what network it holds."));
        SafetensorsWriter.Write(path, [], new Dictionary<string, string> { ["network"] = "x" });
        Assert.That(() => NetworkFile.ReadHeader(path), Throws.TypeOf<UnnamedNetworkException>());
        SafetensorsWriter.Write(path, [], new Dictionary<string, string> { ["network"] = "x", ["input"] = "3x3x3", ["classes"] = "2", ["phase"] = "p" });
        Assert.That(() => NetworkFile.ReadHeader(path), Throws.TypeOf<UnnamedNetworkException>().With.Message.StartsWith($"{path} describes its network by a name only: There is no network 'x'"));
        Assert.That(NetworkFile.TryReadHeader(path), Is.Null);
        SafetensorsWriter.Write(path, [], new Dictionary<string, string> { ["network"] = "lenet300", ["input"] = "3x0x3", ["classes"] = "2", ["phase"] = "p" });
        Assert.That(() => NetworkFile.ReadHeader(path), Throws.TypeOf<AsniException>().With.Message.Contains("3x0x3"));
    }
}
