using System.Globalization;
using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Bench;

/// <summary>What the GPU can do at most, in GB/s read and written, TFLOP/s, and microseconds a launch.</summary>
internal readonly record struct CudaCeilings(double Copy, double DriverCopy, double MmaBf16, double Launch, double GraphLaunch)
{
    /// <summary>The fewest milliseconds for so many bytes and operations.</summary>
    public double Milliseconds(double bytes, double operations) => Math.Max(bytes / Copy / 1e6, operations / MmaBf16 / 1e9);
}

/// <summary>`cuda kernels`: what the driver made of each kernel. `cuda limits`: what the GPU can do at most. Lines of JSON.</summary>
internal sealed class CudaLimits : IDisposable
{
    private const long CopyBytes = 512L << 20;
    private const int Repeats = 20;

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
        try
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
                    throw new UsageException("cuda knows files, kernels [FILE...], limits, smoke NET PRECISION and speed.");
            }
        }
        catch (AsniException e)
        {
            Console.Error.WriteLine(e.Message);
            return e.ExitCode;
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
            + $"\"mma_bf16_tflops\": {c.MmaBf16:f1}, \"launch_microseconds\": {c.Launch:f2}, "
            + $"\"graph_launch_microseconds\": {c.GraphLaunch:f2}}}"));
    }

    public CudaCeilings Measure()
    {
        // The simulator's figures mean nothing; there it is enough that everything runs.
        long bytes = _context.IsSimulator ? 1 << 20 : CopyBytes;
        int rounds = _context.IsSimulator ? 4 : 4096, blocks = 2 * _context.MultiprocessorCount;
        using CudaMemory x = new(_context, bytes), y = new(_context, bytes);
        _stream.Fill32(x.Pointer, 0x3f800000, bytes / 4);
        CudaKernel copy = _kernels.Get("limit_copy"), mma = _kernels.Get("limit_mma_bf16"), empty = _kernels.Get("limit_empty");
        var copyArgs = new CopyArgs { X = x.Pointer, Y = y.Pointer, N = bytes / 16 };
        var mmaArgs = new MmaArgs { Y = y.Pointer, Rounds = rounds };
        double copyMs = Milliseconds(() => copy.Launch(_stream, 16 * _context.MultiprocessorCount, 256, 0, copyArgs));
        double driverCopyMs = Milliseconds(() => _stream.Copy(y.Pointer, x.Pointer, bytes));
        double mmaMs = Milliseconds(() => mma.Launch(_stream, blocks, 256, 0, mmaArgs));
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
        double flops = 2.0 * 16 * 8 * 16 * 8 * rounds * (256 / 32) * blocks;
        return new(2 * bytes / copyMs / 1e6, 2 * bytes / driverCopyMs / 1e6, flops / mmaMs / 1e9, launchMs / launches * 1e3, graphMs / launches * 1e3);
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
    private struct MmaArgs
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
