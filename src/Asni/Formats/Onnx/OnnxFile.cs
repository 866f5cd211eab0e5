using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Formats.Onnx;

/// <summary>Choices of an ONNX export.</summary>
/// <param name="KeepBatchNorm">Leave batch-norm as layers of its own; otherwise it becomes part of the weights before it.</param>
/// <param name="Sparse">Store pruned weights as sparse initializers where that is smaller (sparsity above 2/3). Not every consumer reads
/// them.</param>
public sealed record OnnxOptions(bool KeepBatchNorm = false, bool Sparse = false);

/// <summary>
/// Writes a network for inference as ONNX: operator set 17, input "input" [N, C, H, W] of any batch size, output "logits" [N, classes].
/// </summary>
public static class OnnxFile
{
    public const int OperatorSet = 17;

    /// <summary>The version of the format that came with operator set 17.</summary>
    private const int FormatVersion = 8;

    /// <exception cref="AsniException">The file cannot be written (nothing is left behind), or would exceed protobuf's 2 GiB.</exception>
    public static void Write(string path, TrainedNetwork trained, string phase, OnnxOptions options)
    {
        ProtoMessage graph = new OnnxGraph(options.KeepBatchNorm ? trained : FoldedNetwork.Fold(trained), options).Build();
        ProtoMessage model = new ProtoMessage().Integer(1, FormatVersion).Text(2, "asni").Message(7, graph)
            .Message(8, new ProtoMessage().Text(1, "").Integer(2, OperatorSet));
        void Metadata(string key, string value) => model.Message(14, new ProtoMessage().Text(1, key).Text(2, value));
        Metadata("network", trained.Network.Name);
        Metadata("phase", phase);
        if (model.Length > int.MaxValue) throw new AsniException($"{path} would have {model.Length} bytes; an ONNX file ends at 2 GiB.");
        AtomicFile.Write(path, model.WriteTo);
    }
}
