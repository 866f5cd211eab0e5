using Asni.Devices;

namespace Asni.Cpu;

/// <summary>
/// Batch-norm in two passes each way: sums, then apply. A pass runs forwards and the next one backwards, so that what the first left
/// in the caches is what the second begins with. Sums are taken in float over a block, in double over the blocks; forward they are
/// of x minus the first position's value, which keeps the variance from cancelling when the mean is large beside the deviation.
/// </summary>
internal sealed unsafe class CpuBatchNorm : BatchNormOperation
{
    /// <summary>Parts of the rows whose sums are queued, a worker.</summary>
    private const int PartsOfWorker = 4;

    private readonly Workers _workers;
    private readonly ChannelRows _rows;
    private readonly CpuBuffer _scratch;

    /// <summary>Per-lane coefficients, one row each; their meaning is the kernels'.</summary>
    private readonly float* _mean, _scale, _offset, _slope, _outputScale, _outputOffset;

    /// <summary>Two rows of floats a worker (a block's sums), two rows of doubles a part.</summary>
    private readonly float* _blockSums;
    private readonly double* _sums;
    private readonly double* _batchMean, _batchDeviation;

    /// <summary>The statistics of the last forward pass are the batch's, which hang on x.</summary>
    private bool _ofBatch;

    public CpuBatchNorm(BatchNormSpec spec, Workers workers) : base(spec)
    {
        _workers = workers;
        _rows = new ChannelRows(spec.Shape.Channels);
        long row = _rows.Width;
        _scratch = new CpuBuffer(sizeof(float) * row * (6 + 2 * workers.Count) + sizeof(double) * row * (2 + 2 * PartsOfWorker * workers.Count));
        _sums = (double*)_scratch.Pointer;
        _batchMean = _sums + 2 * row * PartsOfWorker * workers.Count;
        _batchDeviation = _batchMean + row;
        _mean = (float*)(_batchDeviation + row);
        _scale = _mean + row;
        _offset = _scale + row;
        _slope = _offset + row;
        _outputScale = _slope + row;
        _outputOffset = _outputScale + row;
        _blockSums = _outputOffset + row;
    }

    public override void ForwardTraining(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = true;
        float* input = CpuBuffer.Floats(x);
        int channels = _rows.Channels;
        for (int i = 0; i < _rows.Width; i++) _mean[i] = input[i % channels];
        int parts = RunSums<Identity>(true, input, default, input, x.Elements);

        float* runningMean = CpuBuffer.Floats(p.RunningMean), runningVariance = CpuBuffer.Floats(p.RunningVariance);
        double count = (double)x.Batch * x.Shape.Positions, momentum = Spec.Momentum;
        for (int c = 0; c < channels; c++)
        {
            (double sum, double squares) = Total(c, parts);
            double shifted = sum / count, mean = _mean[c] + shifted, variance = Math.Max(0, squares / count - shifted * shifted);
            _batchMean[c] = mean;
            _batchDeviation[c] = 1 / Math.Sqrt(variance + Spec.Epsilon);
            // The unbiased variance of a single value does not exist; it counts as 0.
            double unbiased = variance * count / Math.Max(1, count - 1);
            runningMean[c] = (float)((1 - momentum) * runningMean[c] + momentum * mean);
            runningVariance[c] = (float)((1 - momentum) * runningVariance[c] + momentum * unbiased);
        }
        Apply(x, p, skip, y);
    }

    public override void ForwardInference(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = false;
        float* runningMean = CpuBuffer.Floats(p.RunningMean), runningVariance = CpuBuffer.Floats(p.RunningVariance);
        for (int c = 0; c < _rows.Channels; c++)
        {
            _batchMean[c] = runningMean[c];
            _batchDeviation[c] = 1 / Math.Sqrt((double)runningVariance[c] + Spec.Epsilon);
        }
        Apply(x, p, skip, y);
    }

    public override void Backward(DeviceTensor x, DeviceTensor y, DeviceTensor dy, ParameterTensor w, ParameterTensor dw, ParameterTensor db,
        bool accumulateSkip, DeviceTensor? dSkip, DeviceTensor dx)
    {
        float* input = CpuBuffer.Floats(x), gradient = CpuBuffer.Floats(dy);
        var output = new BatchNormOutput(Spec.Add ? CpuBuffer.Floats(y) : null, _outputScale, _outputOffset);
        int channels = _rows.Channels;
        for (int i = 0; i < _rows.Width; i++) _mean[i] = (float)_batchMean[i % channels];
        var sums = new ProductSums(this, input, output, gradient, x.Elements);
        Activations.Fused(Spec.Activation, ref sums);
        int parts = sums.Parts;
        float* weight = CpuBuffer.Floats(w), dWeight = CpuBuffer.Floats(dw), dBias = CpuBuffer.Floats(db);
        double count = (double)x.Batch * x.Shape.Positions;
        for (int c = 0; c < channels; c++)
        {
            // With z the normalized x and g the gradient behind the activation: dx = w / std * (g - mean(g) - z * mean(g * z)), or w / std * g.
            (double sum, double products) = Total(c, parts);
            products += sum * (_mean[c] - _batchMean[c]);
            double dWeightHere = products * _batchDeviation[c], scale = weight[c] * _batchDeviation[c];
            dWeight[c] = (float)dWeightHere;
            dBias[c] = (float)sum;
            _scale[c] = (float)scale;
            _slope[c] = _ofBatch ? (float)(-scale * _batchDeviation[c] * dWeightHere / count) : 0;
            _offset[c] = _ofBatch ? (float)(-scale * sum / count) : 0;
        }
        Repeat(_scale);
        Repeat(_slope);
        Repeat(_offset);
        float* skipGradient = dSkip is { } s ? CpuBuffer.Floats(s) : null;
        var body = new BatchNormBackward(_rows, _workers.Queue(_rows.Blocks(x.Elements), descending: true), input, output, gradient, x.Elements, Spec.Activation, _mean, _scale, _slope, _offset,
            accumulateSkip, skipGradient, CpuBuffer.Floats(dx));
        _workers.Vectorize(x.Elements, body);
    }

    public override void Dispose()
    {
        _scratch.Dispose();
        base.Dispose();
    }

    private void Apply(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        float* weight = CpuBuffer.Floats(p.Weight), bias = CpuBuffer.Floats(p.Bias);
        for (int c = 0; c < _rows.Channels; c++)
        {
            // (x - float(mean)) * scale + offset: the mean's rounding goes to the offset.
            double scale = weight[c] * _batchDeviation[c];
            _mean[c] = (float)_batchMean[c];
            _outputScale[c] = (float)scale;
            _outputOffset[c] = (float)(bias[c] + (_mean[c] - _batchMean[c]) * scale);
        }
        Repeat(_mean);
        Repeat(_outputScale);
        Repeat(_outputOffset);
        float* residual = skip is { } s ? CpuBuffer.Floats(s) : null;
        var body = new BatchNormApply(_rows, _workers.Queue(_rows.Blocks(x.Elements), descending: true), CpuBuffer.Floats(x), residual, x.Elements, Spec.Activation, _mean, _outputScale, _outputOffset, CpuBuffer.Floats(y));
        _workers.Vectorize(x.Elements, body);
    }

    /// <summary>Runs the pass of sums; returns in how many parts.</summary>
    private int RunSums<A>(bool squares, float* x, BatchNormOutput y, float* g, long elements) where A : struct, IActivation
    {
        int parts = elements < WorkersExtensions.SmallestParallel ? 1 : PartsOfWorker * _workers.Count;
        WorkQueue queue = _workers.Queue(parts);
        if (squares) _workers.Vectorize(elements, new BatchNormSums<A, Square>(_rows, queue, parts, x, y, g, elements, _mean, _blockSums, _sums));
        else _workers.Vectorize(elements, new BatchNormSums<A, GradientProduct>(_rows, queue, parts, x, y, g, elements, _mean, _blockSums, _sums));
        return parts;
    }

    private struct ProductSums(CpuBatchNorm norm, float* x, BatchNormOutput y, float* g, long elements) : IActivationCall
    {
        public int Parts;

        public void Run<A>() where A : struct, IActivation => Parts = norm.RunSums<A>(false, x, y, g, elements);
    }

    /// <summary>Both sums of a channel over lanes and parts, always in the same order.</summary>
    private (double First, double Second) Total(int channel, int parts)
    {
        double first = 0, second = 0;
        for (int part = 0; part < parts; part++)
        {
            double* sums = _sums + 2L * part * _rows.Width;
            for (int i = channel; i < _rows.Width; i += _rows.Channels)
            {
                first += sums[i];
                second += sums[_rows.Width + i];
            }
        }
        return (first, second);
    }

    /// <summary>Copies the numbers of the first C lanes to the rest of the row.</summary>
    private void Repeat(float* row)
    {
        for (int i = _rows.Channels; i < _rows.Width; i++) row[i] = row[i - _rows.Channels];
    }
}
