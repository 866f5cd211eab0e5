using Asni.Devices;

namespace Asni.Cpu;

/// <summary>Softmax cross-entropy, with soft targets of a teacher or without, a sample after the other, in double.</summary>
internal sealed unsafe class CpuLoss(int batch, int classes, float labelSmoothing, Workers workers) : LossOperation(batch, classes, labelSmoothing)
{
    private readonly LossSums[] _partial = new LossSums[workers.Count];
    private LossSums _sums;

    public override void Run(DeviceTensor logits, DeviceBuffer labels, DeviceTensor? dlogits, int of, in SoftTargets? soft)
    {
        int samples = logits.Batch;
        int* classOf = (int*)((CpuBuffer)labels).Pointer;
        RequireLabels(classOf, samples);
        Array.Clear(_partial);
        float* gradient = dlogits is { } d ? CpuBuffer.Floats(d) : null;
        Soft targets = soft is { } s ? new Soft(CpuBuffer.Floats(s.Logits), s.Temperature, s.Weight) : default;
        var body = new Body(CpuBuffer.Floats(logits), classOf, samples, of, Classes, LabelSmoothing, targets, gradient, _partial);
        workers.RunSized((long)samples * Classes * ElementCost * (soft is null ? 1 : 3), ref body);
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

    /// <param name="Logits">Of the teacher; 0: there is none.</param>
    private readonly record struct Soft(nint Logits, double Temperature, double Weight)
    {
        public Soft(float* logits, double temperature, double weight) : this((nint)logits, temperature, weight) { }

        public float* Of(long n, int classes) => (float*)Logits + n * classes;
    }

    private readonly struct Body(float* logits, int* labels, int samples, int of, int classes, float smoothing, Soft soft, float* gradient, LossSums[] partial)
        : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            (long n, long end) = Partition.Range(samples, worker, workers);
            LossSums sums = default;
            for (; n < end; n++)
            {
                float* x = logits + n * classes, dx = gradient == null ? null : gradient + n * classes;
                LossSums sample = Sample(x, labels[n], dx);
                sums += soft.Logits == 0 ? sample : sample with { Loss = (1 - soft.Weight) * sample.Loss + Learn(x, soft.Of(n, classes), dx) };
            }
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

        /// <summary>Of the share of the loss that is the teacher's; adds its gradient to what labels have left.</summary>
        private double Learn(float* x, float* teacher, float* dx)
        {
            double t = soft.Temperature, own = LogOfSum(x), others = LogOfSum(teacher), divergence = 0, mean = 1.0 / of;
            for (int c = 0; c < classes; c++)
            {
                double log = x[c] / t - own, target = teacher[c] / t - others, q = Math.Exp(target);
                // A target of 0 costs nothing, however little the network expects it.
                if (q != 0) divergence += q * (target - log);
                if (dx == null) continue;
                double d = (1 - soft.Weight) * dx[c] + soft.Weight * t * (Math.Exp(log) - q) * mean;
                dx[c] = Math.Abs(d) < NegligibleGradient ? 0 : (float)d;
            }
            return soft.Weight * t * t * divergence;
        }

        /// <summary>log sum exp(x / T).</summary>
        private double LogOfSum(float* x)
        {
            double max = x[0], sum = 0;
            for (int c = 1; c < classes; c++) max = Math.Max(max, x[c]);
            for (int c = 0; c < classes; c++) sum += Math.Exp((x[c] - max) / soft.Temperature);
            return max / soft.Temperature + Math.Log(sum);
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
