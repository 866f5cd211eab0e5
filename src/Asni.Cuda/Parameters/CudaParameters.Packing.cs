using System.Numerics;
using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    private readonly Dictionary<string, RowLayout> _layouts = [];
    private CudaBuffer? _row;

    public override void Pack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, Span<float> to)
    {
        RequirePackedLength(parameters, dense, to.Length);
        if (to.IsEmpty) return;
        ulong row = Grown(ref _row, (long)to.Length * sizeof(float));
        Pack(parameters, slot, dense, row);
        _stream.Download(to, row);
    }

    public override void Unpack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ReadOnlySpan<float> from)
    {
        RequirePackedLength(parameters, dense, from.Length);
        if (from.IsEmpty) return;
        ulong row = Grown(ref _row, (long)from.Length * sizeof(float));
        _stream.Upload(row, from);
        Unpack(parameters, slot, dense, row);
    }

    /// <inheritdoc cref="DeviceParameters.Pack"/>
    /// <param name="row">Device address of as many numbers.</param>
    public void Pack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ulong row) => Move(Layout(parameters, dense), slot, row, unpack: false);

    /// <inheritdoc cref="DeviceParameters.Unpack"/>
    /// <param name="row">Device address of as many numbers.</param>
    public void Unpack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ulong row) => Move(Layout(parameters, dense), slot, row, unpack: true);

    /// <summary>Leaves in the first of some rows their sum, in one binary tree over the rows.</summary>
    /// <param name="rows">Device address; they lie behind each other.</param>
    public void AddRows(ulong rows, int length, int count)
    {
        var args = new TreeSumArgs { Rows = rows, Length = length, Count = count };
        _kernels.Get("tree_sum").Launch(_stream, CudaDevice.Blocks(length, _stream.Context.MultiprocessorCount), CudaDevice.Threads, 0, in args);
    }

    private void Move(RowLayout layout, ParameterSlot slot, ulong row, bool unpack)
    {
        if (layout.Length == 0) return;
        var args = new PackArgs
        {
            Arena = _arena,
            Chunks = layout.Chunks.Pointer,
            Firsts = layout.Firsts.Pointer,
            Numbers = Slot(slot).Pointer,
            Row = row,
            Dense = layout.Dense ? 1 : 0,
            Unpack = unpack ? 1 : 0,
        };
        Launch("pack", layout.Chunks.Count, in args);
    }

    /// <summary>Made once for each set of parameters while their masks stay.</summary>
    private RowLayout Layout(ReadOnlySpan<int> parameters, bool dense)
    {
        int[] ordered = parameters.ToArray();
        Array.Sort(ordered);
        string key = string.Join(',', ordered) + (dense ? " dense" : "");
        if (_layouts.TryGetValue(key, out RowLayout? layout) && (dense || layout.MasksVersion == MasksVersion)) return layout;
        DropLayouts();
        return _layouts[key] = NewLayout(new ChunkList(this, ordered, byOutput: false), dense);
    }

    /// <summary>Those of masks that have moved.</summary>
    private void DropLayouts()
    {
        string[] stale = [.. _layouts.Where(l => !l.Value.Dense && l.Value.MasksVersion != MasksVersion).Select(l => l.Key)];
        // Launches that read them may not be done.
        if (stale.Length > 0) _stream.Synchronize();
        foreach (string key in stale)
        {
            _layouts[key].Dispose();
            _layouts.Remove(key);
        }
    }

    private RowLayout NewLayout(ChunkList chunks, bool dense)
    {
        var firsts = new List<int>(chunks.Count);
        long length = 0;
        foreach (int index in chunks.Parameters)
        {
            Parameter p = Parameters[index];
            bool all = dense || _live[index] == p.Elements;
            ReadOnlySpan<uint> words = all ? default : FetchMask(p);
            for (long first = 0; first < p.Elements; first += ChunkArgs.Elements)
            {
                firsts.Add(checked((int)length));
                if (all) length += Math.Min(ChunkArgs.Elements, p.Elements - first);
                else
                    foreach (uint word in words[(int)(first / 32)..(int)Math.Min((first + ChunkArgs.Elements) / 32, words.Length)]) length += BitOperations.PopCount(word);
            }
        }
        var buffer = new CudaBuffer(_stream, Math.Max(1, firsts.Count) * sizeof(int));
        if (firsts.Count > 0) _stream.Upload<int>(buffer.Pointer, firsts.ToArray());
        return new RowLayout(chunks, buffer, checked((int)length), dense, MasksVersion);
    }

    /// <summary>A mask's bits in the device's order.</summary>
    private uint[] FetchMask(Parameter p)
    {
        var words = new uint[(p.Elements + 31) / 32];
        _stream.Download<uint>(words, _masks.Pointer + (ulong)_offsets[p.Index] / 8);
        if (p.Elements % 32 != 0) words[^1] &= (1u << (int)(p.Elements % 32)) - 1;
        return words;
    }

    /// <summary>How the live numbers of some parameters lie side by side.</summary>
    /// <param name="Firsts">Of each chunk.</param>
    /// <param name="Length">Of the row.</param>
    private sealed record RowLayout(ChunkList Chunks, CudaBuffer Firsts, int Length, bool Dense, int MasksVersion) : IDisposable
    {
        public void Dispose()
        {
            Chunks.Dispose();
            Firsts.Dispose();
        }
    }

    private struct TreeSumArgs
    {
        public ulong Rows;
        public long Length;
        public int Count;
    }

    private struct PackArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Firsts, Numbers, Row;
        public int Dense, Unpack;
    }
}
