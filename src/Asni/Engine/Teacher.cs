using Asni.Devices;
using Asni.Networks;

namespace Asni.Engine;

/// <summary>
/// A trained network whose logits z_t, softened by a temperature, another one learns beside the labels: of each sample the loss is (1 - a) L + a T^2 KL(softmax(z_t / T) || softmax(z / T))
/// (Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2).
/// </summary>
internal sealed class Teacher : IDisposable
{
    private readonly Model _model;
    private readonly Plan _plan;

    /// <param name="batch">Largest number of samples of a step.</param>
    /// <exception cref="DeviceMemoryException">The device lacks the memory.</exception>
    public Teacher(TrainedNetwork network, Device device, int batch, Distillation how)
    {
        (Network, How) = (network, how);
        _model = new Model(network.Network, device);
        try
        {
            _model.Load(network);
            _plan = new Plan(_model, batch, training: false);
            _plan.TakeMasks();
        }
        catch
        {
            _plan?.Dispose();
            _model.Dispose();
            throw;
        }
    }

    public TrainedNetwork Network { get; }
    public Distillation How { get; }

    /// <summary>Issues its forward pass.</summary>
    /// <param name="input">A batch.</param>
    /// <returns>What the loss of that batch takes.</returns>
    public SoftTargets Issue(DeviceTensor input) => new(_plan.IssueForward(input), (float)How.Temperature, (float)How.Weight);

    public void Dispose()
    {
        _plan.Dispose();
        _model.Dispose();
    }
}

/// <summary>How a network learns from another one's logits.</summary>
/// <param name="Temperature">T, above 0.</param>
/// <param name="Weight">a, the share of the loss, [0, 1].</param>
internal readonly record struct Distillation(double Temperature, double Weight);
