using System.Collections.Immutable;
using System.Globalization;
using Asni.Cuda;
using Asni.Cuda.Launchers;
using Asni.Devices;
using Asni.Distributed;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// `cuda speed`: operations of ResNet-50's training step in bf16 as GB/s and TFLOP/s, with per cent of what the limits measured in the same run
/// allow, and convolutions beside cuBLAS and cuDNN where they are. Bytes are the least that must move: each tensor read or written once, the
/// second read of a pass that cannot do without it counted. Prints a line of JSON for each as it is measured; one that fails is a line with its error.
/// </summary>
internal sealed class CudaSpeed : IDisposable
{
    private const int Element = 2; // bytes of an activation in bf16

    private readonly CudaDevice _device = new(0, CudaPrecision.Bf16);
    private readonly List<IDisposable> _owned = [];
    private readonly bool _small = CudaDevice.IsSimulated;
    private CudaCeilings _ceilings;
    private int _failed;

    private int Batch => _small ? 1 : 256;

    /// <summary>1 when an operation failed.</summary>
    public int Measure()
    {
        using (var limits = new CudaLimits()) _ceilings = limits.Measure();
        Network network = _small ? NetworkZoo.Create("resnet20", new Chw(3, 8, 8), 10) : NetworkZoo.Create("resnet50");
        Try("parameters", "", () => Parameters(network));
        Chw shape = _small ? new Chw(16, 8, 8) : new Chw(256, 56, 56);
        Try("activations", $"{shape}", () => Activations(shape));
        foreach (ConvolutionSpec spec in NetworkLayers.Enumerate(network, Batch, training: true).Select(l => l.Spec).Distinct())
            foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                if (pass != ConvolutionPass.DataGradient || spec.InputGradient) Try($"convolution {pass}", Name(spec), () => Convolution(spec, pass));
        return _failed > 0 ? 1 : 0;
    }

    public void Dispose()
    {
        foreach (IDisposable each in Enumerable.Reverse(_owned)) each.Dispose();
        _device.Dispose();
    }

    private void Parameters(Network network)
    {
        DeviceParameters p = Own(_device.CreateParameters(network.Parameters));
        ImmutableArray<Parameter> all = network.Parameters;
        ImmutableArray<float[]> values = Initialization.Create(network, 1);
        for (int i = 0; i < all.Length; i++)
        {
            p.Upload(i, ParameterSlot.Value, values[i]);
            p.Upload(i, ParameterSlot.Gradient, values[i]);
        }
        int[] weights = [.. network.Weights.Select(w => w.Index)];
        double count = network.WeightCount, total = all.Sum(each => (double)each.Elements);
        var sums = new SignStatistics[weights.Length];
        var pivots = new float[weights.Length];
        var settings = new OptimizerSettings { Kind = OptimizerKind.Momentum };
        string shape = string.Create(CultureInfo.InvariantCulture, $"{count:f0} weights");
        Time("threshold, whole call", shape, 2 * sizeof(float) * count, 0, () => p.FindThreshold(weights, (long)count / 20));
        Time("two means, sums", shape, sizeof(float) * count, 0, () => p.SumBySign(weights, pivots, sums));
        // Weight and momentum read and written, gradient read, mask read, bf16 copy written.
        long step = 0;
        Time("SGD with momentum", shape, (5 * sizeof(float) + 1 / 8.0 + 2) * total, 0, () => p.Update(settings.At(1e-9, ++step)));
        Exchange((CudaParameters)p, weights, shape, count);
        _device.Synchronize();
    }

    /// <summary>What ranks do with their gradients, but for the way between them.</summary>
    private void Exchange(CudaParameters p, int[] weights, string shape, double count)
    {
        const int rows = 8;
        var row = Own(new CudaBuffer(_device.Stream, (long)count * sizeof(float)));
        int length = (int)(count / rows);
        // Read and written once each.
        Time("pack, all", shape, 2 * sizeof(float) * count, 0, () => p.Pack(weights, ParameterSlot.Gradient, dense: true, row.Pointer));
        Time("tree sum of 8 rows", string.Create(CultureInfo.InvariantCulture, $"8 x {length}"), (rows + 1.0) * sizeof(float) * length, 0, () => p.AddRows(row.Pointer, length, rows));
        foreach (int weight in weights)
        {
            var mask = new Mask(p.Parameters[weight].Elements, live: false);
            for (long i = weight % 20; i < mask.Length; i += 20) mask[i] = true;
            p.SetMask(weight, mask);
        }
        // Of the gradients about every memory sector of 32 bytes that has a live one is read: 8 of 20 of them; and all of the mask.
        Time("pack, 5 % live", shape, (8 / 20.0 * sizeof(float) + 1 / 8.0 + sizeof(float) / 20.0) * count, 0, () => p.Pack(weights, ParameterSlot.Gradient, dense: false, row.Pointer));
        if (((IExchangingDevice)_device).Join(Communicator.Alone) is null) return;
        DeviceSum sum = ((IExchangingDevice)_device).CreateSum(p, SumOrder.Ordered, (long)count);
        sum.Prepare(weights, dense: true);
        // Packed, sent, added, given to all and unpacked: read and written each.
        Time("exchange of one rank, NCCL", shape, 10 * sizeof(float) * count, 0, () => sum.Run(weights, ParameterSlot.Gradient, dense: true, having: 1));
    }

    private void Activations(Chw shape)
    {
        double bytes = (double)Element * Batch * shape.Elements;
        string name = $"{Batch}x{shape}";
        DeviceTensor x = Tensor(shape), y = Tensor(shape), skip = Tensor(shape), dy = Tensor(shape);
        var vector = new FilterShape(shape.Channels, 1, 1, 1);
        ParameterKind[] kinds = [ParameterKind.NormWeight, ParameterKind.NormBias, ParameterKind.RunningMean, ParameterKind.RunningVariance];
        DeviceParameters p = Own(_device.CreateParameters([.. kinds.Select((k, i) => new Parameter(i, k.ToString(), k, new Shape(shape.Channels), vector))]));
        BatchNormOperation norm = Own(_device.CreateBatchNorm(new BatchNormSpec(Batch, shape, 1e-5f, 0.1f, true, Activation.Relu, true)));
        var bound = new BatchNormParameters(p.Value(0), p.Value(1), p.Value(2), p.Value(3));
        Time("batch-norm + add + ReLU, forward", name, (4 + 1 / 16.0) * bytes, 0, () => norm.ForwardTraining(x, bound, skip, y));
        Time("batch-norm + add + ReLU, backward", name, (6 + 2 / 16.0) * bytes, 0,
            () => norm.Backward(x, y, dy, p.Value(0), p.Gradient(0), p.Gradient(1), false, skip, dy));
        Time("add", name, 3 * bytes, 0, () => _device.Add(x, skip, Activation.None, y));
        PoolingOperation pool = Own(_device.CreatePooling(new PoolingSpec(PoolingKind.Max, Batch, shape, 3, 2, 1, true)));
        DeviceTensor pooled = Tensor(pool.Spec.Output);
        // A quarter of the elements with a byte each for the winner's place.
        Time("max pooling 3x3/2, forward", name, (1 + 1 / 4.0 + 1 / 8.0) * bytes, 0, () => pool.Forward(x, pooled));
        Time("max pooling 3x3/2, backward", name, (1 + 1 / 4.0 + 1 / 8.0) * bytes, 0, () => pool.Backward(pooled, false, dy));
    }

    private void Convolution(ConvolutionSpec spec, ConvolutionPass pass)
    {
        ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
        ConvolutionTuner tuner = _device.Runtime.Tuner;
        TileChoice rule = tuner.Rule(shape, pass, spec.Batch);
        List<ConvolutionChoice> candidates = _small ? [rule, .. LibraryChoice.For(_device.Runtime, pass, shape)] : tuner.Candidates(shape, pass, spec.Batch, rule, true);
        double[] times = tuner.Measure(candidates, shape, pass, spec.Batch);
        int best = Enumerable.Range(0, times.Length).Where(i => candidates[i] is not LibraryChoice).MinBy(i => times[i]);
        int library = candidates.FindIndex(c => c is LibraryChoice);
        double bytes = (double)Element * (shape.InputElements(spec.Batch) + shape.OutputElements(spec.Batch))
            + shape.FilterElements * (pass == ConvolutionPass.WeightGradient ? sizeof(float) : Element);
        string peer = library < 0 || double.IsInfinity(times[library])
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $", \"library\": \"{candidates[library]}\", \"library_ms\": {times[library]:g4}, \"ratio\": {times[library] / times[best]:f2}");
        Row($"convolution {pass}, {candidates[best]}", Name(spec), times[best], bytes, 2.0 * spec.Macs * spec.Batch, peer);
    }

    private static string Name(ConvolutionSpec spec) => $"{spec.Batch}x{spec.Input} to {spec.Filter.Out}, {spec.Filter.Height}x{spec.Filter.Width}/{spec.Stride}";

    private void Try(string kernel, string shape, Action action)
    {
        try
        {
            action();
        }
        catch (AsniException e)
        {
            _failed++;
            Console.WriteLine($"{{\"kernel\": \"{kernel}\", \"shape\": \"{shape}\", \"error\": {System.Text.Json.JsonSerializer.Serialize(e.Message)}}}");
        }
    }

    private void Time(string kernel, string shape, double bytes, double operations, Action action)
    {
        action();
        Row(kernel, shape, CudaLimits.Milliseconds(_device.Stream, _small ? 1 : 20, action), bytes, operations, "");
    }

    private void Row(string kernel, string shape, double ms, double bytes, double operations, string peer) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"kernel\": \"{kernel}\", \"shape\": \"{shape}\", \"ms\": {ms:g4}, "
            + $"\"gbytes_per_second\": {bytes / ms / 1e6:f0}, \"tflops\": {operations / ms / 1e9:f1}, "
            + $"\"percent_of_limit\": {100 * _ceilings.Milliseconds(bytes, operations) / ms:f0}{peer}}}"));

    private DeviceTensor Tensor(Chw shape)
    {
        var tensor = new DeviceTensor(Own(_device.Allocate(_device.ActivationBytes(Batch, shape))), 0, Batch, shape);
        // Random, so that the GPU's clocks and caches meet what training gives them.
        var random = new SplitMix64(7);
        var values = new float[tensor.Elements];
        for (int i = 0; i < values.Length; i++) values[i] = 2 * random.NextSingle() - 1;
        _device.Upload(values, tensor);
        return tensor;
    }

    private T Own<T>(T item) where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }
}
