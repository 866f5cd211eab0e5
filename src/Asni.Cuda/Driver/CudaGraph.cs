namespace Asni.Cuda.Driver;

/// <summary>Recorded work that one call repeats.</summary>
internal sealed unsafe class CudaGraph : IDisposable
{
    private nint _executable;

    /// <param name="graph">The driver's graph; it is used up.</param>
    internal CudaGraph(nint graph)
    {
        try
        {
            CudaException.Check(Cuda.cuGraphGetNodes(graph, null, out nuint nodes));
            NodeCount = (int)nodes;
            CudaException.Check(Cuda.cuGraphInstantiateWithFlags(out _executable, graph, 0));
        }
        finally
        {
            Cuda.cuGraphDestroy(graph);
        }
    }

    /// <summary>Launches, copies and fills in it.</summary>
    public int NodeCount { get; }

    public void Launch(CudaStream stream)
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        stream.Context.MakeCurrent();
        CudaException.Check(Cuda.cuGraphLaunch(_executable, stream.Handle));
    }

    public void Dispose()
    {
        if (_executable == 0) return;
        nint executable = _executable;
        _executable = 0;
        CudaException.Check(Cuda.cuGraphExecDestroy(executable));
    }
}
