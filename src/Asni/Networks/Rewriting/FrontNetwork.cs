namespace Asni.Networks.Rewriting;

/// <summary>The part of a network that a node's output depends on.</summary>
internal static class FrontNetwork
{
    /// <summary>The network that ends in a node.</summary>
    public static RewrittenNetwork UpTo(Network network, Node end)
    {
        HashSet<int> needed = network.GetNeeded(end.Id);
        var front = new GraphRewriter();
        foreach (Node node in network.Nodes.Where(n => needed.Contains(n.Id))) front.Keep(node);
        return front.Finish(network.Name);
    }
}
