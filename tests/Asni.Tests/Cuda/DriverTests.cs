using System.Runtime.InteropServices;
using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Devices;

namespace Asni.Tests.Cuda;

/// <summary>The classes over the driver's functions, and what they say when something is wrong.</summary>
[NonParallelizable]
public class DriverTests
{
    private TestKernels _test = null!;

    [SetUp]
    public void Open() => _test = new TestKernels();

    [TearDown]
    public void Close() => _test?.Dispose();

    [Test]
    public void A_context_tells_what_the_device_is()
    {
        _test.NeedSimulator();
        Assert.Multiple(() =>
        {
            Assert.That(_test.Context.Name, Is.EqualTo("Asni CUDA simulator"));
            Assert.That(_test.Context.Capability, Is.EqualTo(new Version(9, 0)));
            Assert.That(_test.Context.MultiprocessorCount, Is.Positive);
            Assert.That(_test.Context.MaxSharedBytes, Is.EqualTo(227 << 10));
            Assert.That(CudaContext.DriverVersion(), Is.GreaterThanOrEqualTo(CudaContext.OldestDriver));
            Assert.That(CudaContext.GetUnavailableReason(), Is.Null);
        });
    }

    [Test]
    public void Free_memory_follows_allocations()
    {
        _test.NeedSimulator();
        long before = _test.Context.FreeMemory;
        using (new CudaMemory(_test.Context, 1 << 20)) Assert.That(_test.Context.FreeMemory, Is.EqualTo(before - (1 << 20)));
        Assert.That(_test.Context.FreeMemory, Is.EqualTo(before));
    }

    [Test]
    public void Too_little_memory_is_one_sentence_with_both_sizes()
    {
        _test.NeedSimulator();
        CudaTest.SetMemoryLimit(1 << 20);
        try
        {
            var e = Assert.Throws<DeviceMemoryException>(() => new CudaMemory(_test.Context, 3 << 20))!;
            Assert.That(e.Message, Does.Contain("3.0 MiB").And.Contain("1.0 MiB of").And.Contain("smaller batch"));
        }
        finally
        {
            CudaTest.SetMemoryLimit(0);
        }
    }

    [Test]
    public void A_GPU_that_is_not_there_is_one_sentence()
    {
        _test.NeedSimulator();
        Assert.That(() => CudaContext.Open(7),
            Throws.TypeOf<AsniException>().With.Message.EqualTo("There is no GPU number 7: the CUDA driver finds one GPU, number 0."));
    }

    [Test]
    public void An_old_driver_is_one_sentence() =>
        Assert.That(() => CudaContext.RequireVersion(11040), Throws.TypeOf<DeviceUnavailableException>().With.Message.Contains("for CUDA 11.4 and Asni needs 12.0"));

    [Test]
    public void An_old_GPU_is_one_sentence() =>
        Assert.That(() => CudaContext.RequireCapability("Tesla T4", new Version(7, 5)),
            Throws.TypeOf<DeviceUnavailableException>().With.Message.Contains("Tesla T4 has compute capability 7.5"));

    [Test]
    public void A_driver_that_cannot_be_loaded_is_one_sentence_naming_what_was_looked_for() =>
        Assert.That(NativeLibraries.NoDriver(), Does.Contain(NativeLibraries.Candidates(NativeLibraries.Driver)[0]));

    [Test]
    public void A_refused_PTX_is_told_with_the_compilers_log()
    {
        _test.NeedSimulator();
        Assert.That(() => new CudaModule(_test.Context, "broken", "not ptx"), Throws.TypeOf<CudaException>()
            .With.Message.Contains("refuses the PTX of broken: CUDA_ERROR_INVALID_PTX").And.Message.Contains("Missing .version directive"));
    }

    [Test]
    public void A_kernel_that_is_not_there_is_named() =>
        Assert.That(() => _test.Kernel("no_such_kernel"), Throws.TypeOf<CudaException>().With.Message.Contains("no kernel no_such_kernel"));

    [Test]
    public void A_struct_of_the_wrong_size_is_refused() =>
        Assert.That(() => _test.Run("test_reverse", 1, 32, new Dim3(1)), Throws.InvalidOperationException.With.Message.Contains("takes 24"));

    [TestCase(0, 32, 0, "empty")]
    [TestCase(1, 512, 0, "launch bounds allow 256")]
    [TestCase(1, 2048, 0, "too large")]
    public void A_launch_of_a_wrong_shape_is_refused_by_name(int grid, int block, int sharedBytes, string reason)
    {
        _test.NeedSimulator();
        Assert.That(() => _test.Run("test_reverse", grid, block, default(ArrayArgs), sharedBytes),
            Throws.TypeOf<CudaException>().With.Message.Contains("Kernel test_reverse").And.Message.Contains(reason));
    }

    [Test]
    public void More_shared_memory_than_the_device_has_is_refused()
    {
        _test.NeedSimulator();
        Assert.That(() => _test.Run("test_dynamic_reverse", 1, 32, default(ArrayArgs), 300 << 10),
            Throws.TypeOf<CudaException>().With.Message.Contains("232448"));
    }

    [Test]
    public void Static_and_dynamic_shared_memory_that_pass_48_KiB_together_are_asked_for()
    {
        using var device = new CudaDevice(0, CudaPrecision.Bf16);
        // 49,152 bytes of dynamic shared memory are just what every launch may have, but for the 1,024 static ones.
        ConvolutionTile tile = ConvolutionTile.All.Single(t => t is { Precision: CudaPrecision.Bf16, Name: "128x64" });
        Assert.That(tile.SharedBytes, Is.EqualTo(48 << 10));
        CudaKernel kernel = device.Runtime.Kernels.Get(tile.KernelName(ConvolutionPass.Forward));
        var noImages = new ConvolutionArgs
        {
            Height = 1,
            Width = 1,
            Channels = 8,
            OutHeight = 1,
            OutWidth = 1,
            OutChannels = 64,
            FilterHeight = 1,
            FilterWidth = 1,
            Stride = 1,
            Groups = 1,
            Splits = 1,
        };
        Assert.That(() => kernel.Launch(device.Stream, 1, tile.Threads, tile.SharedBytes, in noImages), Throws.Nothing);
        device.Synchronize();
    }

    [Test]
    public void Copies_and_fills_keep_their_order_in_a_stream()
    {
        CudaMemory a = _test.Array(1f, 2f, 3f, 4f), b = _test.Empty<float>(4);
        _test.Stream.Fill32(b.Pointer, 0, 4);
        _test.Stream.Copy(b.Pointer + 8, a.Pointer, 8);
        _test.Stream.Fill8(a.Pointer, 0, 16);
        Assert.That(_test.Read<float>(b), Is.EqualTo(new float[] { 0, 0, 1, 2 }));
    }

    [Test]
    public void A_copy_outside_an_allocation_is_an_error()
    {
        _test.NeedSimulator();
        CudaMemory a = _test.Empty<float>(4);
        Assert.That(() => _test.Stream.Fill32(a.Pointer, 0, 5), Throws.TypeOf<CudaException>().With.Message.Contains("wrong device address"));
    }

    [Test]
    public void Pinned_memory_is_read_when_the_stream_comes_to_it()
    {
        _test.NeedSimulator();
        using var pinned = new PinnedMemory(_test.Context, 16);
        CudaMemory a = _test.Empty<float>(4);
        pinned.Span<float>().Fill(1);
        _test.Stream.Upload(a.Pointer, pinned, 16);
        pinned.Span<float>().Fill(2);
        // The mistake that this shows: the buffer was changed before the copy was waited for.
        Assert.That(_test.Read<float>(a), Is.All.EqualTo(2f));
    }

    [Test]
    public void A_graph_repeats_what_was_captured()
    {
        CudaMemory x = _test.Array(Enumerable.Range(0, 256).Select(i => (float)i).ToArray()), y = _test.Array(new float[256]);
        CudaKernel kernel = _test.Kernel("test_reverse");
        _test.Stream.BeginCapture();
        kernel.Launch(_test.Stream, 1, 256, 0, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        _test.Stream.Copy(x.Pointer, y.Pointer, 1024);
        using CudaGraph graph = _test.Stream.EndCapture();
        Assert.That(_test.Read<float>(y), Is.All.EqualTo(0f), "captured, not run");
        graph.Launch(_test.Stream);
        graph.Launch(_test.Stream);
        graph.Launch(_test.Stream);
        Assert.Multiple(() =>
        {
            Assert.That(graph.NodeCount, Is.EqualTo(2));
            Assert.That(_test.Read<float>(y)[0], Is.EqualTo(255f), "reversed three times");
        });
    }

    [Test]
    public void Waiting_during_a_capture_is_an_error_and_ends_it()
    {
        _test.Stream.BeginCapture();
        Assert.That(() => _test.Stream.Synchronize(), Throws.TypeOf<CudaException>().With.Message.Contains("CAPTURE_UNSUPPORTED"));
        Assert.That(() => _test.Stream.EndCapture(), Throws.TypeOf<CudaException>().With.Message.Contains("CAPTURE_INVALIDATED"));
        _test.Stream.Synchronize();
    }

    [Test]
    public void Allocating_during_a_capture_is_an_error()
    {
        _test.Stream.BeginCapture();
        Assert.That(() => _test.Empty<float>(1), Throws.TypeOf<CudaException>().With.Message.Contains("CAPTURE_UNSUPPORTED"));
        Assert.That(() => _test.Stream.EndCapture(), Throws.TypeOf<CudaException>());
    }

    [Test]
    public void An_event_orders_streams_and_tells_the_time()
    {
        using var other = new CudaStream(_test.Context);
        using CudaEvent start = new(_test.Context), end = new(_test.Context);
        CudaMemory x = _test.Array(new float[256]), y = _test.Array(new float[256]);
        start.Record(_test.Stream);
        _test.Stream.Fill32(x.Pointer, 0x3f800000, 256);
        end.Record(_test.Stream);
        other.Wait(end);
        other.Copy(y.Pointer, x.Pointer, 1024);
        other.Synchronize();
        Assert.Multiple(() =>
        {
            Assert.That(end.MillisecondsSince(start), Is.InRange(0, 10_000));
            Assert.That(_test.Read<float>(y), Is.All.EqualTo(1f));
        });
    }

    [Test]
    public void A_fork_and_a_join_are_captured_into_one_graph()
    {
        using var other = new CudaStream(_test.Context);
        using CudaEvent fork = new(_test.Context), join = new(_test.Context);
        CudaMemory x = _test.Array(0u), y = _test.Array(0u);
        _test.Stream.BeginCapture();
        fork.Record(_test.Stream);
        other.Wait(fork);
        other.Fill32(x.Pointer, 7, 1);
        join.Record(other);
        _test.Stream.Wait(join);
        _test.Stream.Copy(y.Pointer, x.Pointer, 4);
        using CudaGraph graph = _test.Stream.EndCapture();
        graph.Launch(_test.Stream);
        Assert.That(_test.Read<uint>(y)[0], Is.EqualTo(7));
    }

    [Test]
    public void A_fork_without_a_join_is_an_error()
    {
        using var other = new CudaStream(_test.Context);
        using var fork = new CudaEvent(_test.Context);
        CudaMemory x = _test.Array(0u);
        _test.Stream.BeginCapture();
        fork.Record(_test.Stream);
        other.Wait(fork);
        other.Fill32(x.Pointer, 7, 1);
        Assert.That(() => _test.Stream.EndCapture(), Throws.TypeOf<CudaException>().With.Message.Contains("CAPTURE_UNJOINED"));
    }

    [Test]
    public void Work_may_be_given_from_several_threads()
    {
        Parallel.For(0, 8, _ =>
        {
            using var stream = new CudaStream(_test.Context);
            using var memory = new CudaMemory(_test.Context, 1024);
            stream.Fill32(memory.Pointer, 3, 256);
            var values = new uint[256];
            stream.Download<uint>(values, memory.Pointer);
            Assert.That(values, Is.All.EqualTo(3u));
        });
    }
}
