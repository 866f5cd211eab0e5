using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>H, the second derivatives of a loss, by differences of its gradient: H v = (g(w + e v) - g(w - e v)) / 2e with e = 3e-4 (1 + |w|) / |v|. Needs a device that computes in fp32.</summary>
internal static class SecondDerivatives
{
    private const double RelativeStep = 3e-4;

    /// <exception cref="UsageException">The device computes in less than fp32.</exception>
    /// <param name="method">That needs it.</param>
    public static void RequireFullPrecision(Device device, string method)
    {
        if (device.HasReducedPrecision)
            throw new UsageException($"{method} compares gradients at weights that are nearly equal, which reduced precision does not tell apart: it needs a device that computes in fp32.");
    }

    /// <summary>State1 += 2e H v, with v in State0. The values then are what they were, to the bit.</summary>
    /// <param name="gradient">Of the same model.</param>
    /// <param name="tensors">That v has elements of; trained.</param>
    /// <returns>1 / 2e.</returns>
    public static float AddTimesDirection(Model model, IGradient gradient, Parameter[] tensors)
    {
        int[] indices = [.. tensors.Select(p => p.Index)];
        DeviceParameters on = model.Parameters;
        float[][] values = Read(on, tensors, ParameterSlot.Value);
        double norm = Norm(Read(on, tensors, ParameterSlot.State0));
        // Where v is 0, H v is.
        float step = norm > 0 ? (float)(RelativeStep * (1 + Norm(values)) / norm) : 1;
        foreach (int side in (int[])[1, -1])
        {
            on.Combine(indices, ElementFunction.Identity, ParameterSlot.State0, ParameterSlot.Value, side * step, b: 1);
            gradient.AddTo(ParameterSlot.State1, indices, side);
            foreach ((Parameter p, float[] before) in tensors.Zip(values)) on.Upload(p.Index, ParameterSlot.Value, before);
        }
        return (float)(0.5 / step);
    }

    private static float[][] Read(DeviceParameters on, Parameter[] tensors, ParameterSlot slot)
    {
        float[][] all = [.. tensors.Select(p => new float[p.Elements])];
        foreach ((Parameter p, float[] numbers) in tensors.Zip(all)) on.Download(p.Index, slot, numbers);
        return all;
    }

    private static double Norm(float[][] tensors) => Math.Sqrt(tensors.Sum(t => t.Sum(x => (double)x * x)));
}
