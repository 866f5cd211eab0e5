using Asni.Devices;

namespace Asni.Tests.Reference;

internal sealed class ReferenceLoss(int batch, int classes, float labelSmoothing) : LossOperation(batch, classes, labelSmoothing)
{
    private LossSums _sums;

    public override void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of)
    {
        for (int n = 0; n < logits.Batch; n++)
        {
            double[] scores = ReferenceBuffer.Doubles(logits).Slice(n * Classes, Classes).ToArray();
            int label = ReferenceBuffer.Integers(labels)[n];
            double max = scores.Max();
            double logOfSum = max + Math.Log(scores.Sum(s => Math.Exp(s - max)));

            double loss = 0;
            for (int k = 0; k < Classes; k++)
            {
                double target = (1.0 - LabelSmoothing) * (k == label ? 1 : 0) + (double)LabelSmoothing / Classes;
                loss -= target * (scores[k] - logOfSum);
                if (dlogits is { } gradient)
                    ReferenceBuffer.Doubles(gradient)[n * Classes + k] = (Math.Exp(scores[k] - logOfSum) - target) / of;
            }

            bool valid = !scores.Any(double.IsNaN);
            int ahead = scores.Where((s, k) => s > scores[label] || (s == scores[label] && k < label)).Count();
            _sums = new LossSums(
                _sums.Loss + (valid ? loss : double.NaN),
                _sums.Top1 + (valid && ahead < 1 ? 1 : 0),
                _sums.Top5 + (valid && ahead < 5 ? 1 : 0),
                _sums.Samples + 1);
        }
    }

    public override LossSums Read() => _sums;

    public override void Set(in LossSums sums) => _sums = sums;
}
