using System.Collections.Concurrent;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>One convolution or linear layer, run forward and backward with <paramref name="Batch"/> samples.</summary>
internal sealed record ConvolutionCase(ConvolutionSpec Spec, int Batch, bool Accumulate, double Density = 1)
{
    /// <summary>The reference's outputs: the cases are run on several devices, the slow loops once.</summary>
    private static readonly ConcurrentDictionary<ConvolutionCase, Lazy<Outputs>> Expected = [];

    /// <summary>
    /// Errors of a sum of n products of numbers below 1 grow like sqrt(n) roundings of 6e-8; the factor leaves room for any order of
    /// summation and for kernels that trade a few bits (Winograd's), and is far below one missing product.
    /// </summary>
    public void AssertAgrees(DeviceCase device)
    {
        Outputs expected = Expected.GetOrAdd(this, c => new Lazy<Outputs>(() => c.Run(DeviceCase.OpenReference(), null))).Value;
        int terms = Math.Max(
            Math.Max(Spec.Filter.FanIn, Batch * Spec.Output.Positions),
            Spec.Filter.Out / Spec.Groups * Spec.Filter.Height * Spec.Filter.Width);
        // Minimal filtering, which a device may use for 3x3 filters, rounds a few times as much as a plain sum.
        double unit = Spec.Filter is { Height: 3, Width: 3 } && Spec.Stride == 1 && Spec.Groups == 1 ? 5e-6 : 1e-6;
        Outputs.AssertClose(expected, Run(device.Open(), expected["y"]), unit * Math.Sqrt(terms), 1e-5, this);
    }

    /// <summary>
    /// All outputs of the layer. The backward pass gets the reference's forward outputs, so that a value on an activation's kink cannot be
    /// seen from different sides. Memory that must be overwritten starts as NaN, and so does the rest of a batch that is not full.
    /// </summary>
    public Outputs Run(Workbench bench, float[]? forwardOutput)
    {
        using Workbench _ = bench;
        var vector = new FilterShape(Spec.Filter.Out, 1, 1, 1);
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, Spec.Filter), (ParameterKind.Bias, vector));
        p.Upload(0, ParameterSlot.Value, Values.Random(1, p.Parameters[0].Elements));
        p.Upload(1, ParameterSlot.Value, Values.Random(2, Spec.Filter.Out));
        p.Upload(0, ParameterSlot.Gradient, Values.Constant(p.Parameters[0].Elements, float.NaN));
        p.Upload(1, ParameterSlot.Gradient, Values.Constant(Spec.Filter.Out, float.NaN));
        ConvolutionOperation convolution = bench.Own(bench.Device.CreateConvolution(Spec));
        Mask? mask = Density < 1 ? Values.Mask(3, p.Parameters[0].Elements, Density) : null;
        p.SetMask(0, mask);
        convolution.SetMask(p, 0);

        var outputs = new Outputs();
        DeviceTensor x = Partial(bench, Spec.Input, Values.Random(4, Batch * Spec.Input.Elements)), y = Unwritten(bench, Spec.Output);
        convolution.Forward(x, p.Value(0), Spec.Bias ? p.Value(1) : null, y);
        outputs.Add("y", bench.Read(y));
        if (!Spec.Training) return outputs;

        DeviceTensor dy = Partial(bench, Spec.Output, Values.Random(5, Batch * Spec.Output.Elements));
        if (forwardOutput != null) bench.Device.Upload(forwardOutput, y);
        convolution.BackwardOutput(y, Spec.Bias ? p.Gradient(1) : null, dy);
        convolution.BackwardWeights(x, dy, p.Gradient(0));
        outputs.Add("dy", bench.Read(dy));
        if (Spec.Bias) outputs.Add("db", Workbench.Read(p, 1, ParameterSlot.Gradient));
        outputs.Add("dw", Live(Workbench.Read(p, 0, ParameterSlot.Gradient), mask));
        if (mask != null)
        {
            p.Upload(0, ParameterSlot.Gradient, Values.Constant(p.Parameters[0].Elements, float.NaN));
            convolution.BackwardWeights(x, dy, p.Gradient(0), dense: true);
            outputs.Add("dense dw", Workbench.Read(p, 0, ParameterSlot.Gradient));
        }
        if (Spec.InputGradient)
        {
            DeviceTensor dx = Accumulate
                ? Partial(bench, Spec.Input, Values.Random(6, Batch * Spec.Input.Elements))
                : Unwritten(bench, Spec.Input);
            convolution.BackwardData(dy, p.Value(0), Accumulate, dx);
            outputs.Add("dx", bench.Read(dx));
        }
        return outputs;
    }

    public override string ToString() =>
        $"{Spec.Input} -> {Spec.Filter.Out}, kernel {Spec.Filter.Height}x{Spec.Filter.Width}/{Spec.Stride} pad {Spec.Padding} " +
        $"groups {Spec.Groups}, batch {Batch} of {Spec.Batch}, {(Spec.Bias ? "bias" : "no bias")}, {Spec.Activation}, " +
        $"{(Accumulate ? "accumulate" : "overwrite")}, density {Density}";

    /// <summary>A tensor with room for the whole batch: <see cref="Batch"/> samples have these values and the rest is NaN.</summary>
    private DeviceTensor Partial(Workbench bench, Chw shape, float[] values)
    {
        DeviceTensor tensor = Unwritten(bench, shape);
        bench.Device.Upload(values, tensor);
        return tensor;
    }

    private DeviceTensor Unwritten(Workbench bench, Chw shape) => bench.Unwritten(Spec.Batch, shape).WithBatch(Batch);

    private static float[] Live(float[] gradient, Mask? mask)
    {
        if (mask == null) return gradient;
        for (int i = 0; i < gradient.Length; i++)
            if (!mask[i]) gradient[i] = 0;
        return gradient;
    }
}
