using System.Collections.Immutable;
using System.Diagnostics;
using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// A device that times each call of its operations: any network runs on it unchanged. A CPU's calls are waited for; a GPU's are timed by events in its
/// stream, since waiting costs more than many of them take.
/// </summary>
internal sealed class TimedDevice(Device device) : Device
{
    private readonly Dictionary<string, Stopwatch> _watches = [];
    private readonly CudaStream? _stream = (device as CudaDevice)?.Stream;
    private readonly List<(string Operation, CudaEvent Start, CudaEvent End)> _marks = [];

    /// <summary>What was timed since <see cref="Restart"/>, in the order of the first calls.</summary>
    public IEnumerable<(string Operation, double Milliseconds)> Times
    {
        get
        {
            device.Synchronize();
            return _stream is null
                ? _watches.Select(w => (w.Key, w.Value.Elapsed.TotalMilliseconds))
                : _marks.GroupBy(m => m.Operation).Select(g => (g.Key, g.Sum(m => (double)m.End.MillisecondsSince(m.Start))));
        }
    }

    public void Restart()
    {
        device.Synchronize();
        foreach (Stopwatch watch in _watches.Values) watch.Reset();
        foreach ((_, CudaEvent start, CudaEvent end) in _marks)
        {
            start.Dispose();
            end.Dispose();
        }
        _marks.Clear();
    }

    public void Time(string operation, Action action)
    {
        if (_stream is not null)
        {
            (string Operation, CudaEvent Start, CudaEvent End) mark = (operation, new(_stream.Context), new(_stream.Context));
            mark.Start.Record(_stream);
            action();
            mark.End.Record(_stream);
            _marks.Add(mark);
            return;
        }
        if (!_watches.TryGetValue(operation, out Stopwatch? watch)) _watches[operation] = watch = new Stopwatch();
        watch.Start();
        action();
        device.Synchronize();
        watch.Stop();
    }

    public override string Name => device.Name;
    public override string Description => device.Description;
    internal override DeviceBuffer Allocate(long bytes) => device.Allocate(bytes);
    internal override long ActivationBytes(int batch, Chw shape) => device.ActivationBytes(batch, shape);
    internal override void Upload(ReadOnlySpan<float> nchw, DeviceTensor to) => device.Upload(nchw, to);
    internal override void Download(DeviceTensor from, Span<float> nchw) => device.Download(from, nchw);
    internal override void UploadImages(ReadOnlySpan<byte> nchw, Normalization normalization, DeviceTensor to) => device.UploadImages(nchw, normalization, to);
    internal override void UploadLabels(ReadOnlySpan<int> labels, DeviceBuffer to) => device.UploadLabels(labels, to);
    internal override DeviceParameters CreateParameters(ImmutableArray<Parameter> parameters) => device.CreateParameters(parameters);
    internal override ConvolutionOperation CreateConvolution(in ConvolutionSpec spec) => new Convolution(this, device.CreateConvolution(spec));
    internal override BatchNormOperation CreateBatchNorm(in BatchNormSpec spec) => new BatchNorm(this, device.CreateBatchNorm(spec));
    internal override PoolingOperation CreatePooling(in PoolingSpec spec) => new Pooling(this, device.CreatePooling(spec));
    internal override LossOperation CreateLoss(int batch, int classes, float labelSmoothing) => device.CreateLoss(batch, classes, labelSmoothing);
    internal override void Add(DeviceTensor a, DeviceTensor b, Activation activation, DeviceTensor y) => Time($"add {y.Shape}", () => device.Add(a, b, activation, y));
    internal override void Activate(DeviceTensor x, Activation activation, DeviceTensor y) => Time($"activation {y.Shape}", () => device.Activate(x, activation, y));
    internal override void ActivateBackward(DeviceTensor y, Activation activation, DeviceTensor dy) =>
        Time($"activation {y.Shape}, backward", () => device.ActivateBackward(y, activation, dy));
    internal override void Copy(DeviceTensor from, bool accumulate, DeviceTensor to) => Time($"copy {to.Shape}", () => device.Copy(from, accumulate, to));
    public override void Synchronize() => device.Synchronize();

    protected override void Dispose(bool disposing)
    {
        if (disposing) Restart();
        base.Dispose(disposing);
    }

    private sealed class Convolution(TimedDevice timer, ConvolutionOperation inner) : ConvolutionOperation(inner.Spec)
    {
        private readonly string _name = inner.Spec.Filter is { Height: 1, Width: 1 } && inner.Spec.Input.Positions == 1
            ? $"linear {inner.Spec.Input.Channels}-{inner.Spec.Filter.Out}"
            : $"convolution {inner.Spec.Input.Channels}-{inner.Spec.Filter.Out} {inner.Spec.Filter.Height}x{inner.Spec.Filter.Width}/{inner.Spec.Stride} on {inner.Spec.Input.Height}x{inner.Spec.Input.Width}";

        public ConvolutionOperation Inner => inner;
        public override void SetMask(DeviceParameters parameters, int parameter) => inner.SetMask(parameters, parameter);
        public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y) =>
            timer.Time($"{_name}, forward", () => inner.Forward(x, w, b, y));
        public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy) =>
            timer.Time($"{_name}, bias gradient and activation", () => inner.BackwardOutput(y, db, dy));
        public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false) =>
            timer.Time($"{_name}, weight gradient", () => inner.BackwardWeights(x, dy, dw, dense));
        public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx) =>
            timer.Time($"{_name}, data gradient", () => inner.BackwardData(dy, w, accumulate, dx));
        public override void Dispose()
        {
            inner.Dispose();
            base.Dispose();
        }
    }

    private sealed class BatchNorm(TimedDevice timer, BatchNormOperation inner) : BatchNormOperation(inner.Spec)
    {
        private readonly string _name = $"batch-norm {inner.Spec.Shape}";

        public override void Follow(ConvolutionOperation producer) => inner.Follow(((Convolution)producer).Inner);
        public override void ForwardTraining(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y) =>
            timer.Time($"{_name}, forward", () => inner.ForwardTraining(x, p, skip, y));
        public override void ForwardInference(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y) =>
            timer.Time($"{_name}, inference", () => inner.ForwardInference(x, p, skip, y));
        public override void Backward(DeviceTensor x, DeviceTensor y, DeviceTensor dy, ParameterTensor w, ParameterTensor dw, ParameterTensor db,
            bool accumulateSkip, DeviceTensor? dSkip, DeviceTensor dx) =>
            timer.Time($"{_name}, backward", () => inner.Backward(x, y, dy, w, dw, db, accumulateSkip, dSkip, dx));
        public override void Dispose()
        {
            inner.Dispose();
            base.Dispose();
        }
    }

    private sealed class Pooling(TimedDevice timer, PoolingOperation inner) : PoolingOperation(inner.Spec)
    {
        private readonly string _name = $"{(inner.Spec.Kind == PoolingKind.Max ? "max" : "average")} pooling {inner.Spec.Input}";

        public override void Forward(DeviceTensor x, DeviceTensor y) => timer.Time($"{_name}, forward", () => inner.Forward(x, y));
        public override void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx) => timer.Time($"{_name}, backward", () => inner.Backward(dy, accumulate, dx));
        public override void Dispose()
        {
            inner.Dispose();
            base.Dispose();
        }
    }
}
