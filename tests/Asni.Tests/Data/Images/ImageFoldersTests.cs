using Asni.Data;

namespace Asni.Tests.Data.Images;

public class ImageFoldersTests : FolderTest
{
    private void Put(string path, string picture = "picture.jpg") => _folder.Write(path, Pictures.File(picture));

    private void PutTraining()
    {
        foreach (string name in (string[])["n00000002", "n00000010", "n00000001"])
            for (int i = 0; i < 4; i++) Put($"train/{name}/{name}_{i}.JPEG");
    }

    private DatasetSplit Open(string name = "images", int size = 16) =>
        Datasets.Open(name, new DatasetLocator(_folder.Path, null, "data", "cache"), size: (size, size));

    private void ExpectError(string words) =>
        Assert.That(() => Open(), Throws.InstanceOf<AsniException>().With.Message.Contains(words).And.Message.Contains(_folder.Path));

    [TestCase("images")]
    [TestCase("imagenet")]
    public void Classes_are_folders_in_the_order_of_their_names(string name)
    {
        PutTraining();
        Put("val/n00000010/a.jpg");
        Put("val/n00000001/below/b.png", "picture.png");
        Put("val/n00000001/.hidden.png", "picture.png");
        Put("val/n00000001/notes.txt");
        DatasetSplit split = Open(name);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((split.Train.Name, split.Train.Count, split.Train.Classes, split.Test.Count), Is.EqualTo((name, 12, 3, 2)));
            Assert.That(split.Train.Shape, Is.EqualTo(new Asni.Tensors.Chw(3, 16, 16)));
            Assert.That(Enumerable.Range(0, 12).Select(split.Train.GetLabel).CountBy(l => l).Select(c => c.Value), Is.All.EqualTo(4));
            Assert.That(Enumerable.Range(0, 2).Select(split.Test.GetLabel).Order(), Is.EqualTo((int[])[0, 2]));
            Assert.That(new FirstImages(split.Train, 6).HasRandomCrops);
            Assert.That(Enumerable.Range(0, 6).Select(split.Train.GetLabel).Distinct().Count(), Is.GreaterThan(1), "the first images are not of one class");
        }
    }

    [Test]
    public void ImageNets_validation_images_may_lie_in_one_folder_as_Kaggle_has_them()
    {
        foreach (string name in (string[])["n00000001", "n00000002"]) Put($"ILSVRC/Data/CLS-LOC/train/{name}/{name}_1.JPEG");
        Put("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG");
        Put("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000002.JPEG");
        File.WriteAllText(_folder["LOC_val_solution.csv"],
            "ImageId,PredictionString\nILSVRC2012_val_00000002,n00000001 1 2 3 4 n00000001 5 6 7 8\nILSVRC2012_val_00000001,n00000002 1 2 3 4\n");
        Dataset test = Open("imagenet").Test;
        Assert.That(Enumerable.Range(0, 2).Select(test.GetLabel).Order(), Is.EqualTo((int[])[0, 1]));
        File.WriteAllText(_folder["LOC_val_solution.csv"], "ImageId,PredictionString\nILSVRC2012_val_00000002,n00000001 1 2 3 4\n");
        Assert.That(() => Open("imagenet"), Throws.TypeOf<AsniException>().With.Message.Contains("no class for the image").And.Message.Contains("val_00000001"));
    }

    [Test]
    public void Tiny_ImageNet_is_read_as_it_unpacks()
    {
        foreach (string name in (string[])["n00000001", "n00000002"]) Put($"train/{name}/images/{name}_1.JPEG");
        Put("val/images/val_0.JPEG");
        Put("val/images/val_1.JPEG", "gray.jpg");
        File.WriteAllText(_folder["val/val_annotations.txt"], "val_0.JPEG\tn00000002\t0\t0\t62\t57\nval_1.JPEG\tn00000001\t0\t0\t62\t57\n");
        Dataset test = Open().Test;
        Assert.That(Enumerable.Range(0, 2).Select(test.GetLabel).Order(), Is.EqualTo((int[])[0, 1]));
        File.WriteAllText(_folder["val/val_annotations.txt"], "val_0.JPEG\tn00000002\nval_1.JPEG\n");
        ExpectError("line 2 has no class");
        File.WriteAllText(_folder["val/val_annotations.txt"], "val_0.JPEG\tn00000002\nval_1.JPEG\tn00000003\n");
        ExpectError("'n00000003'");
    }

    [Test]
    public void Images_of_formats_that_are_not_read_are_counted()
    {
        PutTraining();
        Put("val/n00000001/a.jpg");
        Assert.That(Open().Source, Does.Not.Contain("not read"));
        foreach (string name in (string[])["a.tif", "b.TIF", "c.ppm", ".hidden.gif", "notes.txt"]) Put("train/n00000002/" + name);
        Put("val/n00000001/d.gif");
        Assert.That(Open().Source, Does.Contain("12 training and 1 test images").And.Contain("not read in the training images: 1 .ppm, 2 .tif (")
            .And.Contain("not read in the test images: 1 .gif ("));
    }

    [Test]
    public void What_is_missing_is_said()
    {
        Put("train/a/1.jpg");
        ExpectError("the folders 'train' and 'val'");
        Directory.CreateDirectory(_folder["val"]);
        ExpectError("There are no classes in");
        Put("test/a/1.jpg");
        Assert.That(Open().Test.Count, Is.EqualTo(1), "an empty folder does not hide the other");
        Put("val/b/1.jpg");
        ExpectError("class 'b' that the training images lack");
        Directory.Delete(_folder["val/b"], recursive: true);
        Directory.CreateDirectory(_folder["val/a"]);
        ExpectError("has no images (");
        Put("val/a/1.jpg");
        Directory.CreateDirectory(_folder["train/b"]);
        ExpectError("has no image (");
        Assert.That(() => Open("imagenet"), Throws.TypeOf<DatasetNotFoundException>().With.Message.Contains("https://image-net.org"));
    }

    [TestCase("picture.jpg", "picture-jpg.png", 0)]
    [TestCase("progressive.jpg", "picture-jpg.png", 12)]
    [TestCase("cmyk.jpg", "picture.png", 40)]
    [TestCase("picture.png", "picture.png", 0)]
    public void Images_are_decoded_as_Pillow_does(string file, string expected, int tolerance)
    {
        Put("train/a/" + file, file);
        Put("val/a/1.jpg");
        // A window of the picture's own size and a resize of 8/7: compare the same of Pillow's pixels.
        var pixels = new byte[3 * 32 * 32];
        Open(size: 32).Train.Read(0, pixels);
        Put("train/a/" + file, expected);
        var expectedPixels = new byte[pixels.Length];
        Open(size: 32).Train.Read(0, expectedPixels);
        Assert.That(pixels.Zip(expectedPixels, (a, b) => Math.Abs(a - b)).Max(), Is.LessThanOrEqualTo(tolerance));
        Assert.That(pixels.Zip(expectedPixels, (a, b) => (double)Math.Abs(a - b)).Average(), Is.LessThan(file == "cmyk.jpg" ? 5 : 2));
    }

    [Test]
    public void Grey_images_become_RGB()
    {
        Put("train/a/gray.jpg", "gray.jpg");
        Put("val/a/1.jpg");
        var pixels = new byte[3 * 32 * 32];
        Open(size: 32).Train.Read(0, pixels);
        Assert.That(pixels.Distinct().Count(), Is.GreaterThan(50));
        Assert.That(pixels.Chunk(1024).Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(1), "red, green and blue are the same");
    }

    [Test]
    public void Training_sees_random_parts_that_depend_on_seed_epoch_and_image_alone()
    {
        PutTraining();
        Put("val/n00000001/a.jpg");
        Dataset data = Open().Train;
        byte[][] Read(ulong seed, int epoch, int batchSize, Augmentation augmentation) =>
            [.. new BatchLoader(data, batchSize, augmentation, shuffle: false, seed).Epoch(epoch).SelectMany(b => Enumerable.Range(0, b.Count).Select(i => b.Pixels[(i * 768)..((i + 1) * 768)]))];
        var augmentation = new Augmentation(4, true);
        byte[][] first = Read(1, 0, 5, augmentation);
        Assert.That(Read(1, 0, 12, augmentation), Is.EqualTo(first));
        Assert.That(Read(1, 1, 5, augmentation), Is.Not.EqualTo(first));
        Assert.That(Read(2, 0, 5, augmentation), Is.Not.EqualTo(first));
        Assert.That(first.Select(Convert.ToHexString).Distinct().Count(), Is.GreaterThan(8), "all files hold one picture, whose parts differ");
        Assert.That(Read(1, 0, 5, Augmentation.None).Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(1), "and whose middles do not");
        Assert.That(Read(1, 0, 5, new Augmentation(0, true)), Is.EqualTo(first), "the padding is for images of one size");
    }

    [Test]
    public void What_follows_the_end_of_a_JPEG_does_not_matter()
    {
        Put("val/a/1.jpg");
        Put("train/a/1.jpg");
        byte[] pixels = new byte[768], again = new byte[768];
        Open().Train.Read(0, pixels);
        // Of a video, for example: what looks like a scan without an end.
        File.WriteAllBytes(_folder["train/a/1.jpg"], [.. Pictures.File("picture.jpg"), 1, 2, 0xFF, 0xDA, 0, 3, 4]);
        Open().Train.Read(0, again);
        Assert.That(again, Is.EqualTo(pixels));
    }

    [TestCase("cifar10")]
    [TestCase("imagenet")]
    public void Folders_of_images_may_be_called_like_other_datasets(string name)
    {
        Put($"{name}/train/a/1.jpg");
        Put($"{name}/val/a/1.jpg");
        Assert.That(Datasets.Open("images", new DatasetLocator(_folder[name], null, "data", "cache")).Train.Count, Is.EqualTo(1));
    }

    [TestCase("picture.jpg", 300)]
    [TestCase("picture.jpg", 1500)]
    [TestCase("progressive.jpg", 1500)]
    [TestCase("picture.png", 1500)]
    [TestCase("picture.png", 0)]
    public void A_damaged_image_is_one_sentence_with_its_name(string picture, int length)
    {
        Put("train/a/1.jpg");
        Put("val/a/1.jpg");
        File.WriteAllBytes(_folder["train/a/1.jpg"], Pictures.File(picture)[..length]);
        Dataset data = Open().Train;
        Assert.That(() => data.Read(0, new byte[768]), Throws.TypeOf<AsniException>().With.Message.StartsWith($"'{_folder["train/a/1.jpg"]}' cannot be decoded as JPEG, PNG, BMP or WebP image: "));
        Assert.That(() => new BatchLoader(data, 1).Epoch(0).Count(), Throws.TypeOf<AsniException>().With.Message.Contains("train/a/1.jpg"));
        File.Delete(_folder["train/a/1.jpg"]);
        Assert.That(() => data.Read(0, new byte[768]), Throws.TypeOf<AsniException>().With.Message.Contains("does not exist"));
    }
}
