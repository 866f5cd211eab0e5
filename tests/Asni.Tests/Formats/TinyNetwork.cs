using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats;

/// <summary>A network of 4-3-2 for tests of files: two linear layers with biases.</summary>
internal static class TinyNetwork
{
    public static Network Network { get; } = Make();

    /// <summary>Weights 1, 2, 3, ... over all parameters; every second weight of fc1 pruned, and one of its live weights 0.</summary>
    public static TrainedNetwork TakeSnapshot()
    {
        float next = 0;
        var values = Network.Parameters.Select(p => Enumerable.Range(0, (int)p.Elements).Select(_ => ++next).ToArray()).ToImmutableArray();
        var mask = new Mask(12);
        for (int i = 1; i < 12; i += 2)
        {
            mask[i] = false;
            values[0][i] = 0;
        }
        values[0][4] = 0;
        return new TrainedNetwork(Network, values, [mask, null, null, null]);
    }

    private static Network Make()
    {
        var parameters = ImmutableArray.Create(
            new Parameter(0, "fc1.weight", ParameterKind.Weight, new Shape(3, 4), new FilterShape(3, 1, 2, 2)),
            new Parameter(1, "fc1.bias", ParameterKind.Bias, new Shape(3), new FilterShape(3, 1, 1, 1)),
            new Parameter(2, "fc2.weight", ParameterKind.Weight, new Shape(2, 3), new FilterShape(2, 3, 1, 1)),
            new Parameter(3, "fc2.bias", ParameterKind.Bias, new Shape(2), new FilterShape(2, 1, 1, 1)));
        return new Network("tiny",
        [
            new InputNode(0, new Chw(1, 2, 2)),
            new LinearNode(1, "fc1", 0, new Chw(3, 1, 1), parameters[0], parameters[1]),
            new LinearNode(2, "fc2", 1, new Chw(2, 1, 1), parameters[2], parameters[3]),
        ], parameters);
    }
}
