using System.Runtime.Intrinsics;
using Asni.Data;
using Asni.Data.Synthetic;
using Asni.Tensors;

namespace Asni.Tests.Data;

public class SyntheticTests
{
    private static readonly DatasetLocator Nowhere = new(null, null, "no-such-folder", "no-such-folder");

    private static byte[] Image(Dataset data, int index)
    {
        byte[] image = new byte[data.Shape.Elements];
        data.Read(index, image);
        return image;
    }

    private static DatasetSplit Open(string name, SyntheticOptions options) => Datasets.Open(name, Nowhere, options);

    [Test]
    public void Digits_do_not_depend_on_the_number_of_threads_or_images()
    {
        Dataset one = Digits.Draw(1000, 7, threads: 1), many = Digits.Draw(700, 7, threads: 8);
        for (int i = 0; i < 700; i++) Assert.That(Image(many, i), Is.EqualTo(Image(one, i)), $"image {i}");
    }

    [Test]
    public void Shapes_read_from_several_threads_are_the_same()
    {
        var data = new ShapesDataset(400, 40, 37, 7);
        byte[][] serial = [.. Enumerable.Range(0, 400).Select(i => Image(data, i))];
        byte[][] parallel = new byte[400][];
        Parallel.For(0, 400, i => parallel[i] = Image(data, i));
        Assert.That(parallel, Is.EqualTo(serial));
    }

    [TestCase("digits")]
    [TestCase("shapes")]
    public void The_seed_repeats_the_images_and_another_seed_or_half_differs(string name)
    {
        var options = new SyntheticOptions { TrainCount = 60, TestCount = 60 };
        DatasetSplit a = Open(name, options), b = Open(name, options), c = Open(name, options with { Seed = 2 });
        var train = new HashSet<string>(Enumerable.Range(0, 60).Select(i => Convert.ToHexString(Image(a.Train, i))));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(train, Has.Count.EqualTo(60), "no image twice");
            for (int i = 0; i < 60; i++)
            {
                Assert.That(Image(b.Train, i), Is.EqualTo(Image(a.Train, i)));
                Assert.That(Image(c.Train, i), Is.Not.EqualTo(Image(a.Train, i)));
                Assert.That(train, Does.Not.Contain(Convert.ToHexString(Image(a.Test, i))));
            }
        }
    }

    [TestCase("digits")]
    [TestCase("shapes")]
    public void Labels_are_balanced_and_the_normalization_is_that_of_the_images(string name)
    {
        Dataset data = Open(name, new SyntheticOptions { TrainCount = 3000, TestCount = 10 }).Train;
        int[] histogram = new int[data.Classes];
        for (int i = 0; i < data.Count; i++) histogram[data.GetLabel(i)]++;
        Assert.That(histogram, Is.All.EqualTo(300));

        int plane = data.Shape.Positions;
        for (int c = 0; c < data.Shape.Channels; c++)
        {
            double[] values = [.. Enumerable.Range(0, data.Count)
                .SelectMany(i => Image(data, i).Skip(c * plane).Take(plane)).Select(p => p / 255.0)];
            double mean = values.Average();
            using (Assert.EnterMultipleScope())
            {
                Assert.That(mean, Is.EqualTo(data.Normalization.Mean[c]).Within(0.01));
                Assert.That(Math.Sqrt(values.Average(v => (v - mean) * (v - mean))), Is.EqualTo(data.Normalization.Std[c]).Within(0.01));
            }
        }
    }

    [Test]
    public void Digits_can_be_told_apart_by_their_nearest_neighbour()
    {
        DatasetSplit split = Open("digits", new SyntheticOptions { TrainCount = 4000, TestCount = 200 });
        byte[][] train = [.. Enumerable.Range(0, 4000).Select(i => Image(split.Train, i))];
        int right = 0;
        for (int i = 0; i < 200; i++)
        {
            byte[] image = Image(split.Test, i);
            int nearest = Enumerable.Range(0, train.Length).MinBy(j => Distance(image, train[j]));
            if (split.Train.GetLabel(nearest) == split.Test.GetLabel(i)) right++;
        }
        Assert.That(right, Is.InRange(120, 198), "neither hopeless nor trivial");
    }

    [Test]
    public void The_outlines_of_shapes_separate_inside_from_outside()
    {
        // The middle of each shape, in its own frame, is inside or a hole as its name says; far away is outside.
        bool[] solid = [true, true, true, true, true, false, false, false, true, true];
        for (int label = 0; label < 10; label++)
        {
            float At(float u, float v) => ShapeField.Distance(label, Vector256.Create(u), Vector256.Create(v))[0];
            using (Assert.EnterMultipleScope())
            {
                Assert.That(At(0.05f, 0), solid[label] ? Is.Negative : Is.Positive, ShapeField.Names[label]);
                Assert.That(At(1.5f, 1.5f), Is.Positive, ShapeField.Names[label]);
                Assert.That(At(-1.5f, 1.5f), Is.Positive, ShapeField.Names[label]);
            }
        }
    }

    [Test]
    public void Reading_a_shape_outside_the_dataset_is_refused() =>
        Assert.That(() => new ShapesDataset(10, 16, 16, 1).Read(10, new byte[768]), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static int Distance(byte[] a, byte[] b)
    {
        int sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
