using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Asni.Tests.Host;

/// <summary>
/// Runs whose networks were recorded, so that another processor is seen to give the same bits. Who changes the order of a sum, on purpose, records them anew.
/// </summary>
public class SameBitsTests
{
    /// <summary>Blocks of a batch of 64 do not fit a second cache, so that a run sees how they are cut; both take sparse paths and Winograd's.</summary>
    [TestCase("lenet300", "1200", "6", "88df3699a6f270c1")]
    [TestCase("resnet20", "192", "4", "0b459cebc8e0c587")]
    public void A_run_gives_the_recorded_bits_on_every_processor(string net, string images, string epochs, string recorded)
    {
        if (!Vector256.IsHardwareAccelerated) Assert.Ignore("needs vectors of 256 bits");
        // Images are drawn with sines of the system's library.
        if (!RuntimeInformation.IsOSPlatform(OSPlatform.Linux)) Assert.Ignore("recorded on Linux");
        using var folder = new TemporaryFolder();
        string run = Path.Combine(folder.Path, "run");
        using var program = new ProgramProcess(new() { ["ASNI_SIMD"] = "256" }, ["--net", net, "--data", "digits", "--limit", images, "--epochs", epochs,
            "--batch", "64", "--method", "asni1", "--sparsity", "0.9", "--threads", "2", "--device", "cpu", "--seed", "7", "--out", run]);
        Assert.That(program.ExitCode(), Is.Zero, program.Error);
        byte[] file = File.ReadAllBytes(Path.Combine(run, "asni1.safetensors"));
        int tensors = sizeof(long) + (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(file.AsSpan(tensors)))[..16], Is.EqualTo(recorded));
    }
}
