using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;

namespace Asni.Tests.Cpu.Sparse;

/// <summary>The ways in which weights change.</summary>
public enum WeightChange { Upload, Update, AssignBySign, Threshold }

/// <summary>A convolution or linear layer with bias, ReLU and a mask, random data, and all four passes by the dense or the sparse path.</summary>
internal sealed class SparseLayer : IDisposable
{
    private readonly CpuDevice _device;
    private readonly ConvolutionOperation _operation;
    private readonly DeviceParameters _parameters;
    private readonly ConvolutionSpec _spec;

    public SparseLayer(ConvolutionSpec spec, int threads)
    {
        _spec = spec;
        _device = new CpuDevice(threads);
        _operation = _device.CreateConvolution(spec);
        FilterShape f = spec.Filter;
        _parameters = _device.CreateParameters([
            new Parameter(0, "w", ParameterKind.Weight, new Shape(f.Out, f.In, f.Height, f.Width), f),
            new Parameter(1, "b", ParameterKind.Bias, new Shape(f.Out), new FilterShape(f.Out, 1, 1, 1))]);
        _parameters.Upload(1, ParameterSlot.Value, Random(f.Out, 9));
    }

    /// <summary>A linear layer over a flattened input.</summary>
    public static ConvolutionSpec Linear(Chw input, int outputs, int batch) =>
        new(batch, input, new FilterShape(outputs, input.Channels, input.Height, input.Width), 1, 0, 1, true, Activation.Relu, true, true);

    public static void AssertAgree(ConvolutionSpec spec, double density, int threads, int batch)
    {
        using var layer = new SparseLayer(spec, threads);
        layer.Prune(density, seed: 5);
        AssertClose(layer.Run(sparse: false, batch), layer.Run(sparse: true, batch), $"{spec}, density {density}, {threads} threads, batch {batch}");
    }

    public static void AssertClose(Dictionary<string, float[]> dense, Dictionary<string, float[]> sparse, string context)
    {
        foreach ((string name, float[] expected) in dense)
        {
            float[] actual = sparse[name];
            for (int i = 0; i < expected.Length; i++)
            {
                // An assertion an element would take longer than the layer.
                if (!(Math.Abs(actual[i] - expected[i]) <= 1e-4 * (1 + Math.Abs(expected[i])))) Assert.Fail($"{context}: {name}[{i}] is {actual[i]}, not {expected[i]}");
            }
        }
    }

    public void Change(WeightChange change)
    {
        if (change == WeightChange.Upload) _parameters.Upload(0, ParameterSlot.Value, Random((int)_parameters.Parameters[0].Elements, 8));
        else if (change == WeightChange.Update)
        {
            _parameters.Upload(0, ParameterSlot.Gradient, Random((int)_parameters.Parameters[0].Elements, 8));
            _parameters.Update(new OptimizerSettings { Kind = OptimizerKind.Sgd }.At(0.5, 1));
        }
        else if (change == WeightChange.AssignBySign) _parameters.AssignBySign(0, 0, 0.25f, -0.5f);
        else
        {
            _parameters.Prune([0], 20, new long[1]);
            _operation.SetMask(_parameters, 0);
        }
    }

    public void Prune(double density, ulong seed)
    {
        var random = new SplitMix64(seed);
        var mask = new Mask(_parameters.Parameters[0].Elements, live: false);
        for (long i = 0; i < mask.Length; i++) mask[i] = random.NextDouble() < density;
        Prune(mask);
    }

    /// <param name="mask">In PyTorch's order, OIHW.</param>
    public void Prune(Mask mask)
    {
        _parameters.SetMask(0, null);
        _parameters.Upload(0, ParameterSlot.Value, Random((int)mask.Length, 2));
        _parameters.SetMask(0, mask);
        _operation.SetMask(_parameters, 0);
    }

    public Dictionary<string, float[]> Run(bool sparse, int batch)
    {
        SparsePath.Forced = sparse;
        DeviceTensor x = Filled(_spec.Input, batch, 3), y = Filled(_spec.Output, batch, 4), dy = Filled(y.Shape, batch, 5), dx = Filled(_spec.Input, batch, 6);
        _operation.Forward(x, _parameters.Value(0), _parameters.Value(1), y);
        float[] output = Read(y);
        // The backward passes of both see one output: they would take different sides where rounding puts it on either side of 0.
        _device.Upload(Random(output.Length, 7), y);
        _operation.BackwardOutput(y, _parameters.Gradient(1), dy);
        var dw = new float[_parameters.Parameters[0].Elements];
        Array.Fill(dw, float.NaN); // what a run leaves out must not be there from the run before
        _parameters.Upload(0, ParameterSlot.Gradient, dw);
        _operation.BackwardWeights(x, dy, _parameters.Gradient(0));
        _operation.BackwardData(dy, _parameters.Value(0), accumulate: true, dx);
        _parameters.Download(0, ParameterSlot.Gradient, dw);
        Mask? mask = _parameters.GetMask(0);
        for (int i = 0; i < dw.Length; i++)
            if (mask is not null && !mask[i]) dw[i] = 0;
        var result = new Dictionary<string, float[]> { ["y"] = output, ["dw"] = dw, ["dx"] = Read(dx) };
        foreach (DeviceTensor t in (DeviceTensor[])[x, y, dy, dx]) t.Buffer.Dispose();
        return result;
    }

    public void Dispose()
    {
        _operation.Dispose();
        _parameters.Dispose();
        _device.Dispose();
    }

    private DeviceTensor Filled(Chw shape, int batch, ulong seed)
    {
        var tensor = new DeviceTensor(_device.Allocate(_device.ActivationBytes(_spec.Batch, shape)), 0, batch, shape);
        _device.Upload(Random((int)tensor.Elements, seed), tensor);
        return tensor;
    }

    private float[] Read(DeviceTensor tensor)
    {
        var values = new float[tensor.Elements];
        _device.Download(tensor, values);
        return values;
    }

    private static float[] Random(int count, ulong seed)
    {
        var random = new SplitMix64(seed);
        return [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1)];
    }
}
