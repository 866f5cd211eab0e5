using Asni.Cpu;

namespace Asni.Bench;

internal static class Memory
{
    /// <summary>Bytes that tensors, lists and objects take.</summary>
    public static long Live()
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        GC.WaitForPendingFinalizers();
        return managed + CpuBuffer.LiveBytes;
    }
}
