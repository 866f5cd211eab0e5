using Asni.Devices;
using Asni.Networks;

namespace Asni.Engine;

/// <summary>A device call of the plan: one node, or several that the device contract does in one.</summary>
/// <param name="Main">The node that gives the step its kind.</param>
/// <param name="Source">Node whose value it reads.</param>
/// <param name="Skip">Node whose value is added before the activation.</param>
/// <param name="Result">The last node fused: later steps read the value under this id.</param>
internal sealed record FusedStep(Node Main, int Source, int? Skip, Activation Activation, int Result)
{
    /// <summary>The backward pass reads <see cref="Result"/> again.</summary>
    public bool KeepsOutput => Activation != Activation.None && ActivationFunction.IsFused(Activation);

    /// <summary>The backward pass reads <see cref="Source"/> again.</summary>
    public bool KeepsInput => Main.KeepsInput;
}

/// <summary>Groups nodes as the contract wants them: convolution, batch-norm with an add, or add, and a piecewise linear activation behind it.</summary>
internal static class Fusion
{
    public static List<FusedStep> Fuse(Network network)
    {
        List<int>[] consumers = Consumers(network);
        var steps = new List<FusedStep>();
        var absorbed = new HashSet<int>();
        foreach (Node node in network.Nodes)
        {
            if (node is InputNode || absorbed.Contains(node.Id) || IsAbsorbedByLaterNorm(network, consumers, node)) continue;
            steps.Add(Absorb(network, consumers, node, absorbed));
        }
        return steps;
    }

    private static FusedStep Absorb(Network network, List<int>[] consumers, Node node, HashSet<int> absorbed)
    {
        int result = node.Id;
        int? skip = node is AddNode add ? add.Right : null;
        if (node is BatchNormNode && NormOfAdd(network, consumers, node.Id) is { } fusedAdd)
        {
            absorbed.Add(fusedAdd.Id);
            skip = fusedAdd.Left == node.Id ? fusedAdd.Right : fusedAdd.Left;
            result = fusedAdd.Id;
        }
        var activation = Activation.None;
        if (node is ActivationNode own)
        {
            activation = own.Activation;
        }
        else if (node.FusesActivation && Only(network, consumers, result) is ActivationNode next
            && ActivationFunction.IsFused(next.Activation))
        {
            absorbed.Add(next.Id);
            activation = next.Activation;
            result = next.Id;
        }
        return new FusedStep(node, node.Inputs[0], skip, activation, result);
    }

    /// <summary>An add whose operand is a batch-norm used nowhere else is done by that batch-norm: with two such, by the later one.</summary>
    private static AddNode? NormOfAdd(Network network, List<int>[] consumers, int norm)
    {
        if (Only(network, consumers, norm) is not AddNode add || add.Left == add.Right) return null;
        int other = add.Left == norm ? add.Right : add.Left;
        return other < norm ? add : null;
    }

    private static bool IsAbsorbedByLaterNorm(Network network, List<int>[] consumers, Node node) =>
        node is AddNode add && add.Inputs.Any(i => network.Nodes[i] is BatchNormNode && NormOfAdd(network, consumers, i) is not null);

    private static Node? Only(Network network, List<int>[] consumers, int id) =>
        consumers[id].Count == 1 ? network.Nodes[consumers[id][0]] : null;

    private static List<int>[] Consumers(Network network)
    {
        var consumers = new List<int>[network.Nodes.Length];
        for (int i = 0; i < consumers.Length; i++) consumers[i] = [];
        foreach (Node node in network.Nodes)
            foreach (int input in node.Inputs) consumers[input].Add(node.Id);
        return consumers;
    }
}
