using Asni.Devices;
using Asni.Networks;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>A mask in which all elements live.</summary>
    private CudaBuffer? _allLive;

    /// <summary>t of each parameter, by its index.</summary>
    private CudaBuffer? _own;

    protected override void MapValuesCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own) => Map("map_values", parameters, map, own);

    protected override void MapGradientsCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own) => Map("map_gradients", parameters, map, own);

    private void Map(string kernel, ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        ChunkList list = List(parameters);
        var args = new MapArgs
        {
            Arena = _arena,
            Chunks = list.Pointer,
            Master = Slot(ParameterSlot.Master).Pointer,
            Gates = map.ReadsGate ? Slot(ParameterSlot.Gate).Pointer : 0,
            Noise = map.Noise != 0 ? Slot(ParameterSlot.Score).Pointer : 0,
            GateGradients = map.HasGateGradient ? Slot(ParameterSlot.GateGradient).Pointer : 0,
            Own = map.HasOwnNumbers ? UploadOwn(parameters, own) : 0,
            A = map.A,
            B = map.B,
            Penalty = map.Penalty,
            NoiseFactor = map.Noise,
            Function = (int)map.Function,
        };
        Launch(kernel, list.Count, in args);
    }

    private ulong UploadOwn(ReadOnlySpan<int> parameters, ReadOnlySpan<float> own)
    {
        var byIndex = new float[Parameters.Length];
        for (int i = 0; i < parameters.Length; i++) byIndex[parameters[i]] = own[i];
        ulong to = Grown(ref _own, byIndex.Length * sizeof(float));
        _stream.Upload<float>(to, byIndex);
        return to;
    }

    private ulong AllLive()
    {
        if (_allLive is null)
        {
            _allLive = new CudaBuffer(_stream, _masks.Bytes);
            _stream.Fill32(_allLive.Pointer, uint.MaxValue, _total / 32);
        }
        return _allLive.Pointer;
    }

    protected override void MoveGatesCore(ReadOnlySpan<int> parameters, float below, float above)
    {
        ChunkList list = List(parameters);
        var args = new GateArgs { Arena = _arena, Chunks = list.Pointer, Gates = Slot(ParameterSlot.Gate).Pointer, Below = below, Above = above };
        Launch("move_gates", list.Count, in args);
    }

    protected override void MarkGroupsCore(int parameter, int of, int keep, int positions, Ranking ranking)
    {
        ChunkList list = List([parameter]);
        FilterShape filter = Parameters[parameter].Filter;
        var args = new GroupArgs
        {
            Arena = _arena,
            Chunks = list.Pointer,
            Numbers = Slot(ranking.Slot()).Pointer,
            IsSigned = ranking.IsSigned() ? 1 : 0,
            Gates = Slot(ParameterSlot.Gate).Pointer,
            FanIn = (int)filter.FanIn,
            Positions = positions,
            Of = of,
            Keep = keep,
        };
        Launch("mark_groups", list.Count, in args);
    }

    private struct GroupArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Numbers;
        public int IsSigned;
        public ulong Gates;
        public int FanIn, Positions, Of, Keep;
    }

    private struct GateArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Gates;
        public float Below, Above;
    }

    private struct MapArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Master, Gates, Noise, GateGradients, Own;
        public float A, B, Penalty, NoiseFactor;
        public int Function;
    }
}
