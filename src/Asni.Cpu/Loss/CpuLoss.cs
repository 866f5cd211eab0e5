using Asni.Devices;

namespace Asni.Cpu;

/// <summary>Softmax cross-entropy, a sample after the other, in double.</summary>
internal sealed unsafe class CpuLoss(int batch, int classes, float labelSmoothing, Workers workers) : LossOperation(batch, classes, labelSmoothing)
{
    private readonly LossSums[] _partial = new LossSums[workers.Count];
    private LossSums _sums;

    public override void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of)
    {
        int samples = logits.Batch;
        int* classOf = (int*)((CpuBuffer)labels).Pointer;
        RequireLabels(classOf, samples);
        Array.Clear(_partial);
        float* gradient = dlogits is { } d ? CpuBuffer.Floats(d) : null;
        var body = new Body(CpuBuffer.Floats(logits), classOf, samples, of, Classes, LabelSmoothing, gradient, _partial);
        workers.RunSized((long)samples * Classes * ElementCost, ref body);
        // By themselves first: the batch's sums are the same wherever it is computed.
        LossSums sums = default;
        foreach (LossSums part in _partial) sums += part;
        _sums += sums;
    }

    public override bool IsAtHand => true;

    public override LossSums Read() => _sums;

    public override void Set(in LossSums sums) => _sums = sums;

    /// <summary>An exponential in double takes about as long as this many floats of a memory-bound pass.</summary>
    private const int ElementCost = 16;

    private void RequireLabels(int* labels, int samples)
    {
        for (int n = 0; n < samples; n++)
            if ((uint)labels[n] >= (uint)Classes)
                throw new AsniException($"sample {n} of the batch has label {labels[n]}, expected 0 to {Classes - 1}; " +
                    "use a network with as many classes as the dataset has");
    }

    private readonly struct Body(float* logits, int* labels, int samples, int of, int classes, float smoothing, float* gradient, LossSums[] partial)
        : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            (long n, long end) = Partition.Range(samples, worker, workers);
            LossSums sums = default;
            for (; n < end; n++)
                sums += Sample(logits + n * classes, labels[n], gradient == null ? null : gradient + n * classes);
            partial[worker] = sums;
        }

        private LossSums Sample(float* x, int label, float* dx)
        {
            float max = x[0], own = x[label];
            int exceeding = 0;
            bool nan = false;
            double sum = 0;
            for (int c = 0; c < classes; c++)
            {
                max = MathF.Max(max, x[c]);
                nan |= float.IsNaN(x[c]);
                sum += x[c];
                if (x[c] > own || (x[c] == own && c < label)) exceeding++;
            }
            double exponentials = 0;
            for (int c = 0; c < classes; c++)
            {
                double e = Math.Exp((double)x[c] - max);
                exponentials += e;
                // Kept for the gradient: an exponential costs more than all the rest.
                if (dx != null) dx[c] = (float)e;
            }
            double loss = Math.Log(exponentials) + max - (1 - (double)smoothing) * own;
            if (smoothing != 0) loss -= smoothing * sum / classes;
            if (dx != null) Differentiate(label, exponentials, dx);
            return new LossSums(loss, !nan && exceeding < 1 ? 1 : 0, !nan && exceeding < 5 ? 1 : 0, 1);
        }

        /// <summary>Below this a gradient moves no weight, but its products on the way back are denormal numbers, and those are slow.</summary>
        private const double NegligibleGradient = 1e-25;

        /// <param name="dx">Holds the exponentials.</param>
        private void Differentiate(int label, double exponentials, float* dx)
        {
            double target = (double)smoothing / classes, mean = 1.0 / of;
            for (int c = 0; c < classes; c++)
            {
                double p = dx[c] / exponentials;
                double d = (p - target - (c == label ? 1 - (double)smoothing : 0)) * mean;
                dx[c] = Math.Abs(d) < NegligibleGradient ? 0 : (float)d;
            }
        }
    }
}
