using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data.Images;

public class ImageFileTests : FolderTest
{
    [SetUp]
    public void WritePicture() => _folder.Write("picture.png", Pictures.File("picture.png"));

    [Test]
    public void A_file_is_seen_as_torchvision_shows_it()
    {
        var pixels = new byte[3 * 32 * 32];
        ImageFile.Read(_folder["picture.png"], new Chw(3, 32, 32), false, pixels);
        Assert.That(pixels, Is.EqualTo(Pictures.Planes("center-32.png")));
    }

    [TestCase(Pictures.Width, Pictures.Height, "picture.png")]
    [TestCase(90, 77, "larger.png")]
    public void The_whole_of_a_file_is_brought_to_size(int width, int height, string expected)
    {
        var pixels = new byte[3 * width * height];
        ImageFile.Read(_folder["picture.png"], new Chw(3, height, width), true, pixels);
        Assert.That(pixels, Is.EqualTo(Pictures.Planes(expected)));
    }

    [Test]
    public void One_channel_is_luma()
    {
        byte[] rgb = Pictures.Planes("center-32.png"), pixels = new byte[32 * 32];
        ImageFile.Read(_folder["picture.png"], new Chw(1, 32, 32), false, pixels);
        for (int i = 0; i < 1024; i++) Assert.That(pixels[i], Is.EqualTo(0.299 * rgb[i] + 0.587 * rgb[i + 1024] + 0.114 * rgb[i + 2048]).Within(0.501), $"{i}");
    }

    [Test]
    public void Shapes_that_are_no_image_are_refused()
    {
        Assert.That(() => ImageFile.Read(_folder["picture.png"], new Chw(2, 4, 4), false, new byte[32]), Throws.ArgumentException);
        Assert.That(() => ImageFile.Read(_folder["picture.png"], new Chw(3, 4, 4), false, new byte[47]), Throws.ArgumentException);
    }
}
