using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>What each weight is worth: the largest stay.</summary>
internal interface IScore
{
    /// <summary>Leaves on the device what these parameters are ranked by, and says which that is.</summary>
    Ranking Write(Model model, IEnumerable<Parameter> parameters);
}

/// <summary>|w|, which the device has already.</summary>
internal sealed class Magnitude : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters) => Ranking.Magnitude;
}

/// <summary>What somebody has written to the score slot while the network trained.</summary>
internal sealed class Accumulated : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters) => Ranking.Score;
}
