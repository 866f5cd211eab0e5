using System.Collections.Immutable;

namespace Asni.Networks.Rewriting;

/// <summary>Networks without some of their residual blocks. The name says which, as blocks of width 0: <c>resnet20[layer1.1=0]</c>.</summary>
internal static class ShallowNetwork
{
    /// <exception cref="UsageException">There is no such block, or it cannot go.</exception>
    public static RewrittenNetwork Without(Network network, IReadOnlyCollection<string> names)
    {
        ImmutableArray<ResidualBlock> all = ResidualBlock.Find(network);
        ResidualBlock[] gone = [.. names.Select(name => Block(network, all, name))];
        HashSet<int> inside = [.. gone.SelectMany(b => b.Branch).Select(n => n.Id)];
        var inputOf = gone.ToDictionary(b => b.Sum.Id, b => b.Input!.Id);
        HashSet<int> idle = [.. gone.Where(b => b.Output != b.Sum && !b.LeavesActivation).Select(b => b.Output.Id)];
        var rewriter = new GraphRewriter();
        foreach (Node node in network.Nodes)
        {
            // A block may lie within another one that goes.
            if (inside.Contains(node.Id)) continue;
            if (inputOf.TryGetValue(node.Id, out int input)) rewriter.Skip(node, input);
            else if (idle.Contains(node.Id)) rewriter.Skip(node);
            else rewriter.Keep(node);
        }
        return rewriter.Finish(NarrowNetwork.Renamed(network, network.Nodes.Where(n => !inside.Contains(n.Id)), names.ToDictionary(n => n, _ => 0)));
    }

    private static ResidualBlock Block(Network network, ImmutableArray<ResidualBlock> all, string name)
    {
        ResidualBlock block = all.FirstOrDefault(b => b.Name == name)
            ?? throw new UsageException($"{network.Name} has no residual block '{name}'{Suggestion.For(name, all.Select(b => b.Name))}.");
        return block.Input is not null ? block : throw new UsageException($"the block {name} cannot be taken out of {network.Name}: what it puts out has another shape than what it reads, or others read its layers.");
    }
}
