using System.Runtime.InteropServices;

namespace Asni.Cuda.Driver;

/// <summary>
/// The functions of NVIDIA's driver that Asni uses, under their C names and with their C arguments; each returns a CUresult, 0 for success.
/// Handles are nint, device addresses ulong. The rest of the program uses the classes beside this one.
/// </summary>
internal static unsafe partial class Cuda
{
    private const string Library = NativeLibraries.Driver;

    static Cuda() => NativeLibraries.Register();

    [LibraryImport(Library)] internal static partial int cuInit(uint flags);
    [LibraryImport(Library)] internal static partial int cuDriverGetVersion(out int version);
    [LibraryImport(Library)] internal static partial int cuGetErrorName(int error, out nint name);
    [LibraryImport(Library)] internal static partial int cuGetErrorString(int error, out nint text);

    [LibraryImport(Library)] internal static partial int cuDeviceGetCount(out int count);
    [LibraryImport(Library)] internal static partial int cuDeviceGet(out int device, int ordinal);
    [LibraryImport(Library)] internal static partial int cuDeviceGetName(byte* name, int length, int device);
    [LibraryImport(Library)] internal static partial int cuDeviceGetAttribute(out int value, int attribute, int device);
    [LibraryImport(Library)] internal static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);
    [LibraryImport(Library)] internal static partial int cuDeviceGetUuid(out Guid uuid, int device);
    [LibraryImport(Library)] internal static partial int cuDevicePrimaryCtxRetain(out nint context, int device);
    [LibraryImport(Library)] internal static partial int cuDevicePrimaryCtxRelease_v2(int device);
    [LibraryImport(Library)] internal static partial int cuCtxSetCurrent(nint context);
    [LibraryImport(Library)] internal static partial int cuCtxSynchronize();

    [LibraryImport(Library)] internal static partial int cuMemGetInfo_v2(out nuint free, out nuint total);
    [LibraryImport(Library)] internal static partial int cuMemAlloc_v2(out ulong address, nuint bytes);
    [LibraryImport(Library)] internal static partial int cuMemFree_v2(ulong address);
    [LibraryImport(Library)] internal static partial int cuMemHostAlloc(out nint pointer, nuint bytes, uint flags);
    [LibraryImport(Library)] internal static partial int cuMemFreeHost(nint pointer);
    [LibraryImport(Library)] internal static partial int cuMemcpyHtoDAsync_v2(ulong to, void* from, nuint bytes, nint stream);
    [LibraryImport(Library)] internal static partial int cuMemcpyDtoHAsync_v2(void* to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Library)] internal static partial int cuMemcpyDtoDAsync_v2(ulong to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Library)] internal static partial int cuMemsetD8Async(ulong to, byte value, nuint count, nint stream);
    [LibraryImport(Library)] internal static partial int cuMemsetD32Async(ulong to, uint value, nuint count, nint stream);

    [LibraryImport(Library)] internal static partial int cuModuleLoadDataEx(out nint module, void* image, uint count, int* options, void** values);
    [LibraryImport(Library)] internal static partial int cuModuleUnload(nint module);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetFunction(out nint function, nint module, string name);
    [LibraryImport(Library)] internal static partial int cuFuncGetAttribute(out int value, int attribute, nint function);
    [LibraryImport(Library)] internal static partial int cuFuncSetAttribute(nint function, int attribute, int value);
    [LibraryImport(Library)] internal static partial int cuFuncGetParamInfo(nint function, nuint index, out nuint offset, out nuint bytes);
    [LibraryImport(Library)]
    internal static partial int cuOccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads, nuint sharedBytes);
    [LibraryImport(Library)]
    internal static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** parameters, void** extra);

    [LibraryImport(Library)] internal static partial int cuStreamCreate(out nint stream, uint flags);
    [LibraryImport(Library)] internal static partial int cuStreamDestroy_v2(nint stream);
    [LibraryImport(Library)] internal static partial int cuStreamSynchronize(nint stream);
    [LibraryImport(Library)] internal static partial int cuStreamWaitEvent(nint stream, nint waited, uint flags);
    [LibraryImport(Library)] internal static partial int cuStreamBeginCapture_v2(nint stream, int mode);
    [LibraryImport(Library)] internal static partial int cuStreamEndCapture(nint stream, out nint graph);
    [LibraryImport(Library)] internal static partial int cuGraphGetNodes(nint graph, nint* nodes, out nuint count);
    [LibraryImport(Library)] internal static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);
    [LibraryImport(Library)] internal static partial int cuGraphLaunch(nint executable, nint stream);
    [LibraryImport(Library)] internal static partial int cuGraphDestroy(nint graph);
    [LibraryImport(Library)] internal static partial int cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)] internal static partial int cuEventCreate(out nint created, uint flags);
    [LibraryImport(Library)] internal static partial int cuEventDestroy_v2(nint destroyed);
    [LibraryImport(Library)] internal static partial int cuEventRecord(nint recorded, nint stream);
    [LibraryImport(Library)] internal static partial int cuEventSynchronize(nint waited);
    [LibraryImport(Library)] internal static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);
}
