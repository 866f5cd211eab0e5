using Asni.Cpu;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

public class LossTests
{
    [Test]
    public void Loss_gradient_and_counts_agree_with_the_definition([Values(1, 2)] int threads, [Values(1, 10, 1000)] int classes,
        [Values(0f, 0.1f)] float smoothing, [Values(1, 7)] int batch)
    {
        using var device = new CpuDevice(threads);
        using LossOperation loss = device.CreateLoss(8, classes, smoothing);
        float[] logits = CpuTest.Random((long)batch * classes, 1, 3);
        int[] labels = Enumerable.Range(0, batch).Select(n => n * 37 % classes).ToArray();
        (DeviceTensor x, DeviceBuffer buffer) = Upload(device, logits, labels, classes);
        DeviceTensor dx = CpuTest.Tensor(device, batch, new Chw(classes, 1, 1));
        loss.Run(x, buffer, dx);
        loss.Run(x, buffer, null);
        double total = 0;
        int top1 = 0, top5 = 0;
        var expected = new double[logits.Length];
        for (int n = 0; n < batch; n++)
        {
            double[] row = logits.Skip(n * classes).Take(classes).Select(v => (double)v).ToArray();
            double max = row.Max(), normalizer = max + Math.Log(row.Sum(v => Math.Exp(v - max)));
            for (int c = 0; c < classes; c++)
            {
                double target = smoothing / (double)classes + (c == labels[n] ? 1 - (double)smoothing : 0);
                total -= target * (row[c] - normalizer);
                expected[n * classes + c] = (Math.Exp(row[c] - normalizer) - target) / batch;
            }
            int rank = row.Count(v => v > row[labels[n]]);
            if (rank < 1) top1++;
            if (rank < 5) top5++;
        }
        CpuTest.AssertClose(CpuTest.Read(device, dx), expected, 1e-5, 1e-7, "dlogits");
        LossSums sums = loss.ReadAndReset();
        Assert.That(sums.Loss, Is.EqualTo(2 * total).Within(1e-9).Percent);
        Assert.That((sums.Top1, sums.Top5, sums.Samples), Is.EqualTo((2L * top1, 2L * top5, 2L * batch)));
        Assert.That(loss.ReadAndReset(), Is.EqualTo(default(LossSums)));
    }

    [TestCase(0, 1, 1)]
    [TestCase(1, 0, 1)]
    [TestCase(4, 0, 1)]
    [TestCase(5, 0, 0)]
    public void Ties_rank_by_class(int label, int top1, int top5)
    {
        LossSums sums = RunOne(new float[8], label);
        Assert.That((sums.Top1, sums.Top5), Is.EqualTo(((long)top1, (long)top5)));
    }

    [Test]
    public void A_NaN_logit_makes_the_loss_NaN_and_the_sample_wrong([Values(0, 3, 7)] int place)
    {
        var logits = new float[8];
        logits[place] = float.NaN;
        LossSums sums = RunOne(logits, 3);
        Assert.That(sums.Loss, Is.NaN);
        Assert.That((sums.Top1, sums.Top5, sums.Samples), Is.EqualTo((0L, 0L, 1L)));
    }

    [Test]
    public void Huge_logits_do_not_overflow() => Assert.That(RunOne([1e30f, -1e30f, 0], 0).Loss, Is.Zero);

    [TestCase(-1)]
    [TestCase(8)]
    public void A_label_outside_the_classes_is_refused(int label) =>
        Assert.That(() => RunOne(new float[8], label), Throws.TypeOf<AsniException>().With.Message.Contains($"label {label}"));

    private static LossSums RunOne(float[] logits, int label)
    {
        using var device = new CpuDevice(1);
        using LossOperation loss = device.CreateLoss(1, logits.Length, 0);
        (DeviceTensor x, DeviceBuffer labels) = Upload(device, logits, [label], logits.Length);
        loss.Run(x, labels, null);
        return loss.ReadAndReset();
    }

    private static (DeviceTensor Logits, DeviceBuffer Labels) Upload(CpuDevice device, float[] logits, int[] labels, int classes)
    {
        DeviceBuffer buffer = device.Allocate(labels.Length * sizeof(int));
        device.UploadLabels(labels, buffer);
        return (CpuTest.Tensor(device, labels.Length, new Chw(classes, 1, 1), logits), buffer);
    }
}
