using Asni.Cuda;
using Asni.Devices;
using Asni.Host;
using Asni.Tests.Cuda;

namespace Asni.Tests.Devices;

public class DeviceProviderTests
{
    [Test]
    public void Every_kind_of_device_opens_in_each_precision_or_says_why_not([ValueSource(nameof(Names))] string name)
    {
        IDeviceProvider provider = DeviceProviders.All.Single(p => p.Name == name);
        if (provider is CudaDeviceProvider && provider.GetUnavailableReason() is null) CudaTest.Hold();
        Assert.That(provider.Describe()[0].Name, Is.EqualTo("device " + name));
        if (provider.GetUnavailableReason() is { } why)
        {
            Assert.That(why, Does.EndWith(".").And.EqualTo(provider.Describe()[0].Value));
            Assert.That(() => provider.Open(new DeviceOptions()), Throws.TypeOf<DeviceUnavailableException>().With.Message.EqualTo(why));
            return;
        }
        foreach (string precision in provider.Precisions)
        {
            using Device device = provider.Open(new DeviceOptions { Precision = precision, Threads = 1 });
            Assert.That(device.Name, Is.EqualTo(provider.SupportsOrdinal ? name + ":0" : name));
            Assert.That(device.Description, Does.Contain(precision).Or.Contain("1 thread"));
        }
    }

    [Test]
    public void The_command_line_names_devices_in_its_list_alone()
    {
        IEnumerable<string> named = from file in Directory.EnumerateFiles(Path.Combine(ArchitectureTests.Root, "src", "Asni.Host"), "*.cs", SearchOption.AllDirectories)
                                    where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")
                                    let text = File.ReadAllText(file)
                                    where text.Contains("using Asni.Cuda") || text.Contains("using Asni.Cpu")
                                    select Path.GetFileName(file);
        Assert.That(named, Is.EqualTo((string[])["DeviceChoice.cs"]));
    }

    private static IEnumerable<string> Names() => DeviceProviders.All.Select(p => p.Name);
}
