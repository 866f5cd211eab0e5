using System.Collections.Immutable;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Engine;

/// <summary>
/// Turns a network into bound steps. Time runs 0 .. U - 1 through the forward steps, U is the loss, and the backward call of step i
/// is at 2U - i; every value and gradient gets a lifetime on that axis and a place in the arena.
/// </summary>
internal sealed class PlanBuilder
{
    private readonly Model _model;
    private readonly Device _device;
    private readonly PlanStep[]? _like;
    private readonly int _batch;
    private readonly bool _training;
    private readonly List<FusedStep> _fused;
    private readonly Dictionary<int, int> _producer = [];
    private readonly List<Lifetime> _blocks = [];
    private readonly Dictionary<int, int> _valueBlock = [];
    private readonly Dictionary<int, int> _gradientBlock = [];

    public PlanBuilder(Model model, int batch, bool training) : this(model, model.Device, batch, training, null) { }

    /// <param name="device">The model's, or one for another caller.</param>
    /// <param name="like">Steps of a plan as this one, for another caller.</param>
    public PlanBuilder(Model model, Device device, int batch, bool training, PlanStep[]? like)
    {
        (_model, _device, _like) = (model, device, like);
        _batch = batch;
        _training = training;
        _fused = Fusion.Fuse(model.Network);
        for (int i = 0; i < _fused.Count; i++) _producer[_fused[i].Result] = i;
    }

    /// <summary>Batch-norm of a plan that trains takes the running statistics, as constants.</summary>
    public bool Frozen { get; init; }

    private ImmutableArray<Node> Nodes => _model.Network.Nodes;
    private int LossTime => _fused.Count;
    private int Output => _fused[^1].Result;

    /// <summary>Bytes of activations and gradients that a plan would take.</summary>
    public long Bytes()
    {
        PlaceValues();
        if (_training) PlaceGradients();
        return Arena.Place(_blocks).Bytes;
    }

    public (PlanStep[] Steps, DeviceBuffer Arena, DeviceTensor Input, DeviceTensor Logits, DeviceTensor Dlogits) Build()
    {
        PlaceValues();
        if (_training) PlaceGradients();
        (long[] offsets, long bytes) = Arena.Place(_blocks);
        DeviceBuffer arena = _device.Allocate(bytes);
        try
        {
            DeviceTensor Tensor(int block, int node) => new(arena, offsets[block], _batch, Nodes[node].Output);
            DeviceTensor Value(int node) => Tensor(_valueBlock[node], node);
            DeviceTensor? Gradient(int node) => _gradientBlock.TryGetValue(node, out int block) ? Tensor(block, node) : null;

            var steps = new PlanStep[_fused.Count];
            for (int i = 0; i < steps.Length; i++)
            {
                steps[i] = Bind(i, Value, Gradient);
                if (_training && !Frozen && steps[i] is BatchNormStep norm && _producer.TryGetValue(_fused[i].Source, out int before)
                    && steps[before] is ConvolutionStep convolution)
                {
                    norm.Operation.Follow(convolution.Operation);
                    LeaveOutBias(convolution);
                }
            }
            return (steps, arena, Value(0), Value(Output), Gradient(Output) ?? default);
        }
        catch
        {
            arena.Dispose();
            throw;
        }
    }

    /// <summary>Batch-norm takes the mean away: the gradient that it gives back sums to 0 over each channel, and so the gradient of a bias before it is 0.</summary>
    private void LeaveOutBias(ConvolutionStep convolution)
    {
        if (convolution.Operation.Spec.Activation != Activation.None || convolution.BiasGradient is not { } gradient) return;
        _model.Parameters.Upload(gradient.Parameter.Index, ParameterSlot.Gradient, new float[gradient.Parameter.Elements]);
        convolution.BiasGradient = null;
    }

    private int BackwardTime(int step) => 2 * LossTime - step;

    private void PlaceValues()
    {
        foreach (int node in _fused.Select(f => f.Result).Prepend(0))
        {
            int from = node == 0 ? -1 : _producer[node];
            int to = node == Output ? BackwardTime(0) : from; // logits can be read after the run
            for (int i = 0; i < _fused.Count; i++)
            {
                FusedStep step = _fused[i];
                if (step.Source == node || step.Skip == node) to = Math.Max(to, i);
                if (_training && KeptForBackward(step, node)) to = Math.Max(to, BackwardTime(i));
            }
            _valueBlock[node] = AddBlock(node, from, to);
        }
    }

    private static bool KeptForBackward(FusedStep step, int node) => (step.Source == node && step.KeepsInput) || (step.Result == node && step.KeepsOutput);

    private void PlaceGradients()
    {
        // From the last step back, so that a batch-norm's dy already has its block when dx wants to share it.
        for (int i = _fused.Count - 1; i >= 0; i--)
        {
            int node = _fused[i].Result;
            if (_gradientBlock.ContainsKey(node)) continue;
            int from = node == Output ? LossTime : _fused.Select((f, j) => (f, j)).Where(u => u.f.Source == node || u.f.Skip == node)
                .Select(u => BackwardTime(u.j)).DefaultIfEmpty(BackwardTime(i)).Min();
            int to = BackwardTime(i);
            int shared = node;
            while (InPlaceSource(shared) is { } source)
            {
                shared = source;
                to = _producer.TryGetValue(source, out int producer) ? BackwardTime(producer) : to;
            }
            int block = AddBlock(node, from, to);
            _gradientBlock[node] = block;
            for (shared = node; InPlaceSource(shared) is { } source; shared = source) _gradientBlock[source] = block;
        }
    }

    /// <summary>The node whose gradient a batch-norm may write over its own dy: the input, when it has no other consumer.</summary>
    private int? InPlaceSource(int node)
    {
        if (!_producer.TryGetValue(node, out int index) || _fused[index].Main is not BatchNormNode) return null;
        int source = _fused[index].Source;
        return _fused.Count(f => f.Source == source || f.Skip == source) == 1 ? source : null;
    }

    private int AddBlock(int node, int from, int to)
    {
        _blocks.Add(new Lifetime(_device.ActivationBytes(_batch, Nodes[node].Output), from, to));
        return _blocks.Count - 1;
    }

    /// <summary>Backward visits steps from the last: a gradient is first written by its latest consumer, and added to by the others.</summary>
    private bool Accumulates(int node, int step) =>
        _fused.Skip(step + 1).Any(f => f.Source == node || f.Skip == node);

    private PlanStep Bind(int index, Func<int, DeviceTensor> value, Func<int, DeviceTensor?> gradient)
    {
        FusedStep f = _fused[index];
        DeviceTensor x = value(f.Source), y = value(f.Result);
        DeviceTensor dy = gradient(f.Result) ?? default;
        DeviceTensor? dx = gradient(f.Source);
        bool accumulate = Accumulates(f.Source, index);
        switch (f.Main)
        {
            case ConvolutionNode c:
                return BindConvolution(index, c, c.Weight, c.Bias, c.Stride, c.Padding, c.Groups, f.Activation, x, y, dy, dx, accumulate);
            case LinearNode l:
                return BindConvolution(index, l, l.Weight, l.Bias, 1, 0, 1, f.Activation, x, y, dy, dx, accumulate);
            case BatchNormNode b:
                return BindBatchNorm(b, f, x, y, dy, dx, value, gradient, index);
            case MaxPoolNode p:
                return BindPooling(p, new PoolingSpec(PoolingKind.Max, _batch, x.Shape, p.Size, p.Stride, p.Padding, _training), x, y, dy, dx, accumulate);
            case GlobalAveragePoolNode p:
                return BindPooling(p, new PoolingSpec(PoolingKind.GlobalAverage, _batch, x.Shape, 0, 0, 0, _training), x, y, dy, dx, accumulate);
            case AddNode or ActivationNode:
                return new ElementwiseStep
                {
                    Node = f.Main,
                    Device = _device,
                    Activation = f.Activation,
                    KeepsOutput = f.KeepsOutput,
                    X = x,
                    Y = y,
                    Dy = dy,
                    Dx = dx,
                    AccumulateDx = accumulate,
                    Skip = f.Skip is { } s ? value(s) : null,
                    SkipGradient = f.Skip is { } g ? gradient(g) : null,
                    // x + x: dx is written first, then added to.
                    AccumulateSkip = f.Skip is { } a && (a == f.Source || Accumulates(a, index)),
                };
            default:
                throw new NotSupportedException($"no device operation for {f.Main.GetType().Name} '{f.Main.Name}'");
        }
    }

    private ConvolutionStep BindConvolution(int index, Node node, Parameter weight, Parameter? bias, int stride, int padding, int groups, Activation activation,
        DeviceTensor x, DeviceTensor y, DeviceTensor dy, DeviceTensor? dx, bool accumulate)
    {
        DeviceParameters parameters = _model.Parameters;
        var spec = new ConvolutionSpec(_batch, x.Shape, weight.Filter, stride, padding, groups, bias is not null, activation, _training, dx is not null);
        return new ConvolutionStep
        {
            Node = node,
            X = x,
            Y = y,
            Dy = dy,
            Dx = dx,
            AccumulateDx = accumulate,
            Operation = _like?[index] is ConvolutionStep like ? like.Operation.ForAnotherCaller(_device) : _device.CreateConvolution(spec),
            Weight = parameters.Value(weight.Index),
            Bias = bias is null ? null : parameters.Value(bias.Index),
            WeightGradient = parameters.Gradient(weight.Index),
            BiasGradient = bias is null ? null : parameters.Gradient(bias.Index),
        };
    }

    private BatchNormStep BindBatchNorm(BatchNormNode node, FusedStep f, DeviceTensor x, DeviceTensor y, DeviceTensor dy, DeviceTensor? dx,
        Func<int, DeviceTensor> value, Func<int, DeviceTensor?> gradient, int index)
    {
        if (_training && (dx is null || Accumulates(f.Source, index)))
            throw new UsageException($"layer '{node.Name}': batch-norm must follow a layer that feeds nothing else; put a convolution or linear layer before it.");
        DeviceParameters parameters = _model.Parameters;
        return new BatchNormStep
        {
            Node = node,
            X = x,
            Y = y,
            Dy = dy,
            Dx = dx,
            Operation = _device.CreateBatchNorm(
                new BatchNormSpec(_batch, x.Shape, node.Epsilon, node.Momentum, f.Skip is not null, f.Activation, _training)),
            Parameters = new BatchNormParameters(parameters.Value(node.Weight.Index), parameters.Value(node.Bias.Index),
                parameters.Value(node.RunningMean.Index), parameters.Value(node.RunningVariance.Index)),
            WeightGradient = parameters.Gradient(node.Weight.Index),
            BiasGradient = parameters.Gradient(node.Bias.Index),
            Skip = f.Skip is { } s ? value(s) : null,
            SkipGradient = f.Skip is { } g ? gradient(g) : null,
            AccumulateSkip = f.Skip is { } a && Accumulates(a, index),
        };
    }

    private PoolingStep BindPooling(Node node, PoolingSpec spec, DeviceTensor x, DeviceTensor y, DeviceTensor dy, DeviceTensor? dx, bool accumulate) => new()
    {
        Node = node,
        X = x,
        Y = y,
        Dy = dy,
        Dx = dx,
        AccumulateDx = accumulate,
        Operation = _device.CreatePooling(spec),
    };
}
