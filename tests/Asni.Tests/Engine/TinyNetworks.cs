using System.Collections.Immutable;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Engine;

/// <summary>Networks small enough to check by hand.</summary>
internal static class TinyNetworks
{
    /// <summary>Linear layers of the given widths, ReLU between them, all with biases: fc1.weight, fc1.bias, ...</summary>
    public static Network Linear(params int[] widths)
    {
        var nodes = ImmutableArray.CreateBuilder<Node>();
        var parameters = ImmutableArray.CreateBuilder<Parameter>();
        nodes.Add(new InputNode(0, new Chw(widths[0], 1, 1)));
        for (int i = 1; i < widths.Length; i++)
        {
            var weight = new Parameter(parameters.Count, $"fc{i}.weight", ParameterKind.Weight, new Shape(widths[i], widths[i - 1]),
                new FilterShape(widths[i], widths[i - 1], 1, 1));
            var bias = new Parameter(parameters.Count + 1, $"fc{i}.bias", ParameterKind.Bias, new Shape(widths[i]), new FilterShape(widths[i], 1, 1, 1));
            parameters.AddRange(weight, bias);
            nodes.Add(new LinearNode(nodes.Count, $"fc{i}", nodes.Count - 1, new Chw(widths[i], 1, 1), weight, bias));
            if (i < widths.Length - 1) nodes.Add(new ActivationNode(nodes.Count, $"relu{i}", nodes.Count - 1, new Chw(widths[i], 1, 1), Activation.Relu));
        }
        return new Network("tiny", nodes.ToImmutable(), parameters.ToImmutable());
    }
}
