using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>Each part of the kernel language (native/include/asni/cuda.h) does what CUDA says, on the simulator and on a GPU.</summary>
[NonParallelizable]
public class KernelLanguageTests
{
    private TestKernels _test = null!;

    [SetUp]
    public void Open() => _test = new TestKernels();

    [TearDown]
    public void Close()
    {
        _test?.SetSeed(1);
        _test?.Dispose();
    }

    private static float[] Ramp(int count) => [.. Enumerable.Range(0, count).Select(i => (float)i)];

    [Test]
    public void Threads_meet_at_barriers_whatever_their_order([Range(1, 5)] int seed)
    {
        _test.SetSeed(seed);
        CudaMemory x = _test.Array(Ramp(1024)), y = _test.Empty<float>(1024);
        _test.Run("test_reverse", 4, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.EqualTo(Enumerable.Range(0, 1024).Select(i => (float)(i / 256 * 256 + 255 - i % 256))));
    }

    [Test]
    public void Dynamic_shared_memory_is_what_the_launch_asks_for()
    {
        CudaMemory x = _test.Array(Ramp(1000)), y = _test.Empty<float>(1000);
        _test.Run("test_dynamic_reverse", 1, 1000, new ArrayArgs { X = x.Pointer, Y = y.Pointer }, sharedBytes: 64 << 10);
        Assert.That(_test.Read<float>(y), Is.EqualTo(Ramp(1000).Reverse()));
    }

    [Test]
    public void Lanes_of_a_warp_exchange_values()
    {
        CudaMemory x = _test.Array(Ramp(256)), y = _test.Empty<float>(8);
        _test.Run("test_warp_sum", 1, 256, new ArrayArgs { X = x.Pointer, Y = y.Pointer });
        Assert.That(_test.Read<float>(y), Is.EqualTo(Enumerable.Range(0, 8).Select(w => 32f * (32 * w) + 496)));
    }

    [Test]
    public void Votes_reductions_and_shuffles_agree_with_their_definitions()
    {
        int[] x = [.. Enumerable.Range(0, 32).Select(i => i * 7 % 11 - 3)];
        CudaMemory input = _test.Array(x), output = _test.Empty<uint>(12 * 32);
        _test.Run("test_votes", 1, 32, new VotesArgs { X = input.Pointer, Y = output.Pointer });
        uint[] y = _test.Read<uint>(output);
        uint positive = 0;
        for (int i = 0; i < 32; i++) positive |= x[i] > 0 ? 1u << i : 0;
        Assert.Multiple(() =>
        {
            for (int lane = 0; lane < 32; lane++)
            {
                uint equal = 0;
                for (int i = 0; i < 32; i++) equal |= (uint)x[i] % 4 == (uint)x[lane] % 4 ? 1u << i : 0;
                uint[] expected =
                [
                    positive, 0, 1, (uint)x.Sum(), x.Max(v => (uint)v), equal, (uint)x[(lane + 1) % 32], (uint)x[lane + 2 < 32 ? lane + 2 : lane],
                    (uint)x[lane >= 3 ? lane - 3 : lane], (uint)x[lane ^ 1], lane < 16 ? positive & 0xffff : positive & 0xffff0000, (uint)x.Count(v => v > 0),
                ];
                Assert.That(y[(12 * lane)..(12 * lane + 12)], Is.EqualTo(expected), $"lane {lane}");
            }
        });
    }

    [Test]
    public void Atomics_and_the_last_block_see_the_whole_grid([Range(1, 3)] int seed)
    {
        _test.SetSeed(seed);
        CudaMemory x = _test.Array(Enumerable.Range(1, 10000).Select(i => (uint)i).ToArray()), total = _test.Array(0u, 0u), last = _test.Array(0u);
        _test.Run("test_grid_sum", 79, 128, new SumArgs { X = x.Pointer, Total = total.Pointer, Last = last.Pointer, N = 10000 });
        Assert.That(_test.Read<uint>(last)[0], Is.EqualTo(50005000));
    }

    [Test]
    public void Functions_of_our_own_are_accurate()
    {
        float[] x = [.. Enumerable.Range(0, 4000).Select(i => MathF.Pow(10, -6 + i * 0.00195f)), 0.5f, 1f, 2f, 88.7f, 1e-37f, float.PositiveInfinity];
        CudaMemory input = _test.Array(x), output = _test.Empty<float>(3 * x.Length);
        _test.Run("test_functions", (x.Length + 255) / 256, 256, new ArrayArgs { X = input.Pointer, Y = output.Pointer, N = x.Length });
        float[] y = _test.Read<float>(output);
        Assert.Multiple(() =>
        {
            for (int i = 0; i < x.Length; i++)
            {
                Assert.That(y[3 * i], Is.EqualTo((float)Math.Exp(x[i])).Within(4).Ulps, $"exp {x[i]}");
                Assert.That(y[3 * i + 1], Is.EqualTo((float)Math.Log(x[i])).Within(3).Ulps, $"log {x[i]}");
                Assert.That(y[3 * i + 2], Is.EqualTo(x[i]).Within(0.4).Percent, $"bf16 {x[i]}");
            }
        });
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct VotesArgs
    {
        public ulong X, Y;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SumArgs
    {
        public ulong X, Total, Last;
        public int N;
    }
}
