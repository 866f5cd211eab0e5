using System.Runtime.InteropServices;
using Asni.Tensors;

namespace Asni.Formats.Onnx;

/// <summary>The messages of onnx.proto that a network needs; the numbers are that file's field numbers.</summary>
internal static class OnnxMessages
{
    private const int Float = 1, Int64 = 7;
    private const int AttributeFloat = 1, AttributeInt = 2, AttributeInts = 7;

    public static ProtoMessage Node(string type, string name, IEnumerable<string> inputs, string output, params IEnumerable<ProtoMessage> attributes)
    {
        var node = new ProtoMessage();
        foreach (string input in inputs) node.Text(1, input);
        node.Text(2, output).Text(3, name).Text(4, type);
        foreach (ProtoMessage attribute in attributes) node.Message(5, attribute);
        return node;
    }

    public static ProtoMessage Attribute(string name, float value) => new ProtoMessage().Text(1, name).Single(2, value).Integer(20, AttributeFloat);

    public static ProtoMessage Attribute(string name, long value) => new ProtoMessage().Text(1, name).Integer(3, value).Integer(20, AttributeInt);

    public static ProtoMessage Attribute(string name, params long[] values)
    {
        ProtoMessage attribute = new ProtoMessage().Text(1, name);
        // Not packed: onnx.proto is of syntax 2.
        foreach (long value in values) attribute.Integer(8, value);
        return attribute.Integer(20, AttributeInts);
    }

    /// <summary>A tensor of floats; no dimensions: a scalar.</summary>
    public static ProtoMessage Tensor(string name, IEnumerable<long> dims, float[] values) => Head(name, dims, Float).Singles(9, values);

    /// <summary>The live values of a tensor and where they are, by their row-major indices.</summary>
    public static ProtoMessage SparseTensor(string name, Shape shape, float[] values, Mask mask)
    {
        var indices = new List<long>();
        var live = new List<float>();
        for (long i = 0; i < mask.Length; i++)
        {
            if (!mask[i]) continue;
            indices.Add(i);
            live.Add(values[i]);
        }
        ProtoMessage where = Head(name + ".indices", [indices.Count], Int64).Bytes(9, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(indices)).ToArray());
        ProtoMessage sparse = new ProtoMessage().Message(1, Tensor(name, [live.Count], [.. live])).Message(2, where);
        foreach (int dim in shape.Dims) sparse.Integer(3, dim);
        return sparse;
    }

    /// <summary>An input or output: a batch of any size.</summary>
    public static ProtoMessage Value(string name, params IEnumerable<long> sampleDims)
    {
        ProtoMessage shape = new ProtoMessage().Message(1, new ProtoMessage().Text(2, "N"));
        foreach (long dim in sampleDims) shape.Message(1, new ProtoMessage().Integer(1, dim));
        ProtoMessage tensor = new ProtoMessage().Integer(1, Float).Message(2, shape);
        return new ProtoMessage().Text(1, name).Message(2, new ProtoMessage().Message(1, tensor));
    }

    private static ProtoMessage Head(string name, IEnumerable<long> dims, int type)
    {
        var tensor = new ProtoMessage();
        foreach (long dim in dims) tensor.Integer(1, dim);
        return tensor.Integer(2, type).Text(8, name);
    }
}
