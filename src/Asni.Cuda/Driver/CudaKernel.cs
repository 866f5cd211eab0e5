using System.Runtime.CompilerServices;

namespace Asni.Cuda.Driver;

/// <summary>Blocks of a grid, or threads of a block.</summary>
internal readonly record struct Dim3(int X, int Y = 1, int Z = 1)
{
    /// <summary>Blocks that a grid may have in y and in z; in x any int.</summary>
    public const int MaxYZ = 65_535;

    public static implicit operator Dim3(int x) => new(x);
}

/// <summary>A kernel, which takes one struct.</summary>
internal sealed unsafe class CudaKernel
{
    private const int MaxThreadsPerBlock = 0, SharedSizeBytes = 1, LocalSizeBytes = 3, RegisterCount = 4, MaxDynamicSharedSizeBytes = 8;

    /// <summary>Static and dynamic shared memory together that a block has without asking for more.</summary>
    private const int SharedForAll = 48 << 10;

    // Set: every launch is waited for, so that an error is thrown where its kernel was launched.
    private static readonly bool s_synchronous = Environment.GetEnvironmentVariable("ASNI_SYNC") == "1";

    private readonly CudaContext _context;
    private readonly nint _function;
    private int _dynamicSharedBytes;

    internal CudaKernel(CudaContext context, string name, nint function)
    {
        _context = context;
        _function = function;
        Name = name;
        ParameterBytes = ParameterSize(function);
        SharedBytes = Attribute(SharedSizeBytes);
        _dynamicSharedBytes = DynamicSharedForAll(SharedBytes);
    }

    public string Name { get; }

    /// <summary>The size of the kernel's struct; null when the driver cannot tell (before CUDA 12.4).</summary>
    public int? ParameterBytes { get; }

    public int MaxThreads => Attribute(MaxThreadsPerBlock);

    /// <summary>Registers a thread.</summary>
    public int Registers => Attribute(RegisterCount);

    /// <summary>Local memory a thread: arrays and spilled registers.</summary>
    public int LocalBytes => Attribute(LocalSizeBytes);

    /// <summary>Static shared memory a block.</summary>
    public int SharedBytes { get; }

    /// <summary>Dynamic shared memory that a kernel with so much static may have without asking for more.</summary>
    internal static int DynamicSharedForAll(int staticBytes) => SharedForAll - staticBytes;

    /// <summary>How many blocks fit on one multiprocessor at once.</summary>
    public int BlocksPerMultiprocessor(int threads, int sharedBytes)
    {
        AllowShared(sharedBytes);
        CudaException.Check(Cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, _function, threads, (nuint)sharedBytes));
        return blocks;
    }

    /// <summary>Gives the kernel to the stream.</summary>
    /// <param name="stream">Whose order it takes.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads.</param>
    /// <param name="sharedBytes">Dynamic shared memory a block; with the static more than 48 KiB are allowed as far as the GPU has them.</param>
    /// <param name="args">Laid out as the kernel's own struct.</param>
    public void Launch<T>(CudaStream stream, Dim3 grid, Dim3 block, int sharedBytes, in T args) where T : unmanaged
    {
        if (ParameterBytes is { } expected && expected != Unsafe.SizeOf<T>())
            throw new InvalidOperationException($"{typeof(T).Name} has {Unsafe.SizeOf<T>()} bytes; kernel {Name} takes {expected}.");
        _context.MakeCurrent();
        AllowShared(sharedBytes);
        nuint size = (nuint)Unsafe.SizeOf<T>();
        fixed (T* pointer = &args)
        {
            // CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE and _END: the struct with its size, which the driver can then check.
            void** extra = stackalloc void*[] { (void*)1, pointer, (void*)2, &size, null };
            Check(Cuda.cuLaunchKernel(_function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)block.Z,
                (uint)sharedBytes, stream.Handle, null, extra), grid, block, sharedBytes);
        }
        if (s_synchronous && !stream.IsCapturing) Check(Cuda.cuStreamSynchronize(stream.Handle), grid, block, sharedBytes);
    }

    private void AllowShared(int bytes)
    {
        if (bytes <= _dynamicSharedBytes) return;
        int code = Cuda.cuFuncSetAttribute(_function, MaxDynamicSharedSizeBytes, bytes);
        if (code != 0)
            throw new CudaException(code, $"Kernel {Name} may not have {bytes} bytes of dynamic beside {SharedBytes} of static shared memory: {CudaException.Describe(code)}.");
        _dynamicSharedBytes = bytes;
    }

    private void Check(int code, Dim3 grid, Dim3 block, int sharedBytes)
    {
        if (code == 0) return;
        throw new CudaException(code, $"Kernel {Name} with {grid.X} x {grid.Y} x {grid.Z} blocks of {block.X} x {block.Y} x {block.Z} threads "
            + $"and {sharedBytes} bytes of shared memory failed: {CudaException.Describe(code)}.");
    }

    private int Attribute(int attribute)
    {
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuFuncGetAttribute(out int value, attribute, _function));
        return value;
    }

    private static int? ParameterSize(nint function)
    {
        try
        {
            return Cuda.cuFuncGetParamInfo(function, 0, out _, out nuint bytes) == 0 ? (int)bytes : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }
}
