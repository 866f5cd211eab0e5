using Asni.Data.Images;
using Asni.Tensors;

namespace Asni.Tests.Data.Images;

public class ImageResamplerTests
{
    [TestCase("smaller.png", 0, 0, Pictures.Width, Pictures.Height, 24, 17)]
    [TestCase("larger.png", 0, 0, Pictures.Width, Pictures.Height, 90, 77)]
    [TestCase("part.png", 5, 3, 17, 43, 32, 20)]
    [TestCase("picture.png", 0, 0, Pictures.Width, Pictures.Height, Pictures.Width, Pictures.Height)]
    public void Pixels_are_Pillows_to_the_bit(string expected, int left, int top, int partWidth, int partHeight, int width, int height)
    {
        var result = new byte[3 * width * height];
        var resampler = new ImageResampler();
        // Again with memory that has been used for something larger.
        for (int i = 0; i < 2; i++)
        {
            resampler.Run(Pictures.Pixels("picture.png"), Pictures.Width, new PixelBox(left, top, partWidth, partHeight), width, height, new PixelBox(0, 0, width, height), result);
            Assert.That(result, Is.EqualTo(Pictures.Planes(expected)));
            resampler.Run(Pictures.Pixels("picture.png"), Pictures.Width, new PixelBox(0, 0, 50, 40), 99, 88, new PixelBox(0, 0, 99, 88), new byte[3 * 99 * 88]);
        }
    }

    [Test]
    public void A_window_is_cut_out_of_the_whole_result()
    {
        byte[] whole = Pictures.Planes("larger.png"), window = new byte[3 * 20 * 10];
        new ImageResampler().Run(Pictures.Pixels("picture.png"), Pictures.Width, new PixelBox(0, 0, Pictures.Width, Pictures.Height), 90, 77, new PixelBox(33, 60, 20, 10), window);
        for (int i = 0; i < window.Length; i++)
            Assert.That(window[i], Is.EqualTo(whole[(i / 200 * 77 + 60 + i % 200 / 20) * 90 + 33 + i % 20]), $"{i}");
    }

    [TestCase("picture.png", "center-32.png", false)]
    [TestCase("picture.png", "center-32-upright.png", true)]
    public void The_middle_is_what_torchvisions_transforms_take(string picture, string expected, bool upright)
    {
        byte[] pixels = Pictures.Pixels(picture);
        (int width, int height) = (Pictures.Width, Pictures.Height);
        if (upright) (pixels, width, height) = (Transposed(pixels, width, height), height, width);
        (int newWidth, int newHeight, PixelBox window) = ImageParts.Center(width, height, 32, 32);
        var result = new byte[3 * 32 * 32];
        new ImageResampler().Run(pixels, width, new PixelBox(0, 0, width, height), newWidth, newHeight, window, result);
        Assert.That(result, Is.EqualTo(Pictures.Planes(expected)));
    }

    [Test]
    public void The_middle_of_ImageNets_pictures_is_224_of_256()
    {
        Assert.That(ImageParts.Center(500, 375, 224, 224), Is.EqualTo((341, 256, new PixelBox(58, 16, 224, 224))));
        Assert.That(ImageParts.Center(375, 500, 224, 224), Is.EqualTo((256, 341, new PixelBox(16, 58, 224, 224))));
    }

    [Test]
    public void Random_parts_lie_in_the_image_and_have_the_areas_and_ratios_of_training()
    {
        var random = new SplitMix64(3);
        double areas = 0, ratios = 0, lefts = 0, tops = 0;
        const int draws = 20_000, width = 500, height = 375;
        for (int i = 0; i < draws; i++)
        {
            PixelBox part = ImageParts.Random(width, height, random);
            Assert.That(part.Left >= 0 && part.Top >= 0 && part.Left + part.Width <= width && part.Top + part.Height <= height, $"{part}");
            double area = (double)part.Width * part.Height / (width * height), ratio = (double)part.Width / part.Height;
            Assert.That(area, Is.InRange(0.079, 1.0), $"{part}");
            Assert.That(ratio, Is.InRange(0.74, 1.35), $"{part}");
            lefts += part.Left + part.Width / 2.0;
            tops += part.Top + part.Height / 2.0;
            areas += area;
            ratios += Math.Log(ratio);
        }
        // Large parts of a ratio that does not fit are drawn again: the same rule in Python's floating point comes to 0.432 and 0.032.
        Assert.That(lefts / draws, Is.EqualTo(width / 2.0).Within(2), "anywhere");
        Assert.That(tops / draws, Is.EqualTo(height / 2.0).Within(2), "anywhere");
        Assert.That(areas / draws, Is.InRange(0.425, 0.44));
        Assert.That(ratios / draws, Is.InRange(0.022, 0.042));
    }

    [TestCase(1000, 10, 493, 0, 13, 10)]
    [TestCase(10, 1000, 0, 493, 10, 13)]
    [TestCase(1, 1, 0, 0, 1, 1)]
    public void Where_no_part_fits_it_is_the_middle(int width, int height, int left, int top, int partWidth, int partHeight)
    {
        // A random number that leads to parts that do not fit.
        PixelBox expected = new(left, top, partWidth, partHeight);
        Assert.That(Enumerable.Range(0, 50).Select(i => ImageParts.Random(width, height, new SplitMix64((ulong)i))), Has.Some.EqualTo(expected));
    }

    private static byte[] Transposed(byte[] pixels, int width, int height)
    {
        var to = new byte[pixels.Length];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 4; c++) to[(x * height + y) * 4 + c] = pixels[(y * width + x) * 4 + c];
        return to;
    }
}
