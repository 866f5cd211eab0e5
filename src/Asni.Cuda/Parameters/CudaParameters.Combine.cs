using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    protected override void CombineCore(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense)
    {
        ChunkList list = List(parameters);
        var args = new SlotArgs
        {
            Arena = _arena,
            Chunks = list.Pointer,
            X = Slot(x).Pointer,
            Y = Slot(y).Pointer,
            A = a,
            B = b,
            Function = (int)function,
            Dense = dense ? 1 : 0,
        };
        Launch("combine", list.Count, in args);
    }

    private struct SlotArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, X, Y;
        public float A, B;
        public int Function, Dense;
    }
}
