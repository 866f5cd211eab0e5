using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>The convolutions and linear layers of a network as a device sees them, without bias and activation.</summary>
internal static class NetworkLayers
{
    public static IEnumerable<(Parameter Weight, ConvolutionSpec Spec)> Enumerate(Network network, int batch, bool training)
    {
        foreach (Node node in network.Nodes)
        {
            if (node.Inputs.IsEmpty) continue;
            Chw input = network.Nodes[node.Inputs[0]].Output;
            bool inner = training && node.Inputs[0] != 0;
            if (node is ConvolutionNode c) yield return (c.Weight, new(batch, input, c.Weight.Filter, c.Stride, c.Padding, c.Groups, false, Activation.None, training, inner));
            if (node is LinearNode l) yield return (l.Weight, new(batch, input, l.Weight.Filter, 1, 0, 1, false, Activation.None, training, inner));
        }
    }
}
