using System.Globalization;
using System.Runtime.InteropServices;
using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Libraries;

namespace Asni.Bench;

/// <summary>What the GPU can do at most, in GB/s read and written, TFLOP/s, and microseconds a launch; 0 for what it lacks.</summary>
/// <param name="Copy">Our copy.</param>
/// <param name="DriverCopy">The driver's copy.</param>
/// <param name="MmaBf16">Products of warps in bf16, operands in registers.</param>
/// <param name="WgmmaBf16">Products of warpgroups in bf16, operands in shared memory.</param>
/// <param name="CuBlasBf16">cuBLAS's product of two 8192 x 8192 matrices in bf16, from memory to memory.</param>
/// <param name="Launch">A launch.</param>
/// <param name="GraphLaunch">A launch in a graph.</param>
internal readonly record struct CudaCeilings(double Copy, double DriverCopy, double MmaBf16, double WgmmaBf16, double CuBlasBf16, double Launch,
    double GraphLaunch)
{
    /// <summary>The fewest milliseconds for so many bytes and operations.</summary>
    public double Milliseconds(double bytes, double operations) => Math.Max(bytes / Copy / 1e6, operations / Math.Max(MmaBf16, WgmmaBf16) / 1e9);
}

/// <summary>`cuda kernels`: what the driver made of each kernel. `cuda limits`: what the GPU can do at most. Lines of JSON.</summary>
internal sealed class CudaLimits : IDisposable
{
    public const string Options = "files | kernels [FILE...] | limits | smoke NET PRECISION | speed";

    private const long CopyBytes = 512L << 20;
    private const int Repeats = 20;
    private const string Wgmma = "limit_bf16_wgmma";

    private readonly CudaContext _context = CudaContext.Open();
    private readonly CudaStream _stream;
    private readonly CudaKernels _kernels;

    public CudaLimits()
    {
        _stream = new CudaStream(_context);
        _kernels = new CudaKernels(_context);
    }

    public static int Run(string[] args)
    {
        switch (args)
        {
            case ["speed"]:
                using (var speed = new CudaSpeed()) return speed.Measure();
            case ["smoke", var net, var precision]:
                return CudaSmoke.Run(net, precision);
            case ["files"]:
                using (var limits = new CudaLimits()) limits.Files();
                return 0;
            case ["kernels", .. var files]:
                using (var limits = new CudaLimits()) limits.Kernels(files);
                return 0;
            case ["limits"]:
                using (var limits = new CudaLimits()) limits.Limits();
                return 0;
            default:
                throw new UsageException($"cuda is followed by one of: {Options}.");
        }
    }

    public void Dispose()
    {
        _kernels.Dispose();
        _stream.Dispose();
        _context.Dispose();
    }

    /// <summary>The PTX files that hold the kernels, a line each: a driver can compile each in a process of its own.</summary>
    private void Files()
    {
        foreach (string file in _kernels.Files.Order(StringComparer.Ordinal)) Console.WriteLine(file);
    }

    /// <summary>A line for each kernel, of all files or of some.</summary>
    private void Kernels(string[] files)
    {
        foreach (string name in _kernels.Names.Order(StringComparer.Ordinal))
        {
            if (files.Length > 0 && !files.Contains(_kernels.FileOf(name))) continue;
            CudaKernel kernel = _kernels.Get(name);
            // The simulator has no registers to count.
            string Known(int value) => _context.IsSimulator ? "null" : value.ToString(CultureInfo.InvariantCulture);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"kernel\": \"{name}\", \"registers\": {Known(kernel.Registers)}, "
                + $"\"local_bytes\": {Known(kernel.LocalBytes)}, \"shared_bytes\": {kernel.SharedBytes}, \"max_threads\": {kernel.MaxThreads}}}"));
        }
    }

    private void Limits()
    {
        CudaCeilings c = Measure();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"gpu\": \"{_context.Name}\", \"capability\": \"{_context.Capability}\", "
            + $"\"driver\": {CudaContext.DriverVersion()}, \"multiprocessors\": {_context.MultiprocessorCount}, \"simulator\": {(_context.IsSimulator ? "true" : "false")}, "
            + $"\"copy_gbytes_per_second\": {c.Copy:f0}, \"driver_copy_gbytes_per_second\": {c.DriverCopy:f0}, "
            + $"\"mma_bf16_tflops\": {c.MmaBf16:f1}, \"wgmma_bf16_tflops\": {c.WgmmaBf16:f1}, \"cublas_bf16_tflops\": {c.CuBlasBf16:f1}, "
            + $"\"launch_microseconds\": {c.Launch:f2}, "
            + $"\"graph_launch_microseconds\": {c.GraphLaunch:f2}}}"));
    }

    public CudaCeilings Measure()
    {
        // The simulator's figures mean nothing; there it is enough that everything runs.
        long bytes = _context.IsSimulator ? 1 << 20 : CopyBytes;
        using CudaMemory x = new(_context, bytes), y = new(_context, bytes);
        FillRandom(x, bytes);
        CudaKernel copy = _kernels.Get("limit_copy"), empty = _kernels.Get("limit_empty");
        var copyArgs = new CopyArgs { X = x.Pointer, Y = y.Pointer, N = bytes / 16 };
        double copyMs = Milliseconds(() => copy.Launch(_stream, 16 * _context.MultiprocessorCount, 256, 0, copyArgs));
        double driverCopyMs = Milliseconds(() => _stream.Copy(y.Pointer, x.Pointer, bytes));
        // A warp's round is eight products; a block's of warpgroups is a tile of 128 x 256 sums.
        double mma = Products("limit_mma_bf16", 2, 0, 4096, 2.0 * 16 * 8 * 16 * 8 * 8, y);
        double wgmma = _kernels.Names.Contains(Wgmma) ? Products(Wgmma, 1, (128 + 256) * 128, 2048, 2.0 * 128 * 256 * 64, y) : 0;
        double cuBlas = CuBlasProducts(x, y);
        const int launches = 200;
        void Launches()
        {
            for (int i = 0; i < launches; i++) empty.Launch(_stream, 1, 32, 0, default(EmptyArgs));
        }
        double launchMs = Milliseconds(Launches);
        _stream.BeginCapture();
        Launches();
        using CudaGraph graph = _stream.EndCapture();
        double graphMs = Milliseconds(() => graph.Launch(_stream));
        return new(2 * bytes / copyMs / 1e6, 2 * bytes / driverCopyMs / 1e6, mma, wgmma, cuBlas, launchMs / launches * 1e3, graphMs / launches * 1e3);
    }

    /// <summary>TFLOP/s of a kernel of 256 threads that repeats products of so many operations a block and round.</summary>
    private double Products(string name, int blocksAMultiprocessor, int sharedBytes, int rounds, double operations, CudaMemory y)
    {
        CudaKernel kernel = _kernels.Get(name);
        int blocks = blocksAMultiprocessor * _context.MultiprocessorCount;
        if (_context.IsSimulator) (rounds, blocks) = (4, 2);
        var args = new ProductArgs { Y = y.Pointer, Rounds = rounds };
        double ms = Milliseconds(() => kernel.Launch(_stream, blocks, 256, sharedBytes, args));
        return operations * rounds * blocks / ms / 1e9;
    }

    /// <summary>Fills with bf16 numbers of both signs from 0.5 to 1: products of equal numbers take less power, and clocks stay higher.</summary>
    private void FillRandom(CudaMemory memory, long bytes)
    {
        uint[] block = [.. Enumerable.Range(0, (int)Math.Min(bytes, 16 << 20) / 4).Select(i =>
        {
            uint hash = (uint)i * 2654435761;
            return ((hash ^ (hash >> 15)) & 0x807f807f) | 0x3f003f00;
        })];
        for (long at = 0; at < bytes; at += block.Length * 4) _stream.Upload<uint>(memory.Pointer + (ulong)at, block);
    }

    /// <summary>TFLOP/s of cuBLAS's product of two square matrices; 0 without it.</summary>
    private double CuBlasProducts(CudaMemory x, CudaMemory y)
    {
        int side = _context.IsSimulator ? 16 : 8192;
        using CuBlas? blas = CuBlas.Open(_stream, CudaPrecision.Bf16);
        if (blas is null) return 0;
        CuBlasMatrix Matrix(ulong address) => new(address, CuBlasType.Bf16, side);
        ulong second = x.Pointer + (ulong)side * (ulong)side * sizeof(ushort);
        double ms = Milliseconds(() => blas.Multiply(side, side, side, Matrix(x.Pointer) with { Transposed = true }, Matrix(second), false, Matrix(y.Pointer)));
        return 2.0 * side * side * side / ms / 1e9;
    }

    private double Milliseconds(Action action) => Milliseconds(_stream, _context.IsSimulator ? 3 : Repeats, action);

    /// <summary>Median of single runs, by events in the stream.</summary>
    public static double Milliseconds(CudaStream stream, int repeats, Action action)
    {
        using CudaEvent start = new(stream.Context), end = new(stream.Context);
        var times = new List<double>();
        for (int i = 0; i < repeats; i++)
        {
            start.Record(stream);
            action();
            end.Record(stream);
            end.Synchronize();
            times.Add(end.MillisecondsSince(start));
        }
        times.Sort();
        return times[times.Count / 2];
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct CopyArgs
    {
        public ulong X, Y;
        public long N;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ProductArgs
    {
        public ulong Y;
        public int Rounds;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct EmptyArgs
    {
        public int N;
    }
}
