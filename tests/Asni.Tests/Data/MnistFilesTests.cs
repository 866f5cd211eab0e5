using System.Security.Cryptography;
using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data;

public class MnistFilesTests : FolderTest
{
    private static readonly Normalization Normalization = new([0.1307f], [0.3081f]);

    [SetUp]
    public void WriteFiles() => DataFiles.WriteMnist(_folder);

    private AsniException OpenFails() => Assert.Throws<AsniException>(() => MnistFiles.Open("mnist", _folder.Path, Normalization))!;

    [Test]
    public void Good_files_give_images_and_labels_in_order()
    {
        (Dataset train, Dataset test) = MnistFiles.Open("mnist", _folder.Path, Normalization);
        byte[] image = new byte[784];
        train.Read(13, image);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(train.Count, Is.EqualTo(20));
            Assert.That(test.Count, Is.EqualTo(10), "a short test set is taken as its header says");
            Assert.That(train.Shape, Is.EqualTo(new Chw(1, 28, 28)));
            Assert.That(train.GetLabel(13), Is.EqualTo(3));
            Assert.That(image, Is.All.EqualTo(13));
        }
    }

    [TestCase("EMNIST/raw", "")]
    [TestCase("emnist-letters", ".gz")]
    public void The_letters_of_EMNIST_begin_at_label_1(string under, string extension)
    {
        WriteLetters(under, extension, first: 1);
        DatasetSplit letters = Datasets.Open("EMNIST-letters", new DatasetLocator(_folder.Path, null, "none", "none"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That((letters.Train.Count, letters.Test.Count, letters.Train.Classes), Is.EqualTo((26, 26, 26)));
            Assert.That(Enumerable.Range(0, 26).Select(letters.Train.GetLabel), Is.EqualTo(Enumerable.Range(0, 26)));
            Assert.That((letters.Train.GetClassName(0), letters.Test.GetClassName(25)), Is.EqualTo(("A", "Z")));
        }
    }

    [TestCase(0, "expected labels 1 to 26, found 0 for image 0")]
    [TestCase(2, "expected labels 1 to 26, found 27 for image 25")]
    public void Letters_with_other_labels_are_refused(int first, string words)
    {
        WriteLetters("emnist-letters", "", first);
        Assert.That(() => Datasets.Open("emnist-letters", new DatasetLocator(_folder.Path, null, "none", "none")), Throws.TypeOf<AsniException>().With.Message.Contains(words));
    }

    private void WriteLetters(string under, string extension, int first)
    {
        foreach (string split in new[] { "train", "test" })
        {
            string name = Path.Combine(under, $"emnist-letters-{split}");
            byte[] images = DataFiles.Idx(new byte[26 * 784], 26, 28, 28), labels = DataFiles.Idx(DataFiles.Bytes(26, i => first + i), 26);
            _folder.Write(name + "-images-idx3-ubyte" + extension, extension == "" ? images : DataFiles.Gzip(images));
            _folder.Write(name + "-labels-idx1-ubyte" + extension, extension == "" ? labels : DataFiles.Gzip(labels));
        }
    }

    [TestCase("train-images-idx3-ubyte", "train-images.idx3-ubyte")]
    [TestCase("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte")]
    public void The_spelling_with_a_dot_is_found_too(string usual, string dotted)
    {
        File.Move(_folder[usual], _folder[dotted]);
        Assert.That(MnistFiles.Open("mnist", _folder.Path, Normalization).Train.Count, Is.EqualTo(20));
    }

    [Test]
    public void Gzipped_files_are_read_with_or_without_the_extension([Values("", ".gz")] string extension)
    {
        byte[] plain = File.ReadAllBytes(_folder["train-images-idx3-ubyte"]);
        File.Delete(_folder["train-images-idx3-ubyte"]);
        _folder.Write("train-images-idx3-ubyte" + extension, DataFiles.Gzip(plain));
        byte[] image = new byte[784];
        MnistFiles.Open("mnist", _folder.Path, Normalization).Train.Read(19, image);
        Assert.That(image, Is.All.EqualTo(19));
    }

    [TestCase(false, 0)]
    [TestCase(false, 3)]
    [TestCase(false, 15)]
    [TestCase(false, 16)]
    [TestCase(false, 5000)]
    [TestCase(true, 15)]
    [TestCase(true, 5000)]
    public void A_truncated_file_is_an_error_that_names_it(bool gzip, int length)
    {
        byte[] cut = File.ReadAllBytes(_folder["train-images-idx3-ubyte"])[..length];
        _folder.Write("train-images-idx3-ubyte", gzip ? DataFiles.Gzip(cut) : cut);
        Assert.That(OpenFails().Message, Does.Contain("train-images-idx3-ubyte' is cut short"));
    }

    [Test]
    public void A_gzip_stream_that_is_cut_is_an_error()
    {
        byte[] gzip = DataFiles.Gzip(File.ReadAllBytes(_folder["train-images-idx3-ubyte"]));
        _folder.Write("train-images-idx3-ubyte", gzip[..(gzip.Length / 2)]);
        Assert.That(OpenFails().Message, Does.Contain("train-images-idx3-ubyte'"));
    }

    [Test]
    public void A_damaged_gzip_stream_is_an_error()
    {
        byte[] gzip = DataFiles.Gzip(File.ReadAllBytes(_folder["train-labels-idx1-ubyte"]));
        gzip.AsSpan(10).Fill(0xff);
        _folder.Write("train-labels-idx1-ubyte", gzip);
        Assert.That(OpenFails().Message, Does.Contain("train-labels-idx1-ubyte' is a damaged gzip file"));
    }

    [Test]
    public void A_wrong_magic_number_is_an_error_with_both_numbers()
    {
        _folder.Write("train-labels-idx1-ubyte", DataFiles.Idx(new byte[20 * 784], 20, 28, 28));
        Assert.That(OpenFails().Message, Does.Contain("expected magic number 0x00000801, found 0x00000803"));
    }

    [Test]
    public void A_longer_file_than_its_header_says_is_an_error()
    {
        _folder.Write("train-labels-idx1-ubyte", DataFiles.Idx(new byte[21], 20));
        Assert.That(OpenFails().Message, Does.Contain("longer than its header says"));
    }

    [TestCase(0)]
    [TestCase(-5)]
    [TestCase(int.MaxValue)]
    public void An_impossible_or_huge_count_is_an_error_and_takes_no_memory(int count)
    {
        _folder.Write("train-images-idx3-ubyte", DataFiles.Idx(new byte[784], count, 28, 28));
        Assert.That(OpenFails().Message, Does.Contain("impossible IDX header").Or.Contain("cut short"));
    }

    /// <summary>A short gzip file cannot hold what its header promises.</summary>
    [Test]
    public void A_promise_in_gzip_is_an_error_and_takes_no_memory()
    {
        _folder.Write("train-images-idx3-ubyte", DataFiles.Gzip(DataFiles.Idx(new byte[784], 200_000, 28, 28)));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(OpenFails().Message, Does.Contain("cut short: its header promises 156800000 bytes"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4 << 20));
    }

    /// <summary>Deflate can shrink more than a thousand times, images do not.</summary>
    [Test]
    public void A_gzip_file_that_swells_is_refused_before_memory_is_taken()
    {
        // Long enough that deflate could hold what the header promises.
        _folder.Write("train-images-idx3-ubyte", [.. DataFiles.Gzip(DataFiles.Idx(new byte[784], 400_000, 28, 28)), .. new byte[400_000]]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(OpenFails().Message, Does.Contain("400000 x 28 x 28 bytes would take more memory"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    [Test]
    public void Counts_that_disagree_are_an_error_with_both_counts()
    {
        _folder.Write("train-labels-idx1-ubyte", DataFiles.Idx(new byte[19], 19));
        Assert.That(OpenFails().Message, Does.Contain("expected 20 labels").And.Contain("found 19"));
    }

    [Test]
    public void A_label_out_of_range_is_an_error_with_its_place()
    {
        _folder.Write("train-labels-idx1-ubyte", DataFiles.Idx(DataFiles.Bytes(20, i => i == 7 ? 10 : 0), 20));
        Assert.That(OpenFails().Message, Does.Contain("found 10 for image 7"));
    }

    [Test]
    public void A_missing_file_is_named()
    {
        File.Delete(_folder["t10k-labels-idx1-ubyte"]);
        Assert.That(OpenFails().Message, Does.Contain(_folder.Path).And.Contain("t10k-labels-idx1-ubyte"));
    }

    [Test]
    public void Test_images_of_another_size_are_an_error()
    {
        _folder.Write("t10k-images-idx3-ubyte", DataFiles.Idx(new byte[10 * 100], 10, 10, 10));
        Assert.That(OpenFails().Message, Does.Contain("training images are 1x28x28, test images 1x10x10"));
    }

    [Test]
    public void The_real_MNIST_training_files_have_the_published_contents()
    {
        if (SharedData("mnist") is not { } folder)
        {
            Assert.Ignore("No folder shared/data/mnist above the tests: the real MNIST was not checked.");
            return;
        }
        IdxFile images = IdxFile.Read(MnistFiles.Find(folder, "train", "images")!, 3);
        (Dataset train, Dataset test) = MnistFiles.Open("mnist", folder, Normalization);
        using (Assert.EnterMultipleScope())
        {
            byte[] file = DataFiles.Idx(images.Data, images.Dims);
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(file)),
                Is.EqualTo("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"));
            Assert.That(train.Count, Is.EqualTo(60_000));
            Assert.That(test.Count, Is.AnyOf(3_000, 10_000));
            Assert.That(Enumerable.Range(0, 8).Select(train.GetLabel), Is.EqualTo((int[])[5, 0, 4, 1, 9, 2, 1, 3]));
        }
    }

    /// <summary>The folder shared/data/NAME beside the repository, or null.</summary>
    private static string? SharedData(string name)
    {
        for (DirectoryInfo? at = new(TestContext.CurrentContext.TestDirectory); at != null; at = at.Parent)
            if (Path.Combine(at.FullName, "shared", "data", name) is var path && Directory.Exists(path))
                return path;
        return null;
    }
}
