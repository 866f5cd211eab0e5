using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>Which of the embedded PTX a GPU gets.</summary>
public class PtxTests
{
    [TestCase("8.0", "sm_80")]
    [TestCase("8.9", "sm_80")]
    [TestCase("9.0", "sm_90a")]
    [TestCase("10.0", "sm_80", Description = "an architecture's own PTX runs on no other")]
    [TestCase("7.5", null)]
    public void The_newest_architecture_that_runs_there_is_taken(string capability, string? expected) =>
        Assert.That(Ptx.Best(["sm_80", "sm_90a"], Version.Parse(capability)), Is.EqualTo(expected));

    [Test]
    public void Kernels_are_found_in_the_text() =>
        Assert.That(Ptx.Kernels(".visible .entry fill32(\n.param ...\n.entry add (\n"), Is.EqualTo(new[] { "fill32", "add" }));

    [Test]
    public void Every_embedded_architecture_has_the_same_kernels_but_for_Hoppers_own()
    {
        CudaTest.RequirePtx();
        string[] architectures = Ptx.Architectures();
        string[][] kernels = [.. architectures.Select(a => Ptx.Read(a).Texts.Values.SelectMany(Ptx.Kernels).Order(StringComparer.Ordinal).ToArray())];
        Assert.Multiple(() =>
        {
            Assert.That(architectures, Is.EqualTo(new[] { "sm_80", "sm_90a" }));
            Assert.That(kernels[0], Does.Contain("fill32"));
            Assert.That(kernels[1].Where(name => !name.EndsWith("_wgmma", StringComparison.Ordinal)), Is.EqualTo(kernels[0]));
            Assert.That(kernels[1], Does.Contain("convolution_forward_bf16_128x128_wgmma"));
        });
    }

    [Test]
    public void Every_embedded_kernel_is_in_the_simulator()
    {
        using CudaContext context = CudaTest.OpenSimulator();
        using var kernels = new CudaKernels(context);
        Assert.Multiple(() =>
        {
            foreach (string name in kernels.Names) Assert.That(() => kernels.Get(name), Throws.Nothing);
        });
    }
}
