using Asni.Bench;
using Asni.Formats.Onnx;
using Asni.Networks;
using Microsoft.ML.OnnxRuntime;

namespace Asni.Peers;

/// <summary>Inference by ONNX Runtime of the file that <c>asni export --to onnx</c> writes: batch-norm folded, pruned weights as zeros.</summary>
internal sealed class OnnxSide : ISide
{
    private readonly InferenceSession _session;
    private readonly OrtValue _images, _result;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _run = new();
    private readonly float[] _logits;

    public OnnxSide(StepOptions o)
    {
        if (o.Training) throw new UsageException("ONNX Runtime's package does not train.");
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        try
        {
            OnnxFile.Write(file, Sides.NetworkOf(o), "initial", new OnnxOptions());
            using var options = new SessionOptions
            {
                IntraOpNumThreads = o.Threads,
                InterOpNumThreads = 1,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            };
            _session = new InferenceSession(file, options);
        }
        finally
        {
            File.Delete(file);
        }
        _logits = new float[o.Batch * o.Classes];
        _images = OrtValue.CreateTensorValueFromMemory(Sides.ImagesOf(o), [o.Batch, o.Input.Channels, o.Input.Height, o.Input.Width]);
        _result = OrtValue.CreateTensorValueFromMemory(_logits, [o.Batch, o.Classes]);
        _binding = _session.CreateIoBinding();
        _binding.BindInput(_session.InputNames[0], _images);
        _binding.BindOutput(_session.OutputNames[0], _result);
    }

    public string Engine => $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}";

    public void Step() => _session.RunWithBinding(_run, _binding);

    public float[] Answer()
    {
        Step();
        return _logits;
    }

    public void Dispose()
    {
        _binding.Dispose();
        _images.Dispose();
        _result.Dispose();
        _run.Dispose();
        _session.Dispose();
    }
}
