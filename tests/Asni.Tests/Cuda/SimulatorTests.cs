using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>The simulator shows each way in which a kernel can be wrong.</summary>
[NonParallelizable]
public class SimulatorTests
{
    private TestKernels _test = null!;

    [SetUp]
    public void Open()
    {
        _test = new TestKernels();
        _test.NeedSimulator();
        // The environment may have turned them off.
        CudaTest.SetChecks(true);
    }

    [TearDown]
    public void Close()
    {
        if (_test == null) return;
        if (!_test.Context.IsSimulator)
        {
            _test.Dispose();
            return;
        }
        CudaTest.SetSeed(1);
        CudaTest.SetChecks(true);
        _test.Dispose();
    }

    private static float[] Ramp(int count) => [.. Enumerable.Range(0, count).Select(i => (float)i)];

    private string FailureOf(string kernel, int grid, int block, ArrayArgs args) =>
        Assert.Throws<CudaException>(() => _test.Run(kernel, grid, block, args))!.Message;

    [TestCase("wrong_missing_barrier", 256, "a read of shared memory that the block has not written, byte")]
    [TestCase("wrong_missing_second_barrier", 256, "a race: no barrier between this")]
    [TestCase("wrong_missing_warp_barrier", 32, "a race: no barrier between this")]
    [TestCase("wrong_same_value", 64, "a race: no barrier between this write and the write of thread")]
    [TestCase("wrong_uninitialised_shared", 64, "a read of shared memory that the block has not written, byte 252 of shared array tile (256 bytes)")]
    public void Misused_shared_memory_is_an_error(string kernel, int block, string reason)
    {
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(256);
        Assert.That(FailureOf(kernel, 1, block, new ArrayArgs { X = x.Pointer, Y = y.Pointer, N = 3 }),
            Does.Contain(reason).And.Contain($"kernel {kernel}, block (0,0,0), thread"));
    }

    [Test]
    public void Without_checks_a_missing_barrier_gives_a_wrong_result([Range(1, 3)] int seed)
    {
        CudaTest.SetChecks(false);
        CudaTest.SetSeed((ulong)seed);
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(256);
        _test.Run("wrong_missing_barrier", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.Not.EqualTo(Ramp(256).Reverse()));
    }

    [Test]
    public void Without_checks_a_missing_barrier_at_a_loops_end_gives_a_wrong_result()
    {
        CudaTest.SetChecks(false);
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(256);
        _test.Run("wrong_missing_second_barrier", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer, N = 3 });
        Assert.That(_test.Read<float>(y), Is.Not.EqualTo(Ramp(256).Reverse().Select(v => 3 * v + 3)));
    }

    [Test]
    public void Without_checks_a_missing_barrier_of_a_warp_gives_a_wrong_result()
    {
        CudaTest.SetChecks(false);
        CudaMemory x = _test.Array(Ramp(32)), y = _test.Empty<float>(32);
        _test.Run("wrong_missing_warp_barrier", 1, 32, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.Not.EqualTo(Enumerable.Range(0, 32).Select(i => (float)(31 - (i + 1) % 32))));
    }

    [Test]
    public void Without_checks_uninitialised_shared_memory_is_not_a_number()
    {
        CudaTest.SetChecks(false);
        CudaMemory y = _test.Empty<float>(64);
        _test.Run("wrong_uninitialised_shared", 1, 64, new ArrayArgs { Y = y.Pointer });
        Assert.That(_test.Read<float>(y)[62..], Is.EqualTo(new[] { 2f, float.NaN }));
    }

    [Test]
    public void Uninitialised_device_memory_is_not_a_number()
    {
        CudaMemory x = _test.Empty<float>(256), y = _test.Empty<float>(256);
        _test.Run("test_reverse", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.All.NaN);
    }

    [TestCase("wrong_read_after_end")]
    [TestCase("wrong_write_after_end")]
    public void An_access_after_the_end_of_an_allocation_names_kernel_block_thread_and_allocation(string kernel)
    {
        CudaMemory x = _test.Array(Ramp(1024)), y = _test.Empty<float>(1024);
        string message = FailureOf(kernel, 5, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer, N = 1024 });
        Assert.That(message, Does.Match($@"CUDA_ERROR_ILLEGAL_ADDRESS, kernel {kernel}, block \(4,0,0\), thread \(\d+,0,0\): an access out of bounds: .*"
            + @"\d+ bytes after the end of allocation \d+ \(4096 bytes\)"));
    }

    [Test]
    public void A_write_of_a_few_bytes_after_an_odd_end_is_found_when_the_launch_ends()
    {
        CudaMemory y = _test.Empty<float>(254);
        Assert.That(FailureOf("wrong_write_after_end", 1, 255, new ArrayArgs { Y = y.Pointer }), Does.Contain("wrote just outside allocation"));
    }

    [Test]
    public void A_write_before_the_start_of_an_allocation_is_an_error()
    {
        CudaMemory y = _test.Empty<float>(1000);
        Assert.That(FailureOf("wrong_write_before_start", 1, 32, new ArrayArgs { Y = y.Pointer }), Does.Contain("just outside").Or.Contain("bytes before"));
    }

    [Test]
    public void Memory_that_was_freed_is_named_as_such()
    {
        var freed = new CudaMemory(_test.Context, 4096);
        ulong pointer = freed.Pointer;
        freed.Dispose();
        CudaMemory y = _test.Empty<float>(1024);
        Assert.That(FailureOf("wrong_null", 1, 32, new ArrayArgs { X = pointer, Y = y.Pointer }), Does.Contain("which is freed"));
    }

    [Test]
    public void A_null_pointer_is_named_as_such() =>
        Assert.That(FailureOf("wrong_null", 1, 32, new ArrayArgs { Y = _test.Empty<float>(32).Pointer }), Does.Contain("null pointer"));

    [Test]
    public void An_access_after_the_end_of_a_shared_array_names_it() =>
        Assert.That(FailureOf("wrong_after_end_of_shared", 1, 64, new ArrayArgs { Y = _test.Empty<float>(64).Pointer, N = 64 }),
            Does.Contain("of shared array tile (256 bytes)"));

    [Test]
    public void A_barrier_that_some_thread_never_reaches_names_the_thread() =>
        Assert.That(FailureOf("wrong_divergent_barrier", 1, 64, new ArrayArgs { Y = _test.Empty<float>(64).Pointer }),
            Does.Contain("__syncthreads is reached by 63 of 64 threads: thread (5,0,0) has finished without it"));

    [Test]
    public void A_shuffle_that_some_lane_never_reaches_names_the_lane() =>
        Assert.That(FailureOf("wrong_divergent_shuffle", 1, 32, new ArrayArgs { Y = _test.Empty<float>(32).Pointer }),
            Does.Match(@"__shfl_xor_sync is not reached by all its lanes: .* waits for lane 16, which has finished"));

    [Test]
    public void A_misaligned_vector_access_is_an_error() =>
        Assert.That(FailureOf("wrong_misaligned", 1, 32, new ArrayArgs { Y = _test.Empty<float>(256).Pointer, N = 1 }),
            Does.Contain("kernel wrong_misaligned").And.Contain("a misaligned"));

    [Test]
    public void An_index_outside_a_local_array_names_the_source_line() =>
        Assert.That(FailureOf("wrong_local_index", 1, 32, new ArrayArgs { Y = _test.Empty<float>(32).Pointer, N = 0 }),
            Does.Match(@"index -\d+ is outside its array \(wrong\.cu:\d+\)"));

    [Test]
    public void A_division_by_zero_is_an_error() =>
        Assert.That(FailureOf("wrong_division", 1, 32, new ArrayArgs { Y = _test.Empty<float>(32).Pointer, N = 4 }),
            Does.Contain("thread (4,0,0)").And.Contain("division"));

    [Test]
    public void A_kernel_that_does_not_end_is_interrupted()
    {
        CudaTest.SetTimeLimit(TimeSpan.FromMilliseconds(100));
        try
        {
            CudaMemory x = _test.Array(0f), y = _test.Empty<float>(32);
            Assert.That(FailureOf("wrong_endless", 1, 32, new ArrayArgs { X = x.Pointer, Y = y.Pointer }),
                Does.Contain("CUDA_ERROR_LAUNCH_TIMEOUT, kernel wrong_endless"));
        }
        finally
        {
            CudaTest.SetTimeLimit(TimeSpan.FromSeconds(120));
        }
    }

    [Test]
    public void After_an_error_the_device_goes_on()
    {
        FailureOf("wrong_null", 1, 32, default);
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(256);
        _test.Run("test_reverse", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.EqualTo(Ramp(256).Reverse()));
    }

    [Test]
    public void Faults_outside_kernels_stay_with_the_runtime()
    {
        FailureOf("wrong_null", 1, 32, default);
        string? none = Environment.GetEnvironmentVariable("ASNI_NO_SUCH_VARIABLE");
        Assert.That(() => none!.Length, Throws.TypeOf<NullReferenceException>());
    }

    [Test]
    public void The_same_seed_gives_the_same_run()
    {
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(256);
        CudaTest.SetChecks(false);
        float[] Run(ulong seed)
        {
            CudaTest.SetSeed(seed);
            _test.Run("wrong_missing_second_barrier", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer, N = 4 });
            return _test.Read<float>(y);
        }
        float[] first = Run(5);
        Assert.Multiple(() =>
        {
            Assert.That(Run(5), Is.EqualTo(first));
            Assert.That(Run(6), Is.Not.EqualTo(first));
        });
    }
}
