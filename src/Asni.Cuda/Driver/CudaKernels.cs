using System.Reflection;
using Asni.Devices;

namespace Asni.Cuda.Driver;

/// <summary>
/// The kernels of this assembly, or of another that embeds PTX as this one does, on one GPU, by name. A kernel's file is compiled by the
/// driver when the first of its kernels is asked for.
/// </summary>
internal sealed class CudaKernels : IDisposable
{
    private readonly CudaContext _context;
    private readonly string? _architecture;
    private readonly PtxFiles _ptx;
    private readonly Dictionary<string, CudaModule> _modules = [];
    private readonly Dictionary<string, CudaKernel> _kernels = [];
    private readonly Lock _lock = new();

    /// <exception cref="DeviceUnavailableException">This build has no kernels for the GPU.</exception>
    public CudaKernels(CudaContext context, Assembly? assembly = null)
    {
        _context = context;
        _architecture = Ptx.Best(Ptx.Architectures(assembly), context.Capability);
        if (_architecture == null && !context.IsSimulator)
        {
            throw CudaContext.Unusable($"This build of Asni holds no GPU kernels for {context.Name}; install clang 19 (apt-get install clang-19) "
                + "or the CUDA toolkit, and run ./build.sh.");
        }
        _ptx = _architecture == null ? PtxFiles.None : Ptx.Read(_architecture, assembly);
    }

    /// <summary>What their PTX is for, as "sm_90a"; null when the simulator runs without PTX.</summary>
    public string? Architecture => _architecture;

    /// <summary>The names of all kernels; empty when the simulator runs without PTX.</summary>
    public IEnumerable<string> Names => _ptx.FileOfKernel.Keys;

    /// <summary>Tells builds of the kernels apart.</summary>
    public string Fingerprint => _ptx.Fingerprint;

    /// <summary>The PTX files that hold them.</summary>
    public IEnumerable<string> Files => _ptx.Texts.Keys;

    /// <summary>The PTX file of a kernel in <see cref="Names"/>.</summary>
    public string FileOf(string kernel) => _ptx.FileOfKernel[kernel];

    /// <exception cref="CudaException">No such kernel, or the driver refuses its PTX.</exception>
    public CudaKernel Get(string name)
    {
        lock (_lock)
        {
            if (_kernels.TryGetValue(name, out CudaKernel? kernel)) return kernel;
            return _kernels[name] = Module(name).GetKernel(name);
        }
    }

    public void Dispose()
    {
        foreach (CudaModule module in _modules.Values) module.Dispose();
        _modules.Clear();
        _kernels.Clear();
    }

    private CudaModule Module(string kernel)
    {
        if (!_ptx.FileOfKernel.TryGetValue(kernel, out string? file) && _architecture != null)
            throw new CudaException(CudaException.NotFound, $"There is no kernel {kernel} in this build's PTX for {_architecture}; run ./build.sh again.");
        file ??= "the simulator";
        if (_modules.TryGetValue(file, out CudaModule? module)) return module;
        return _modules[file] = _architecture == null
            ? new CudaModule(_context, file, Ptx.SimulatorStub)
            : new CudaModule(_context, $"{file} ({_architecture})", _ptx.Texts[file]);
    }
}
