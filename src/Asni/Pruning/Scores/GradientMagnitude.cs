using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>|g| of the last backward pass, which has to have been dense where pruned weights are ranked.</summary>
internal sealed class GradientMagnitude : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters) => Ranking.Gradient;
}
