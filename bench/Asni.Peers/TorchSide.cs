using Asni.Bench;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Asni.Peers;

/// <summary>A network in libtorch by way of TorchSharp, with TorchSharp's optimizers.</summary>
internal abstract class TorchSide : ISide
{
    private protected readonly TorchNetwork Network;
    private protected readonly Tensor Images;

    private protected TorchSide(StepOptions o, TrainedNetwork trained, bool channelsLast)
    {
        set_num_threads(o.Threads);
        random.manual_seed(1);
        Network = new TorchNetwork(trained, o.Training, channelsLast);
        using DisposeScope scope = NewDisposeScope();
        Tensor images = tensor(Sides.ImagesOf(o)).reshape(o.Batch, o.Input.Channels, o.Input.Height, o.Input.Width);
        Images = (channelsLast ? TorchNetwork.ToChannelsLast(images) : images).MoveToOuterDisposeScope();
    }

    /// <exception cref="AsniException">libtorch's libraries cannot be loaded here.</exception>
    public static TorchSide Create(StepOptions o, bool channelsLast)
    {
        try
        {
            return o.Training ? new TorchTraining(o, channelsLast) : new TorchInference(o, channelsLast);
        }
        catch (TypeInitializationException e) when (e.GetBaseException() is NotSupportedException or DllNotFoundException)
        {
            string remedy = OperatingSystem.IsLinux() ? "; TorchSharp needs glibc 2.38 or newer, which --libtorch-host \"$(eng/newer-libc.sh)\" brings" : "";
            throw new AsniException($"libtorch cannot be loaded{remedy}");
        }
    }

    public string Engine => $"libtorch {torch.__version__} by TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)}";

    public abstract void Step();

    public abstract float[] Answer();

    public virtual void Dispose()
    {
        Network.Dispose();
        Images.Dispose();
    }
}

internal sealed class TorchTraining : TorchSide
{
    // A rate this small keeps the weights where they are, as Asni's side does.
    private const double LearningRate = 1e-9;

    private readonly Tensor _labels;
    private readonly optim.Optimizer _optimizer;

    public TorchTraining(StepOptions o, bool channelsLast) : base(o, Sides.NetworkOf(o), channelsLast)
    {
        _labels = tensor(Sides.LabelsOf(o));
        _optimizer = o.Optimizer switch
        {
            OptimizerKind.Adam => optim.Adam(Network.Trained, LearningRate),
            OptimizerKind.Momentum => optim.SGD(Network.Trained, LearningRate, momentum: 0.9),
            _ => throw new UsageException($"libtorch's side has adam and momentum, not {o.Optimizer}."),
        };
    }

    public override void Step() => Train(_ => { });

    public override float[] Answer()
    {
        float[] answer = [0];
        Train(loss => answer[0] = loss.item<float>());
        return answer;
    }

    private void Train(Action<Tensor> look)
    {
        using DisposeScope scope = NewDisposeScope();
        _optimizer.zero_grad();
        Tensor loss = nn.functional.cross_entropy(Network.Forward(Images), _labels);
        loss.backward();
        _optimizer.step();
        look(loss);
    }

    public override void Dispose()
    {
        _optimizer.Dispose();
        _labels.Dispose();
        base.Dispose();
    }
}

/// <summary>Logits without gradients, of the network with batch-norm folded.</summary>
internal sealed class TorchInference(StepOptions o, bool channelsLast) : TorchSide(o, FoldedNetwork.Fold(Sides.NetworkOf(o)), channelsLast)
{
    public override void Step() => Run(_ => { });

    public override float[] Answer()
    {
        float[] answer = [];
        Run(logits => answer = logits.data<float>().ToArray());
        return answer;
    }

    private void Run(Action<Tensor> look)
    {
        using DisposeScope scope = NewDisposeScope();
        using (inference_mode()) look(Network.Forward(Images));
    }
}
