using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    protected override void CombineCore(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense) =>
        Combine(_arena, List(parameters), function, x, y, a, b, dense);

    public override void CombineRunning(ParameterSlot x, ParameterSlot y, float a, float b) =>
        Combine(_arena, List(Running), ElementFunction.Identity, x, y, a, b, dense: true);

    /// <param name="arena">With the mask that counts.</param>
    private void Combine(in ArenaArgs arena, ChunkList list, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense)
    {
        var args = new SlotArgs
        {
            Arena = arena,
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
