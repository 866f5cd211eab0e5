using System.Runtime.InteropServices;
using Asni.Cuda.Driver;
using Asni.Tests.Devices;

namespace Asni.Tests.Cuda;

/// <summary>
/// The simulator's tensor-core instructions against plain products of matrices laid out over lanes and registers as the figures of the PTX ISA
/// (mma.m16n8k16, mma.m16n8k8, ldmatrix) draw them.
/// </summary>
public class MmaTests
{
    private TestKernels _test = null!;

    [SetUp]
    public void Open() => _test = new TestKernels();

    [TearDown]
    public void Close() => _test?.Dispose();

    [Test]
    public void A_bf16_product_has_its_operands_where_the_instruction_set_puts_them()
    {
        float[] a = Small(1, 16 * 16), b = Small(2, 16 * 8), d = Small(3, 16 * 8);
        uint[] aRegisters = new uint[128], bRegisters = new uint[64];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane >> 2, thread = lane & 3;
            for (int i = 0; i < 8; i++)
            {
                // PTX ISA, A of m16n8k16: row = group for a0, a1, a4, a5, else group + 8; column = thread * 2 + (i & 1), + 8 for i >= 4.
                int row = i is 0 or 1 or 4 or 5 ? group : group + 8, column = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
                aRegisters[lane * 4 + i / 2] |= Bf16(a[row * 16 + column]) << (16 * (i & 1));
            }
            for (int i = 0; i < 4; i++)
            {
                // B: row = thread * 2 + (i & 1), + 8 for i >= 2; column = group.
                int row = thread * 2 + (i & 1) + (i >= 2 ? 8 : 0);
                bRegisters[lane * 2 + i / 2] |= Bf16(b[row * 8 + group]) << (16 * (i & 1));
            }
        }
        AssertProduct("test_mma_bf16", 16, a, b, d, aRegisters, bRegisters);
    }

    [Test]
    public void A_tf32_product_has_its_operands_where_the_instruction_set_puts_them()
    {
        float[] a = Small(1, 16 * 8), b = Small(2, 8 * 8), d = Small(3, 16 * 8);
        uint[] aRegisters = new uint[128], bRegisters = new uint[64];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane >> 2, thread = lane & 3;
            for (int i = 0; i < 4; i++)
            {
                // PTX ISA, A of m16n8k8: row = group for a0 and a2, else group + 8; column = thread for a0 and a1, else thread + 4.
                int row = i is 0 or 2 ? group : group + 8, column = i < 2 ? thread : thread + 4;
                aRegisters[lane * 4 + i] = BitConverter.SingleToUInt32Bits(a[row * 8 + column]) | 0x1abc;
            }
            for (int i = 0; i < 2; i++) bRegisters[lane * 2 + i] = BitConverter.SingleToUInt32Bits(b[(thread + 4 * i) * 8 + group]) | 0x1fff;
        }
        AssertProduct("test_mma_tf32", 8, a, b, d, aRegisters, bRegisters);
    }

    [Test]
    public void Ldmatrix_gives_each_lane_two_neighbours_of_its_row_or_column()
    {
        ushort[] x = [.. Enumerable.Range(1, 256).Select(i => (ushort)i)];
        uint[] y = Ldmatrix(x, wait: 1);
        x.AsSpan(31 * 8).Clear();
        for (int lane = 0; lane < 32; lane++)
            for (int matrix = 0; matrix < 4; matrix++)
            {
                int row = lane / 4, pair = lane % 4 * 2;
                uint Element(int r, int c) => x[(matrix * 8 + r) * 8 + c];
                using (Assert.EnterMultipleScope())
                {
                    Assert.That(y[lane * 4 + matrix], Is.EqualTo(Element(row, pair) | Element(row, pair + 1) << 16));
                    Assert.That(y[128 + lane * 4 + matrix], Is.EqualTo(Element(pair, row) | Element(pair + 1, row) << 16));
                }
            }
    }

    [Test]
    public void Reading_a_copy_that_nothing_waited_for_is_an_error()
    {
        _test.NeedSimulator();
        CudaTest.SetChecks(true);
        ushort[] x = [.. Enumerable.Range(1, 256).Select(i => (ushort)i)];
        Assert.That(() => Ldmatrix(x, wait: 0), Throws.TypeOf<CudaException>().With.Message.Contains("has not written"));
    }

    private uint[] Ldmatrix(ushort[] x, uint wait)
    {
        CudaMemory input = _test.Array(x), output = _test.Empty<uint>(256), flag = _test.Array(wait);
        _test.Run("test_ldmatrix", 1, 32, new ThreeArrays { A = input.Pointer, B = output.Pointer, C = flag.Pointer });
        return _test.Read<uint>(output);
    }

    private void AssertProduct(string kernel, int inner, float[] a, float[] b, float[] d, uint[] aRegisters, uint[] bRegisters)
    {
        // D: row = group for d0 and d1, else group + 8; column = thread * 2 + (i & 1).
        static int Place(int lane, int i) => ((lane >> 2) + (i >= 2 ? 8 : 0)) * 8 + (lane & 3) * 2 + (i & 1);
        CudaMemory am = _test.Array(aRegisters), bm = _test.Array(bRegisters);
        CudaMemory dm = _test.Array(Enumerable.Range(0, 128).Select(i => d[Place(i / 4, i % 4)]).ToArray());
        _test.Run(kernel, 1, 32, new ThreeArrays { A = am.Pointer, B = bm.Pointer, C = dm.Pointer });
        float[] result = _test.Read<float>(dm);
        for (int i = 0; i < 128; i++)
        {
            int place = Place(i / 4, i % 4), row = place / 8, column = place % 8;
            double sum = d[place];
            for (int k = 0; k < inner; k++) sum += (double)a[row * inner + k] * b[k * 8 + column];
            Assert.That(result[i], Is.EqualTo(sum).Within(1e-6), $"row {row}, column {column}");
        }
    }

    /// <summary>Multiples of 1/64 below 1: exact in bf16 and in tf32.</summary>
    private static float[] Small(ulong seed, int count) => [.. Values.Random(seed, count).Select(x => MathF.Round(x * 64) / 64)];

    private static uint Bf16(float x) => BitConverter.SingleToUInt32Bits(x) >> 16;

    [StructLayout(LayoutKind.Sequential)]
    private struct ThreeArrays
    {
        public ulong A, B, C;
    }
}
