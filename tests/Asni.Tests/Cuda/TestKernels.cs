using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>The struct of most test kernels: x, y and a number.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ArrayArgs
{
    public ulong X, Y;
    public int N;
}

/// <summary>
/// What a test of single kernels needs: a context, a stream, arrays on the device, and the kernels of native/tests; on the simulator
/// those of native/simulator/tests too.
/// </summary>
internal sealed class TestKernels : IDisposable
{
    private readonly CudaKernels? _kernels;
    private readonly CudaModule? _all;
    private readonly List<CudaMemory> _memory = [];

    public TestKernels()
    {
        Context = CudaTest.Open();
        Stream = new CudaStream(Context);
        if (Context.IsSimulator) _all = new CudaModule(Context, "the simulator", Ptx.SimulatorStub);
        else _kernels = new CudaKernels(Context, typeof(TestKernels).Assembly);
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    public CudaKernel Kernel(string name) => _all?.GetKernel(name) ?? _kernels!.Get(name);

    /// <summary>The order in which the simulator runs blocks and threads; a GPU has its own.</summary>
    public void SetSeed(int seed)
    {
        if (Context.IsSimulator) CudaTest.SetSeed((ulong)seed);
    }

    /// <summary>Skips the test on a GPU.</summary>
    public void NeedSimulator() => CudaTest.RequireSimulator(Context);

    public CudaMemory Array<T>(params T[] values) where T : unmanaged
    {
        CudaMemory memory = Empty<T>(values.Length);
        Stream.Upload<T>(memory.Pointer, values);
        return memory;
    }

    public CudaMemory Empty<T>(int count) where T : unmanaged
    {
        var memory = new CudaMemory(Context, count * Marshal.SizeOf<T>());
        _memory.Add(memory);
        return memory;
    }

    public T[] Read<T>(CudaMemory memory) where T : unmanaged
    {
        var values = new T[memory.Bytes / Marshal.SizeOf<T>()];
        Stream.Download<T>(values, memory.Pointer);
        return values;
    }

    /// <summary>Launches and waits.</summary>
    public void Run<T>(string kernel, int grid, int block, T args, int sharedBytes = 0) where T : unmanaged
    {
        Kernel(kernel).Launch(Stream, grid, block, sharedBytes, in args);
        Stream.Synchronize();
    }

    public void Dispose()
    {
        foreach (CudaMemory memory in _memory) memory.Dispose();
        _all?.Dispose();
        _kernels?.Dispose();
        Stream.Dispose();
        Context.Dispose();
    }
}
