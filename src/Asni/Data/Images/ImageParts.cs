using Asni.Tensors;

namespace Asni.Data.Images;

/// <summary>Which part of an image a network sees: the rules of torchvision's transforms for ImageNet (transforms.py), which published accuracies rest on.</summary>
internal static class ImageParts
{
    /// <summary>Of the area and of width over height.</summary>
    private const double LeastArea = 0.08, LeastRatio = 3.0 / 4, MaxRatio = 4.0 / 3;

    private const int Tries = 10;

    /// <summary>For training, RandomResizedCrop: a part of 8 % to all of the area and of a ratio from 3:4 to 4:3, anywhere.</summary>
    public static PixelBox Random(int width, int height, SplitMix64 random)
    {
        for (int i = 0; i < Tries; i++)
        {
            double area = width * (double)height * Uniform(random, LeastArea, 1);
            double ratio = Math.Exp(Uniform(random, Math.Log(LeastRatio), Math.Log(MaxRatio)));
            int w = (int)Math.Round(Math.Sqrt(area * ratio)), h = (int)Math.Round(Math.Sqrt(area / ratio));
            if (w < 1 || w > width || h < 1 || h > height) continue;
            int top = random.Next(height - h + 1), left = random.Next(width - w + 1);
            return new PixelBox(left, top, w, h);
        }
        return Middle(width, height);
    }

    /// <summary>The largest middle part of an allowed ratio.</summary>
    private static PixelBox Middle(int width, int height)
    {
        double ratio = (double)width / height;
        int w = ratio > MaxRatio ? (int)Math.Round(height * MaxRatio) : width, h = ratio < LeastRatio ? (int)Math.Round(width / LeastRatio) : height;
        return new PixelBox((width - w) / 2, (height - h) / 2, w, h);
    }

    /// <summary>
    /// For evaluation, Resize and CenterCrop: the image is brought to a size whose shorter side is 8/7 of what the network reads (256 to 224), of which the middle is taken.
    /// </summary>
    /// <returns>The image's new size, and the window of that.</returns>
    public static (int Width, int Height, PixelBox Window) Center(int width, int height, int windowWidth, int windowHeight)
    {
        int shorter = (int)Math.Round(Math.Max(windowWidth, windowHeight) * 8 / 7.0);
        int w = width <= height ? shorter : (int)((long)shorter * width / height), h = width <= height ? (int)((long)shorter * height / width) : shorter;
        return (w, h, new PixelBox((int)Math.Round((w - windowWidth) / 2.0), (int)Math.Round((h - windowHeight) / 2.0), windowWidth, windowHeight));
    }

    private static double Uniform(SplitMix64 random, double low, double high) => low + (high - low) * random.NextDouble();
}
