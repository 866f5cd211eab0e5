using Asni.Devices;

namespace Asni.Tests.Reference;

internal sealed class ReferenceLoss(int batch, int classes, float labelSmoothing) : LossOperation(batch, classes, labelSmoothing)
{
    private LossSums _sums;

    public override void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of, in SoftTargets? soft)
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

            if (soft is { } given)
            {
                double t = given.Temperature, a = given.Weight;
                double[] own = Softmax(scores, t), taught = Softmax(ReferenceBuffer.Doubles(given.Logits).Slice(n * Classes, Classes).ToArray(), t);
                loss = (1 - a) * loss + a * t * t * Enumerable.Range(0, Classes).Sum(k => taught[k] == 0 ? 0 : taught[k] * Math.Log(taught[k] / own[k]));
                for (int k = 0; k < Classes && dlogits is { } gradient; k++)
                {
                    ref double d = ref ReferenceBuffer.Doubles(gradient)[n * Classes + k];
                    d = (1 - a) * d + a * t * (own[k] - taught[k]) / of;
                }
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

    private static double[] Softmax(double[] logits, double temperature)
    {
        double max = logits.Max(), sum = logits.Sum(z => Math.Exp((z - max) / temperature));
        return [.. logits.Select(z => Math.Exp((z - max) / temperature) / sum)];
    }

    public override LossSums Read() => _sums;

    public override void Set(in LossSums sums) => _sums = sums;
}
