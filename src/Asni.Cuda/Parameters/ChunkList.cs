using Asni.Networks;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>The chunks of some parameters, by ascending index, on the device; or, chunk by chunk, the elements of each of their outputs.</summary>
    private sealed class ChunkList : IDisposable
    {
        private readonly CudaBuffer _chunks, _firsts;

        public ChunkList(CudaParameters owner, int[] parameters, bool byOutput)
        {
            Parameters = [.. parameters.Order()];
            var chunks = new List<ChunkArgs>();
            var firsts = new List<int>();
            foreach (int index in Parameters)
            {
                Parameter p = owner.Parameters[index];
                firsts.Add(chunks.Count);
                int step = byOutput ? p.Filter.FanIn : ChunkArgs.Elements;
                for (long first = 0; first < p.Elements; first += step) chunks.Add(new ChunkArgs(index, (int)first));
            }
            firsts.Add(chunks.Count);
            Count = chunks.Count;
            _chunks = new CudaBuffer(owner._stream, Math.Max(1, Count) * 8L);
            _firsts = new CudaBuffer(owner._stream, firsts.Count * sizeof(int));
            if (Count > 0) owner._stream.Upload<ChunkArgs>(_chunks.Pointer, chunks.ToArray());
            owner._stream.Upload<int>(_firsts.Pointer, firsts.ToArray());
        }

        /// <summary>Indices, ascending.</summary>
        public int[] Parameters { get; }

        /// <summary>Chunks.</summary>
        public int Count { get; }

        public ulong Pointer => _chunks.Pointer;

        /// <summary>First chunk of each parameter, and the end.</summary>
        public ulong Firsts => _firsts.Pointer;

        public void Dispose()
        {
            _chunks.Dispose();
            _firsts.Dispose();
        }
    }

    /// <summary>Made once for each set of parameters; there are few.</summary>
    private ChunkList List(ReadOnlySpan<int> parameters, bool byOutput = false)
    {
        int[] ordered = parameters.ToArray();
        Array.Sort(ordered);
        string key = string.Join(',', ordered) + (byOutput ? " by output" : "");
        if (!_lists.TryGetValue(key, out ChunkList? list)) _lists[key] = list = new ChunkList(this, ordered, byOutput);
        return list;
    }
}
