using System.Collections.Immutable;

namespace Asni.Networks;

/// <summary>A residual block: a sum of a branch and what the branch reads, or of two branches.</summary>
/// <param name="Name">What the name of its sum begins with; all of that name where it has no such part, or others have the same.</param>
/// <param name="Input">What is left in its place when it goes; null: it cannot go.</param>
/// <param name="Branch">The nodes that go with the sum.</param>
/// <param name="Output">The sum, or the activation behind it.</param>
internal sealed record ResidualBlock(string Name, AddNode Sum, Node? Input, ImmutableArray<Node> Branch, Node Output)
{
    /// <summary>All of a network, in its order.</summary>
    public static ImmutableArray<ResidualBlock> Find(Network network)
    {
        ILookup<int, Node> readersOf = network.GetReaders();
        AddNode[] sums = [.. network.Nodes.OfType<AddNode>()];
        ILookup<string, AddNode> byPrefix = sums.ToLookup(Prefix);
        return [.. sums.Select(sum => Create(network, sum, readersOf, byPrefix[Prefix(sum)].Count() == 1 ? Prefix(sum) : sum.Name))];
    }

    /// <summary>The activation behind the sum does nothing once the block has gone: its input has come through the same one already, and it lets through what it puts out.</summary>
    public bool LeavesActivation => Output is ActivationNode behind && !(Input is ActivationNode before && before.Activation == behind.Activation && ActivationFunction.IsFused(behind.Activation));

    /// <summary>"layer1.0" of "layer1.0.add"; the whole name where it has no part before a dot.</summary>
    private static string Prefix(AddNode sum) => sum.Name.LastIndexOf('.') is > 0 and var cut ? sum.Name[..cut] : sum.Name;

    private static ResidualBlock Create(Network network, AddNode sum, ILookup<int, Node> readersOf, string name)
    {
        HashSet<int> left = network.GetNeeded(sum.Left), right = network.GetNeeded(sum.Right);
        Node output = readersOf[sum.Id].ToArray() is [ActivationNode only] ? only : sum;
        var block = new ResidualBlock(name, sum, null, [], output);
        // The shortcut is the identity where one side is computed from the other.
        (int input, int branch) = left.Contains(sum.Right) ? (sum.Right, sum.Left) : right.Contains(sum.Left) ? (sum.Left, sum.Right) : (-1, -1);
        if (input < 0 || input == branch) return block;
        HashSet<int> before = network.GetNeeded(input);
        Node[] inside = [.. network.GetNeeded(branch).Except(before).Order().Select(id => network.Nodes[id])];
        // What others read has to stay; so does a branch that reads more than the block's input.
        bool goes = inside.All(n => readersOf[n.Id].All(r => r.Id == sum.Id || inside.Contains(r)) && n.Inputs.All(i => i == input || !before.Contains(i)));
        return goes ? block with { Input = network.Nodes[input], Branch = [.. inside] } : block;
    }
}
