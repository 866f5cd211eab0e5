using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data;

public class BatchLoaderTests
{
    private static readonly Chw Shape = new(2, 6, 5);
    private static readonly Augmentation CropAndFlip = new(2, true);

    /// <summary>Labels and pixels of an epoch, copied.</summary>
    private static List<(int[] Labels, byte[] Pixels)> Run(BatchLoader loader, int epoch, int firstBatch = 0) =>
        [.. loader.Epoch(epoch, firstBatch).Select(b => (b.Labels[..b.Count], b.Pixels[..(b.Count * Shape.Elements)]))];

    private static void AssertSame(List<(int[] Labels, byte[] Pixels)> a, List<(int[] Labels, byte[] Pixels)> b)
    {
        Assert.That(a, Has.Count.EqualTo(b.Count));
        for (int i = 0; i < a.Count; i++)
        {
            Assert.That(a[i].Labels, Is.EqualTo(b[i].Labels), $"labels of batch {i}");
            Assert.That(a[i].Pixels, Is.EqualTo(b[i].Pixels), $"pixels of batch {i}");
        }
    }

    [Test]
    public void Without_shuffling_batches_follow_the_dataset_and_the_last_is_partial()
    {
        var loader = new BatchLoader(new CountingDataset(23, Shape), 10, shuffle: false);
        List<(int[] Labels, byte[] Pixels)> batches = Run(loader, 0);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(loader.BatchesPerEpoch, Is.EqualTo(3));
            Assert.That(batches.Select(b => b.Labels.Length), Is.EqualTo((int[])[10, 10, 3]));
            Assert.That(batches.SelectMany(b => b.Labels), Is.EqualTo(Enumerable.Range(0, 23)));
            Assert.That(batches[2].Pixels[Shape.Elements], Is.EqualTo((byte)(21 * 7 + 1)));
        }
    }

    [Test]
    public void Each_epoch_is_a_new_permutation_that_the_seed_repeats([Values] bool inMemory)
    {
        var data = new CountingDataset(101, Shape, inMemory);
        var loader = new BatchLoader(data, 10, seed: 5);
        int[] Order(BatchLoader from, int epoch) => [.. Run(from, epoch).SelectMany(b => b.Labels)];
        int[] first = Order(loader, 0), second = Order(loader, 1);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(first, Is.EquivalentTo(Enumerable.Range(0, 101)));
            Assert.That(second, Is.EquivalentTo(Enumerable.Range(0, 101)));
            Assert.That(first, Is.Not.EqualTo(second));
            Assert.That(Order(loader, 0), Is.EqualTo(first), "an epoch does not depend on those before it");
            Assert.That(Order(new BatchLoader(data, 10, seed: 6), 0), Is.Not.EqualTo(first));
        }
    }

    [Test]
    public void Worker_threads_change_nothing()
    {
        var reference = new BatchLoader(new CountingDataset(97, Shape), 8, CropAndFlip, seed: 3, workers: 1);
        var threaded = new BatchLoader(
            new CountingDataset(97, Shape, inMemory: false, onRead: i => Thread.SpinWait(i % 5 * 1000)), 8, CropAndFlip, seed: 3,
            workers: 4);
        AssertSame(Run(threaded, 2), Run(reference, 2));
    }

    [Test]
    public void Copies_are_made_in_place_and_everything_else_ahead()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(new BatchLoader(new CountingDataset(100, Shape), 10).FillsAhead, Is.False);
            Assert.That(new BatchLoader(new CountingDataset(100, Shape), 10, CropAndFlip).FillsAhead, Is.True);
            Assert.That(new BatchLoader(new CountingDataset(100, Shape, inMemory: false), 10).FillsAhead, Is.True);
        }
    }

    [Test]
    public void An_epoch_resumes_at_any_batch([Values(0, 1, 4, 10, 11)] int firstBatch, [Values] bool augmented)
    {
        var loader = new BatchLoader(new CountingDataset(101, Shape), 10, augmented ? CropAndFlip : default, seed: 9);
        AssertSame(Run(loader, 3, firstBatch), Run(loader, 3)[firstBatch..]);
    }

    [Test]
    public void Augmentation_of_an_image_does_not_depend_on_its_place_in_the_batch()
    {
        var data = new CountingDataset(40, Shape);
        Dictionary<int, string> ByLabel(int batch) => Run(new BatchLoader(data, batch, CropAndFlip, seed: 1), 4)
            .SelectMany(b => b.Labels.Select((l, i) => (l, Convert.ToHexString(b.Pixels, i * Shape.Elements, Shape.Elements))))
            .ToDictionary();
        Assert.That(ByLabel(7), Is.EquivalentTo(ByLabel(16)));
    }

    [Test]
    public void Augmentation_reaches_all_places_and_both_mirrors_and_changes_with_the_epoch()
    {
        var shape = new Chw(1, 3, 3);
        var data = new CountingDataset(500, shape);
        var loader = new BatchLoader(data, 500, new Augmentation(1, true), shuffle: false, seed: 1);
        byte[] pixels = [.. loader.Epoch(0).First().Pixels], source = new byte[9], expected = new byte[9];
        var seen = new HashSet<(int, int, bool)>();
        for (int i = 0; i < data.Count; i++)
        {
            data.Read(i, source);
            for (int variant = 0; variant < 18; variant++)
            {
                (int top, int left, bool flip) = (variant / 6 - 1, variant / 2 % 3 - 1, variant % 2 == 1);
                Augmenter.CropAndFlip(source, shape, top, left, flip, expected);
                if (pixels.AsSpan(9 * i, 9).SequenceEqual(expected)) seen.Add((top, left, flip));
            }
        }
        Assert.That(seen, Has.Count.EqualTo(18));
        Assert.That(loader.Epoch(1).First().Pixels, Is.Not.EqualTo(pixels));
    }

    [Test]
    public void Crop_and_flip_by_hand()
    {
        byte[] source = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19];
        var shape = new Chw(2, 3, 3);
        byte[] result = new byte[18];
        using (Assert.EnterMultipleScope())
        {
            Augmenter.CropAndFlip(source, shape, 0, 0, false, result);
            Assert.That(result, Is.EqualTo(source));
            Augmenter.CropAndFlip(source, shape, 1, -1, false, result);
            Assert.That(result, Is.EqualTo((byte[])[0, 4, 5, 0, 7, 8, 0, 0, 0, 0, 14, 15, 0, 17, 18, 0, 0, 0]));
            Augmenter.CropAndFlip(source, shape, -1, 1, true, result);
            Assert.That(result, Is.EqualTo((byte[])[0, 0, 0, 0, 3, 2, 0, 6, 5, 0, 0, 0, 0, 13, 12, 0, 16, 15]));
            Augmenter.CropAndFlip(source, shape, 0, 4, false, result);
            Assert.That(result, Is.All.Zero);
        }
    }

    [Test]
    public void Leaving_early_stops_the_threads_and_the_loader_goes_on_working()
    {
        int reads = 0;
        var data = new CountingDataset(1000, Shape, inMemory: false, onRead: _ => Interlocked.Increment(ref reads));
        var loader = new BatchLoader(data, 10, workers: 2);
        foreach (Batch _ in loader.Epoch(0)) break;
        int after = reads;
        Assert.That(after, Is.LessThanOrEqualTo(70), "no more than the ring and what the workers held");
        Thread.Sleep(20);
        Assert.That(reads, Is.EqualTo(after), "nothing reads after the loop was left");
        Assert.That(Run(loader, 1).Sum(b => b.Labels.Length), Is.EqualTo(1000));
    }

    [Test]
    public void Two_epochs_at_a_time_are_refused()
    {
        var loader = new BatchLoader(new CountingDataset(100, Shape), 10);
        using IEnumerator<Batch> first = loader.Epoch(0).GetEnumerator();
        first.MoveNext();
        Assert.That(() => loader.Epoch(1).First(), Throws.InvalidOperationException);
    }

    [Test]
    public void A_failed_read_surfaces_at_its_batch_and_stops_the_threads()
    {
        var data = new CountingDataset(100, Shape, inMemory: false, onRead: i =>
        {
            if (i == 35) throw new IOException("the disk went away");
        });
        var loader = new BatchLoader(data, 10, shuffle: false, workers: 2);
        int given = 0;
        Assert.That(() =>
        {
            foreach (Batch _ in loader.Epoch(0)) given++;
        }, Throws.TypeOf<AsniException>().With.Message.Contains("the disk went away"));
        Assert.That(given, Is.EqualTo(3));
    }

    [Test]
    public void A_step_allocates_nothing([Values] bool ahead)
    {
        var loader = new BatchLoader(new CountingDataset(2000, Shape, inMemory: !ahead), 10);
        foreach (Batch _ in loader.Epoch(0)) { }
        using IEnumerator<Batch> epoch = loader.Epoch(1).GetEnumerator();
        for (int i = 0; i < 10; i++) epoch.MoveNext();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 150; i++) epoch.MoveNext();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void A_batch_larger_than_the_dataset_is_one_batch()
    {
        var loader = new BatchLoader(new CountingDataset(7, Shape), 100, CropAndFlip);
        Assert.That(loader.Epoch(0).Select(b => b.Count), Is.EqualTo((int[])[7]));
    }

    [Test]
    public void Bad_arguments_are_refused()
    {
        var data = new CountingDataset(7, Shape);
        Assert.That(() => new BatchLoader(data, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new BatchLoader(data, 2).Epoch(0, 5), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
