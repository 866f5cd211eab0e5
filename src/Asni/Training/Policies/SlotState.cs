using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Training.Policies;

/// <summary>A slot of some parameters as what a policy has to remember: NAME.word of each.</summary>
internal sealed class SlotState(Model model, ParameterSlot slot, string word, IEnumerable<Parameter> parameters)
{
    private readonly ImmutableArray<Parameter> _parameters = [.. parameters];

    public PolicyState Save() => PolicyState.Of(model.Network, _parameters.ToImmutableSortedDictionary(NameOf, Download, StringComparer.Ordinal));

    public void Restore(PolicyState state)
    {
        foreach (Parameter p in _parameters) model.Parameters.Upload(p.Index, slot, state.Tensor(NameOf(p), p.Elements));
    }

    private string NameOf(Parameter p) => $"{p.Name}.{word}";

    private float[] Download(Parameter p)
    {
        var numbers = new float[p.Elements];
        model.Parameters.Download(p.Index, slot, numbers);
        return numbers;
    }
}
