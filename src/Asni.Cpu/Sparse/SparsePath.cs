using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>A filter's weights, and the number of their last change.</summary>
internal readonly unsafe record struct WeightValues(nint Address, long Version)
{
    public static WeightValues FromTensor(in ParameterTensor w) => new((nint)CpuBuffer.Floats(w), ((CpuBuffer)w.Buffer).Version);

    public float* Weights => (float*)Address;
}

/// <summary>The passes of a layer at a cost that follows its live weights. A pass that does not pay is left to the dense path.</summary>
internal abstract unsafe class SparsePath : IDisposable
{
    [ThreadStatic]
    private static bool? t_forced;

    /// <summary>Set by tests for their own thread: true or false forces a path, null lets the cost model choose.</summary>
    internal static bool? Forced { get => t_forced; set => t_forced = value; }

    /// <summary>Null: every weight lives, nothing pays.</summary>
    public abstract void SetMask(Mask? mask);

    /// <summary>The same for another caller, who only runs forward, with this one's lists of live weights. The mask must stay as it is; this one is disposed of last.</summary>
    public abstract SparsePath ForAnotherCaller(Workers workers, Scratch scratch);

    public abstract bool TakesForward(int batch);
    public abstract bool TakesBackwardWeights(int batch);
    public abstract bool TakesBackwardData(int batch);

    public abstract void Forward(float* x, WeightValues w, float* bias, int batch, float* y);

    public abstract void BackwardData(float* dy, WeightValues w, bool accumulate, int batch, float* dx);

    /// <summary>Gradients of live weights only; others keep what they hold.</summary>
    public abstract void BackwardWeights(float* x, float* dy, int batch, float* dw);

    /// <summary>Forward begins: what was kept of x and dy no longer holds.</summary>
    public virtual void Forget() { }

    /// <summary>What was kept of dy no longer holds.</summary>
    public virtual void ForgetGradient() { }

    public abstract void Dispose();
}
