using Asni.Formats;
using Asni.Tensors;

namespace Asni.Tests.Host;

public class InfoTests
{
    [TestCase(2000, 2000, "")]
    [TestCase(2003, 2000, "and 3 more tensors.")]
    public void A_file_of_any_number_of_tensors_is_summed_up(int tensors, int rows, string rest)
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["many.safetensors"], [.. Enumerable.Range(0, tensors).Select(i => SafetensorsTensor.Single($"tensor{i}", new Shape(1), [1]))],
            new Dictionary<string, string>());
        CommandLine.Outcome info = CommandLine.Run("info", folder["many.safetensors"]);
        Assert.That(info.ExitCode, Is.Zero, info.Error);
        Assert.That(info.Output.Split("| tensor").Length - 2, Is.EqualTo(rows));
        Assert.That(info.Output, Does.Contain($"{tensors} tensors; the file").And.Contain(rest));
    }
}
