using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Training;

namespace Asni.Methods;

/// <summary>Runs the method of a recipe: the one entry point for a host application.</summary>
public static class MethodRunner
{
    /// <param name="cancellation">Leaves after the step in progress; what was reached is returned with Complete = false.</param>
    /// <param name="phaseDone">Told of each phase as it ends, so that it can be written down before the next one starts.</param>
    /// <exception cref="AsniException">The loss became NaN, the data does not fit the network, ...</exception>
    public static RunResult Run(Recipe recipe, Network network, DatasetSplit data, Device device, ITrainingObserver observer,
        Action<PhaseResult>? phaseDone = null, CancellationToken cancellation = default)
    {
        throw new NotSupportedException();
    }
}
