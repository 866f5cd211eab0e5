using Asni.Data;
using Asni.Tensors;
using Asni.Tests.Data.Images;

namespace Asni.Tests.Data;

/// <summary>By what a run that goes on knows its data.</summary>
public class DatasetDigestTests : FolderTest
{
    [Test]
    public void Images_in_memory_are_told_apart_by_any_pixel_label_and_number()
    {
        MemoryDataset Make(byte[] pixels, byte[] labels, float mean = 0.5f, string name = "a") =>
            new(name, 4, new Chw(1, 2, 2), new Normalization([mean], [0.5f]), pixels, labels, []);
        byte[] pixels = DataFiles.Bytes(12, i => i), otherPixels = [.. pixels[..11], 12];
        string digest = Make(pixels, [0, 1, 2]).ComputeSha256();
        Assert.That(digest, Does.Match("^[0-9a-f]{64}$").And.EqualTo(Make([.. pixels], [0, 1, 2]).ComputeSha256()));
        string[] others =
        [
            Make(otherPixels, [0, 1, 2]).ComputeSha256(), Make(pixels, [0, 1, 3]).ComputeSha256(), Make(pixels, [0, 1, 2], mean: 0.25f).ComputeSha256(),
            Make(pixels, [0, 1, 2], name: "b").ComputeSha256(), new FirstImages(Make(pixels, [0, 1, 2]), 2).ComputeSha256(),
        ];
        Assert.That(others.Append(digest), Is.Unique);
        Assert.That(new FirstImages(Make(pixels, [0, 1, 2]), 2).ComputeSha256(), Is.EqualTo(new FirstImages(Make(otherPixels, [0, 1, 3]), 2).ComputeSha256()),
            "what is left out does not count");
    }

    [Test]
    public void Folders_of_images_are_told_apart_by_names_sizes_and_beginnings_whenever_they_were_copied()
    {
        foreach (string file in (string[])["train/a/1.png", "train/a/2.png", "train/b/1.png", "val/a/1.png", "val/b/1.png"]) Put(file, "picture.png");
        string digest = Digest();
        File.SetLastWriteTimeUtc(_folder["train/a/1.png"], new DateTime(2001, 1, 1));
        Assert.That(Digest(), Is.EqualTo(digest));
        Put("train/a/2.png", "picture-jpg.png");
        Assert.That(Digest(), Is.Not.EqualTo(digest), "another size");
        byte[] flipped = Pictures.File("picture.png");
        flipped[^1] ^= 1;
        _folder.Write("train/a/2.png", flipped);
        Assert.That(Digest(), Is.Not.EqualTo(digest), "another content");
        Put("train/a/2.png", "picture.png");
        Assert.That(Digest(), Is.EqualTo(digest));
        File.Move(_folder["train/a/2.png"], _folder["train/b/2.png"]);
        Assert.That(Digest(), Is.Not.EqualTo(digest), "another class");
        Assert.That(new FirstImages(Open(), 2).ComputeSha256(), Is.Not.EqualTo(Digest()));
    }

    private void Put(string file, string picture) => _folder.Write(file, Pictures.File(picture));

    private Dataset Open() => Datasets.Open("images", new DatasetLocator(_folder.Path, null, "data", "cache"), size: (16, 16)).Train;

    private string Digest() => Open().ComputeSha256() + Open().ComputeFilesSha256();
}
