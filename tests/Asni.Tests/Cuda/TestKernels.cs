using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>The struct of the test kernels in native/simulator/tests: x, y and a number.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ArrayArgs
{
    public ulong X, Y;
    public int N;
}

/// <summary>What a test of single kernels needs: a context, a stream, the simulator's own kernels, and arrays on the device.</summary>
internal sealed class TestKernels : IDisposable
{
    private readonly CudaModule _module;
    private readonly List<CudaMemory> _memory = [];

    public TestKernels()
    {
        Context = CudaTest.OpenSimulator();
        Stream = new CudaStream(Context);
        _module = new CudaModule(Context, "the simulator", Ptx.SimulatorStub);
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    public CudaKernel Kernel(string name) => _module.GetKernel(name);

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
        _module.Dispose();
        Stream.Dispose();
        Context.Dispose();
    }
}
