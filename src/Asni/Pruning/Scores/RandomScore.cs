using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// Uniform in [0, 1): the control of all other scores. A pure function of seed, parameter and element, the same on every device and whenever it is
/// written, so that what a later pruning keeps was kept by the earlier ones.
/// </summary>
internal sealed class RandomScore(ulong seed) : IScore
{
    private const ulong Purpose = 9;

    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        foreach (Parameter p in parameters)
        {
            var random = SplitMix64.Fork(seed, Purpose, (ulong)p.Index);
            var scores = new float[p.Elements];
            for (int i = 0; i < scores.Length; i++) scores[i] = random.NextSingle();
            model.Parameters.Upload(p.Index, ParameterSlot.Score, scores);
        }
        return Ranking.Score;
    }
}
