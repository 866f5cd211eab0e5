using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class LossTests(DeviceCase device) : DeviceTests
{
    [Test]
    public void Loss_counts_and_gradient_agree_with_the_reference(
        [Values(2, 3, 10, 17, 100, 1000)] int classes, [Values(0f, 0.1f)] float smoothing, [Values(1, 3, 60)] int batch) =>
        AssertAgrees(batch, classes, smoothing, Values.Random(1, (long)batch * classes, 5));

    [Test]
    public void Equal_logits_count_as_ahead_when_their_class_index_is_lower()
    {
        float[] levels = [.. Values.Random(1, 60 * 17, 3).Select(v => MathF.Round(v))];
        AssertAgrees(60, 17, 0, levels);
        AssertAgrees(60, 10, 0, Values.Constant(600, 1));
    }

    [Test]
    public void Top_1_and_top_5_of_hand_written_logits()
    {
        using Workbench bench = device.Open();
        float[] row = [3, 9, 3, 5, 4, 3, 1];
        // Class 0 is third to fifth among equals: 9, 5, 4 and then the 3 of class 0 itself; class 2 is fifth, class 5 sixth.
        DeviceTensor logits = bench.Tensor(4, new Chw(7, 1, 1), [.. row, .. row, .. row, .. row]);
        LossOperation loss = bench.Own(bench.Device.CreateLoss(4, 7, 0));
        loss.Run(logits, bench.Labels(1, 0, 2, 5), null);
        LossSums sums = loss.ReadAndReset();
        Assert.That((sums.Top1, sums.Top5, sums.Samples), Is.EqualTo((1L, 3L, 4L)));
    }

    [Test]
    public void Sums_grow_over_batches_and_a_read_resets_them()
    {
        using Workbench bench = device.Open();
        var shape = new Chw(10, 1, 1);
        DeviceTensor logits = bench.Tensor(5, shape, Values.Constant(50, 2));
        DeviceBuffer labels = bench.Labels(0, 1, 2, 3, 4);
        LossOperation loss = bench.Own(bench.Device.CreateLoss(5, 10, 0));
        loss.Run(logits, labels, null);
        loss.Run(logits.WithBatch(2), labels, null);
        LossSums sums = loss.ReadAndReset();
        Assert.That(sums.Loss, Is.EqualTo(7 * Math.Log(10)).Within(1e-5));
        Assert.That((sums.Top1, sums.Top5, sums.Samples), Is.EqualTo((2L, 7L, 7L)));
        Assert.That(loss.ReadAndReset(), Is.EqualTo(default(LossSums)));
    }

    [Test]
    public void Huge_logits_do_not_overflow() => AssertAgrees(3, 10, 0.1f, Values.Random(1, 30, 1e4f));

    [Test]
    public void A_NaN_logit_makes_the_loss_NaN_and_its_sample_wrong([Values(0, 3, 16)] int place)
    {
        using Workbench bench = device.Open();
        float[] values = Values.Constant(3 * 17, 0);
        for (int n = 0; n < 3; n++) values[n * 17 + 3] = 1;
        values[17 + place] = float.NaN;
        DeviceTensor logits = bench.Tensor(3, new Chw(17, 1, 1), values);
        LossOperation loss = bench.Own(bench.Device.CreateLoss(3, 17, 0.1f));
        loss.Run(logits, bench.Labels(3, 3, 3), null);
        LossSums sums = loss.ReadAndReset();
        Assert.That(sums.Loss, Is.NaN);
        Assert.That((sums.Top1, sums.Top5, sums.Samples), Is.EqualTo((2L, 2L, 3L)));
    }

    [Test]
    public void Soft_targets_agree_with_the_reference([Values(2, 10, 17, 100, 1000)] int classes, [Values(0f, 0.1f)] float smoothing, [Values(1, 4f)] float temperature, [Values(0, 0.3f, 1)] float weight) =>
        AssertAgrees(3, classes, smoothing, Values.Random(1, 3L * classes, 5), (Values.Random(2, 3L * classes, 5), temperature, weight));

    [Test]
    public void Huge_soft_targets_do_not_overflow() => AssertAgrees(3, 10, 0, Values.Random(1, 30, 20), (Values.Random(2, 30, 1e4f), 2, 0.5f));

    /// <summary>PyTorch: (1 - a) cross_entropy(z, y) + a T^2 kl_div(log_softmax(z / T), softmax(t / T), "batchmean") with T 4 and a 0.7, times 2, and its gradient.</summary>
    [Test]
    public void Soft_targets_are_those_of_pytorch()
    {
        using Workbench bench = device.Open();
        var shape = new Chw(3, 1, 1);
        LossOperation loss = bench.Own(bench.Device.CreateLoss(2, 3, 0));
        DeviceTensor dlogits = bench.Unwritten(2, shape);
        loss.Run(bench.Tensor(2, shape, [1, 2, -1, 0.5f, 0, 3]), bench.Labels(1, 2), dlogits, 2, new SoftTargets(bench.Tensor(2, shape, [3, -1, 0, 0, 2, 2]), 4, 0.7f));
        Assert.That(loss.Read().Loss, Is.EqualTo(2.3062973).Within(2e-6));
        Outputs.AssertClose([-0.2375074f, 0.2978364f, -0.0603288f, 0.0583624f, -0.2011141f, 0.1427518f], bench.Read(dlogits), 1e-6, 0, "dlogits");
    }

    private void AssertAgrees(int batch, int classes, float smoothing, float[] logits, (float[] Logits, float Temperature, float Weight)? teacher = null)
    {
        string context = $"{batch} x {classes}, smoothing {smoothing}";
        foreach (int prepared in (int[])[batch, batch + 3])
        {
            (LossSums expected, float[] wanted) = Run(DeviceCase.OpenReference(), prepared, batch, classes, smoothing, logits, teacher);
            (LossSums actual, float[] gradient) = Run(device.Open(), prepared, batch, classes, smoothing, logits, teacher);
            // Single-precision exp and log; the loss is a sum over the batch.
            Assert.That(actual.Loss, Is.EqualTo(expected.Loss).Within(1e-5 * batch + 1e-6 * Math.Abs(expected.Loss)), context);
            Assert.That((actual.Top1, actual.Top5, actual.Samples), Is.EqualTo((expected.Top1, expected.Top5, expected.Samples)), context);
            Outputs.AssertClose(wanted, gradient, 1e-6 / batch, 1e-5, context + ": dlogits");
        }
    }

    private static (LossSums Sums, float[] Gradient) Run(Workbench bench, int prepared, int batch, int classes, float smoothing,
        float[] logits, (float[] Logits, float Temperature, float Weight)? teacher)
    {
        using Workbench _ = bench;
        var shape = new Chw(classes, 1, 1);
        int[] labels = [.. Enumerable.Range(0, batch).Select(n => (7 * n + 3) % classes)];
        LossOperation loss = bench.Own(bench.Device.CreateLoss(prepared, classes, smoothing));
        DeviceTensor dlogits = bench.Unwritten(batch, shape);
        SoftTargets? soft = teacher is { } t ? new SoftTargets(bench.Tensor(batch, shape, t.Logits), t.Temperature, t.Weight) : null;
        loss.Run(bench.Tensor(batch, shape, logits), bench.Labels(labels), dlogits, batch, soft);
        return (loss.ReadAndReset(), bench.Read(dlogits));
    }
}
