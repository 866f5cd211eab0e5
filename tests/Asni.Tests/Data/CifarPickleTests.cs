using Asni.Data;
using Asni.Tests.Formats.PyTorch;

namespace Asni.Tests.Data;

/// <summary>CIFAR's Python version, in the spellings of different Pythons.</summary>
public class CifarPickleTests : FolderTest
{
    private const int Image = 3072;

    [TestCase("cifar-10-batches-py")]
    [TestCase("cifar10")]
    [TestCase("cifar10/cifar-10-batches-py")]
    [TestCase("")]
    public void Cifar_10_is_found_where_torchvision_keeps_it_and_read_in_order(string under)
    {
        for (int b = 1; b <= 5; b++) Write(under, $"data_batch_{b}", d => Old(d, 2, first: 2 * b));
        Write(under, "test_batch", d => Old(d, 3, first: 0));
        DatasetSplit data = Datasets.Open("cifar10", Locator());
        var image = new byte[Image];
        data.Train.Read(9, image);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((data.Train.Count, data.Test.Count, data.Train.GetLabel(9)), Is.EqualTo((10, 3, 1)));
            Assert.That(image, Is.All.EqualTo(11));
            Assert.That(data.Train.GetClassName(1), Is.EqualTo("automobile"));
        }
    }

    [Test]
    public void Cifar_100_uses_the_fine_labels()
    {
        foreach (string file in new[] { "train", "test" })
            Write("cifar-100-python", file, d => d.OldText("coarse_labels").List(l => l.Number(1)).OldText("data").Array("u1", new byte[Image], false, 1, Image)
                .OldText("fine_labels").List(l => l.Number(99)));
        Assert.That(Datasets.Open("cifar100", Locator()).Train.GetLabel(0), Is.EqualTo(99));
    }

    [Test]
    public void Bytes_and_labels_in_every_spelling_are_the_same()
    {
        byte[] pixels = DataFiles.Bytes(2 * Image, i => i / Image + 200);
        Action<PickleWriter>[] data =
        [
            d => d.Array("u1", pixels, false, 2, Image),
            d => d.Array("u1", pixels, false, 2, 3, 32, 32),
            d => d.Bytes(pixels),
            // Protocol 2 has no bytes: Python 3 writes a text and how it is encoded.
            d => d.Global("_codecs", "encode").Tuple(t => t.Text(new string([.. pixels.Select(b => (char)b)])).Text("latin1")).Call(),
        ];
        Action<PickleWriter>[] labels = [d => d.List(l => l.Number(3).Number(4)), d => d.Array("i8", [3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0], false, 2), d => d.Array("u1", [3, 4], false, 2)];
        foreach (Action<PickleWriter> writeData in data)
            foreach (Action<PickleWriter> writeLabels in labels)
            {
                CifarPickle read = Read(d => { writeData(d.Text("data")); writeLabels(d.Text("labels")); });
                Assert.That(read.Pixels.ToArray(), Is.EqualTo(pixels));
                Assert.That(read.Labels, Is.EqualTo(new byte[] { 3, 4 }));
            }
    }

    [Test]
    public void What_is_no_batch_of_images_is_refused_by_name()
    {
        Refused("it holds no dictionary", new PickleWriter().List(_ => { }).ToArray());
        Refused("its data are not rows", d => d.Text("labels").List(l => l.Number(1)));
        Refused("its data are not rows", d => Batch(d, p => p.Bytes(new byte[Image - 1]), 1));
        Refused("its data are not rows", d => Batch(d, p => p.Bytes([]), 1));
        Refused("its data are not rows", d => Batch(d, p => p.Array("f4", new byte[4 * Image], false, 1, Image), 1));
        Refused("its data are not rows", d => Batch(d, p => p.Array("u1", new byte[Image], true, 1, Image), 1));
        Refused("its data are not rows", d => Batch(d, p => p.Array("u1", new byte[Image], false, 2, Image), 1));
        Refused("its data are not rows", d => Batch(d, p => p.Array("u1", new byte[Image], false, int.MaxValue, int.MaxValue, int.MaxValue), 1));
        Refused("it has no list of labels", d => d.Text("data").Bytes(new byte[Image]));
        Refused("it has 1 images and 2 labels", d => Batch(d, p => p.Bytes(new byte[Image]), 1, 2));
        Refused("labels from 0 to 9 were expected, image 0 has 10", d => Batch(d, p => p.Bytes(new byte[Image]), 10));
        Refused("labels from 0 to 9 were expected, image 0 has -1", d => Batch(d, p => p.Bytes(new byte[Image]), -1));
        Refused("it ends where", [0x80, 2, (byte)'}']);
    }

    [Test]
    public void A_missing_file_and_a_folder_that_has_neither_version_are_named()
    {
        Write("cifar10", "data_batch_1", d => Old(d, 1, 0));
        Assert.That(() => Datasets.Open("cifar10", Locator()), Throws.TypeOf<AsniException>().With.Message.Contains("lacks the file 'data_batch_2' of CIFAR's Python version"));
        Assert.That(() => Datasets.Open("cifar100", Locator()), Throws.TypeOf<DatasetNotFoundException>().With.Message.Contains("'train.bin' of the binary version or 'train' of the Python version"));
    }

    [Test]
    public void A_program_in_a_batch_is_not_run()
    {
        string witness = _folder["witness"];
        Refused("its data are not rows", d => d.Text("data").Global("os", "system").Tuple(t => t.Text($"touch {witness}")).Call().Text("labels").List(_ => { }));
        Assert.That(File.Exists(witness), Is.False);
    }

    /// <summary>As Python 2 wrote it: image i is all i, its label is i modulo 10.</summary>
    private static void Old(PickleWriter dictionary, int count, int first) => dictionary
        .OldText("data").Array("u1", DataFiles.Bytes(count * Image, i => first + i / Image), false, count, Image)
        .OldText("labels").List(l => { for (int i = 0; i < count; i++) l.Number((first + i) % 10); })
        .OldText("batch_label").OldText("a batch");

    private static void Batch(PickleWriter dictionary, Action<PickleWriter> data, params int[] labels)
    {
        data(dictionary.Text("data"));
        dictionary.Text("labels").List(l => Array.ForEach(labels, n => l.Number(n)));
    }

    private void Write(string under, string name, Action<PickleWriter> items) =>
        _folder.Write(Path.Combine(under, name), new PickleWriter().Dictionary(items).ToArray());

    private CifarPickle Read(Action<PickleWriter> items) => CifarPickle.Read(_folder.Write("batch", new PickleWriter().Dictionary(items).ToArray()), "labels", Image, 10);

    private void Refused(string words, Action<PickleWriter> items) => Refused(words, new PickleWriter().Dictionary(items).ToArray());

    private void Refused(string words, byte[] pickle)
    {
        string path = _folder.Write("batch", pickle);
        Assert.That(() => CifarPickle.Read(path, "labels", Image, 10), Throws.TypeOf<AsniException>().With.Message.Contains(words).And.Message.StartsWith($"'{path}' is no file of"));
    }

    private DatasetLocator Locator() => new(_folder.Path, null, "none", "none");
}
