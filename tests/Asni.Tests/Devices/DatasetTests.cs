using Asni.Data;
using Asni.Devices;
using Asni.Tensors;
using Asni.Tests.Data;

namespace Asni.Tests.Devices;

/// <summary>Batches that a device makes of a dataset within its reach, against those that are made here and uploaded.</summary>
public class DatasetTests
{
    private const int Count = 37, BatchSize = 10;

    private static IEnumerable<TestCaseData> Cases() =>
        from device in DeviceCase.All
        from shape in new[] { new Chw(1, 28, 28), new Chw(3, 9, 7), new Chw(2, 5, 6), new Chw(1, 5, 3) }
        from augmentation in new[] { Augmentation.None, new Augmentation(3, true) }
        select new TestCaseData(device, shape, augmentation).SetArgDisplayNames(device.ToString()!, shape.ToString(), augmentation == Augmentation.None ? "plain" : "moved");

    [TestCaseSource(nameof(Cases))]
    public void Batches_and_labels_are_those_of_the_loader(DeviceCase on, Chw shape, Augmentation augmentation)
    {
        var data = new PaintedDataset(shape);
        using Device device = on.Create();
        using DeviceDataset resident = device.CreateDataset(data.Pixels, [.. Enumerable.Range(0, Count).Select(data.GetLabel)], shape, data.Normalization)!;
        using DeviceBuffer memory = device.Allocate(2 * device.ActivationBytes(BatchSize, shape) + 512), labels = device.Allocate(BatchSize * sizeof(int));
        using LossOperation loss = device.CreateLoss(BatchSize, data.Classes, 0);
        using DeviceBuffer logits = device.Allocate(device.ActivationBytes(BatchSize, new Chw(data.Classes, 1, 1)));
        var order = new SampleOrder(Count, augmentation, shuffle: true, seed: 5);
        var loader = new BatchLoader(data, BatchSize, augmentation, shuffle: true, seed: 5);
        for (int epoch = 0; epoch < 2; epoch++)
        {
            resident.SetOrder(order.Epoch(epoch));
            int first = 0;
            foreach (Batch batch in loader.Epoch(epoch))
            {
                int count = batch.Count;
                var made = new DeviceTensor(memory, 0, count, shape);
                resident.Load(first, made, labels);
                var expected = new float[count * shape.Elements];
                for (int i = 0; i < count; i++)
                    data.Normalization.Apply(batch.Pixels.AsSpan(i * shape.Elements, shape.Elements), expected.AsSpan(i * shape.Elements, shape.Elements));
                var actual = new float[expected.Length];
                device.Download(made, actual);
                float rounding = on.ToString()!.Contains("bf16", StringComparison.Ordinal) ? 1e-2f : 1e-5f;
                Assert.That(actual, Is.EqualTo(expected).Within(rounding), $"epoch {epoch}, sample {first}");
                AssertLabels(device, loss, new DeviceTensor(logits, 0, count, new Chw(data.Classes, 1, 1)), labels, batch);
                first += count;
            }
        }
    }

    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Orders_of_images_that_are_not_there_are_refused(DeviceCase on)
    {
        using Device device = on.Create();
        var data = new PaintedDataset(new Chw(1, 2, 2));
        using DeviceDataset resident = device.CreateDataset(data.Pixels, new int[Count], data.Shape, data.Normalization)!;
        foreach (int index in new[] { -1, Count })
            Assert.That(() => resident.SetOrder([new SampleDraw(index, 0, 0, false)]), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    /// <summary>Logits that are largest at the expected class: every sample counts as right.</summary>
    private static void AssertLabels(Device device, LossOperation loss, DeviceTensor logits, DeviceBuffer labels, Batch batch)
    {
        var values = new float[logits.Elements];
        for (int i = 0; i < batch.Count; i++) values[i * logits.Shape.Channels + batch.Labels[i]] = 5;
        device.Upload(values, logits);
        loss.Run(logits, labels, null);
        Assert.That(loss.ReadAndReset().Top1, Is.EqualTo(batch.Count));
    }

    private sealed class PaintedDataset(Chw shape) : Dataset
    {
        private readonly byte[] _pixels = DataFiles.Bytes(DatasetTests.Count * shape.Elements, i => (int)(i * 2654435761L >> 7));

        public override string Name => "painted";
        public override int Count => DatasetTests.Count;
        public override int Classes => 7;
        public override Chw Shape => shape;
        public override Normalization Normalization { get; } = new([.. Enumerable.Range(0, shape.Channels).Select(c => 0.3f + 0.1f * c)], [.. Enumerable.Range(0, shape.Channels).Select(c => 0.2f + 0.05f * c)]);
        public override ReadOnlyMemory<byte> Pixels => _pixels;
        public override int GetLabel(int index) => index * 5 % 7;
        public override void Read(int index, Span<byte> chw) => _pixels.AsSpan(index * shape.Elements, shape.Elements).CopyTo(chw);
    }
}
