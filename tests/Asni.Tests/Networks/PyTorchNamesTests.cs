using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Golden;

namespace Asni.Tests.Networks;

public class PyTorchNamesTests
{
    [Test]
    public void Trained_parameters_have_pytorchs_names_and_shapes_in_its_order(
        [ValueSource(typeof(GoldenFile), nameof(GoldenFile.All))] (string File, string Zoo) golden)
    {
        var file = GoldenFile.Load(golden.File);
        Network network = NetworkZoo.Create(golden.Zoo, new Chw(file.InputShape[1], file.InputShape[2], file.InputShape[3]), file.Classes);

        Assert.That(network.ParameterCount, Is.EqualTo(file.ParameterCount));
        Assert.That(network.Trained.Select(p => $"{p.Name} {p.Shape}"),
            Is.EqualTo(file.Parameters.Select(p => $"{p.Name} {string.Join('x', p.Shape)}")));
        Assert.That(file.Parameters.Select(p => p.Index), Is.EqualTo(Enumerable.Range(0, file.Parameters.Length)));
    }

    [Test]
    public void Running_statistics_follow_weight_and_bias_as_in_a_state_dict()
    {
        var names = NetworkZoo.Create("resnet18").Parameters.Select(p => p.Name).Take(6);
        Assert.That(names, Is.EqualTo(new[]
            { "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight" }));
    }

    [TestCase("resnet50", "layer1.0.conv3.weight", "256x64x1x1")]
    [TestCase("resnet50", "layer1.0.downsample.0.weight", "256x64x1x1")]
    [TestCase("resnet50", "layer4.2.bn3.running_var", "2048")]
    [TestCase("resnet101", "layer3.22.conv2.weight", "256x256x3x3")]
    [TestCase("resnet101", "fc.weight", "1000x2048")]
    [TestCase("mobilenet_v2", "features.0.0.weight", "32x3x3x3")]
    [TestCase("mobilenet_v2", "features.1.conv.0.0.weight", "32x1x3x3")]
    [TestCase("mobilenet_v2", "features.1.conv.1.weight", "16x32x1x1")]
    [TestCase("mobilenet_v2", "features.1.conv.2.running_mean", "16")]
    [TestCase("mobilenet_v2", "features.2.conv.0.0.weight", "96x16x1x1")]
    [TestCase("mobilenet_v2", "features.2.conv.1.0.weight", "96x1x3x3")]
    [TestCase("mobilenet_v2", "features.17.conv.2.weight", "320x960x1x1")]
    [TestCase("mobilenet_v2", "features.17.conv.3.bias", "320")]
    [TestCase("mobilenet_v2", "features.18.0.weight", "1280x320x1x1")]
    [TestCase("mobilenet_v2", "classifier.1.weight", "1000x1280")]
    [TestCase("vgg16", "45.weight", "10x512")]
    [TestCase("vgg19", "54.weight", "10x512")]
    [TestCase("conv4a", "12.weight", "10x128")]
    public void A_parameter_has_pytorchs_name_and_shape(string network, string name, string shape)
    {
        Parameter parameter = NetworkZoo.Create(network).Parameters.Single(p => p.Name == name);
        Assert.That(parameter.Shape.ToString(), Is.EqualTo(shape));
    }
}
