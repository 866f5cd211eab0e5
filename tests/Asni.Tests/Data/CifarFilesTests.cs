using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data;

public class CifarFilesTests : FolderTest
{
    private static readonly CifarFiles Small10 = CifarFiles.Cifar10 with { RecordsPerFile = 4, TestRecords = 2 };
    private static readonly CifarFiles Small100 = CifarFiles.Cifar100 with { RecordsPerFile = 6, TestRecords = 3 };

    [SetUp]
    public void WriteFiles()
    {
        for (int i = 0; i < 5; i++) WriteRecords(Small10, Small10.TrainFiles[i], 4, first: 4 * i);
        WriteRecords(Small10, Small10.TestFile, 2, first: 0);
        WriteRecords(Small100, Small100.TrainFiles[0], 6, first: 90);
        WriteRecords(Small100, Small100.TestFile, 3, first: 0);
    }

    /// <summary>Record i: labels i (the coarse one 255 - i), pixels of plane c all i + 50 c.</summary>
    private void WriteRecords(CifarFiles files, string name, int count, int first)
    {
        var bytes = new List<byte>();
        for (int i = first; i < first + count; i++)
        {
            if (files.LabelBytes == 2) bytes.Add((byte)(255 - i));
            bytes.Add((byte)(i % files.Classes));
            bytes.AddRange(DataFiles.Bytes(3072, p => i + 50 * (p / 1024)));
        }
        _folder.Write(name, [.. bytes]);
    }

    [Test]
    public void Good_files_give_images_and_labels_across_the_five_files()
    {
        (Dataset train, Dataset test) = Small10.Open(_folder.Path);
        byte[] image = new byte[3072];
        train.Read(17, image);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(train.Count, Is.EqualTo(20));
            Assert.That(test.Count, Is.EqualTo(2));
            Assert.That(train.Shape, Is.EqualTo(new Chw(3, 32, 32)));
            Assert.That(train.GetLabel(17), Is.EqualTo(7));
            Assert.That(image, Is.EqualTo(DataFiles.Bytes(3072, p => 17 + 50 * (p / 1024))));
        }
    }

    [Test]
    public void Cifar_100_uses_the_fine_label()
    {
        (Dataset train, Dataset _) = Small100.Open(_folder.Path);
        byte[] image = new byte[3072];
        train.Read(5, image);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(train.Classes, Is.EqualTo(100));
            Assert.That(train.GetLabel(5), Is.EqualTo(95));
            Assert.That(image[0], Is.EqualTo(95));
        }
    }

    [TestCase(4 * 3073 - 1)]
    [TestCase(3 * 3073)]
    [TestCase(0)]
    public void A_truncated_file_is_an_error_even_at_a_record_boundary(int length)
    {
        byte[] whole = File.ReadAllBytes(_folder["data_batch_3.bin"]);
        _folder.Write("data_batch_3.bin", whole[..length]);
        Assert.That(() => Small10.Open(_folder.Path), Throws.TypeOf<AsniException>()
            .With.Message.Contains("data_batch_3.bin' is damaged: expected 12292 bytes (4 images), found " + length));
    }

    [Test]
    public void A_label_out_of_range_is_an_error_with_its_place()
    {
        byte[] file = File.ReadAllBytes(_folder["test_batch.bin"]);
        file[3073] = 10;
        _folder.Write("test_batch.bin", file);
        Assert.That(() => Small10.Open(_folder.Path), Throws.TypeOf<AsniException>().With.Message.Contains("found 10 for image 1"));
    }

    [Test]
    public void A_missing_file_is_named()
    {
        File.Delete(_folder["test.bin"]);
        Assert.That(() => Small100.Open(_folder.Path), Throws.TypeOf<AsniException>()
            .With.Message.Contains(_folder.Path).And.Message.Contains("'test.bin'"));
    }
}
