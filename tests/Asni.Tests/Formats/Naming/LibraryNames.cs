using Asni.Networks;

namespace Asni.Tests.Formats.Naming;

/// <summary>
/// The names of a whole network in the libraries that people take weights from, in the order of their state dicts, written down from those libraries'
/// module definitions and not from ours.
/// </summary>
internal static class LibraryNames
{
    private static readonly string[] s_norm = ["weight", "bias", "running_mean", "running_var"];

    /// <summary>Each with the zoo network that has the same modules.</summary>
    public static IEnumerable<TestCaseData> All()
    {
        foreach ((string network, int[] blocks, int convolutions) in ((string, int[], int)[])
            [("resnet18", [2, 2, 2, 2], 2), ("resnet34", [3, 4, 6, 3], 2), ("resnet50", [3, 4, 6, 3], 3), ("resnet101", [3, 4, 23, 3], 3)])
        {
            yield return Row(network, "torchvision", ResNet(blocks, convolutions, "downsample", "fc"));
            yield return Row(network, "timm", ResNet(blocks, convolutions, "downsample", "fc"));
            yield return Row(network + "c", "kuangliu", ResNet(blocks, convolutions, "shortcut", "linear"));
            yield return Row(network + "c", "weiaicunzai", Weiaicunzai(blocks, convolutions));
        }
        foreach ((string network, int n) in ((string, int)[])[("resnet20", 3), ("resnet32", 5), ("resnet56", 9)])
        {
            yield return Row(network, "akamaster", ResNet([n, n, n], 2, "shortcut", "linear"));
            yield return Row(network, "chenyaofo", ResNet([n, n, n], 2, "downsample", "fc"));
            yield return Row(network, "open_lth", OpenLth(n));
        }
        foreach ((string network, int[] layers) in ((string, int[])[])
            [("vgg11", [1, 1, 2, 2, 2]), ("vgg13", [2, 2, 2, 2, 2]), ("vgg16", [2, 2, 3, 3, 3]), ("vgg19", [2, 2, 4, 4, 4])])
        {
            yield return Row(network, "kuangliu", [.. VggFeatures(layers), .. Linear("classifier")]);
            yield return Row(network, "chengyangfu_features", [.. VggFeatures(layers), .. Linear("classifier.1")]);
            yield return Row(network, "open_lth", OpenLthVgg(layers));
        }
        yield return Row("mobilenet_v2", "torchvision", MobileNet(flat: false));
        yield return Row("mobilenet_v2", "torchvision_0.2", MobileNet(flat: true));
        yield return Row("mobilenet_v2", "timm", TimmMobileNet());
        yield return Row("lenet300", "sequential_without_flatten", [.. Linear("0"), .. Linear("2"), .. Linear("4")]);
        yield return Row("lenet300", "fc123", [.. Linear("fc1"), .. Linear("fc2"), .. Linear("fc3")]);
        yield return Row("lenet300", "linear_relu_stack", [.. Linear("linear_relu_stack.0"), .. Linear("linear_relu_stack.2"), .. Linear("linear_relu_stack.4")]);
        yield return Row("lenet300", "open_lth", [.. Linear("fc_layers.0"), .. Linear("fc_layers.1"), .. Linear("fc")]);
        yield return Row("conv2", "features_classifier",
            [.. Linear("features.0"), .. Linear("features.2"), .. Linear("classifier.0"), .. Linear("classifier.2"), .. Linear("classifier.4")]);
        yield return Row("conv2", "conv1_fc1", [.. Linear("conv1"), .. Linear("conv2"), .. Linear("fc1"), .. Linear("fc2"), .. Linear("fc3")]);
    }

    private static TestCaseData Row(string network, string library, string[] names) => new TestCaseData(network, names).SetArgDisplayNames(network, library);

    private static string[] Linear(string layer) => [layer + ".weight", layer + ".bias"];

    private static IEnumerable<string> Norm(string layer) => s_norm.Select(leaf => $"{layer}.{leaf}");

    /// <summary>A convolution without bias and its batch-norm.</summary>
    private static IEnumerable<string> Pair(string convolution, string norm) => [convolution + ".weight", .. Norm(norm)];

    /// <summary>In a Sequential that ends with it.</summary>
    private static bool HasShortcut(int group, int block, int convolutions) => block == 0 && (group > 0 || convolutions == 3);

    private static string[] ResNet(int[] blocks, int convolutions, string shortcut, string head)
    {
        var names = new List<string>(Pair("conv1", "bn1"));
        for (int g = 0; g < blocks.Length; g++)
            for (int b = 0; b < blocks[g]; b++)
            {
                string block = $"layer{g + 1}.{b}.";
                for (int c = 1; c <= convolutions; c++) names.AddRange(Pair($"{block}conv{c}", $"{block}bn{c}"));
                if (HasShortcut(g, b, convolutions)) names.AddRange(Pair($"{block}{shortcut}.0", $"{block}{shortcut}.1"));
            }
        return [.. names, .. Linear(head)];
    }

    private static string[] Weiaicunzai(int[] blocks, int convolutions)
    {
        var names = new List<string>(Pair("conv1.0", "conv1.1"));
        for (int g = 0; g < blocks.Length; g++)
            for (int b = 0; b < blocks[g]; b++)
            {
                string block = $"conv{g + 2}_x.{b}.";
                for (int c = 0; c < convolutions; c++) names.AddRange(Pair($"{block}residual_function.{3 * c}", $"{block}residual_function.{3 * c + 1}"));
                if (HasShortcut(g, b, convolutions)) names.AddRange(Pair($"{block}shortcut.0", $"{block}shortcut.1"));
            }
        return [.. names, .. Linear("fc")];
    }

    private static string[] OpenLth(int n)
    {
        var names = new List<string>(Pair("conv", "bn"));
        for (int k = 0; k < 3 * n; k++)
        {
            names.AddRange([.. Pair($"blocks.{k}.conv1", $"blocks.{k}.bn1"), .. Pair($"blocks.{k}.conv2", $"blocks.{k}.bn2")]);
            if (k == n || k == 2 * n) names.AddRange(Pair($"blocks.{k}.shortcut.0", $"blocks.{k}.shortcut.1"));
        }
        return [.. names, .. Linear("fc")];
    }

    /// <summary>Convolution with bias, batch-norm, ReLU; a pool after each group.</summary>
    private static List<string> VggFeatures(int[] layers)
    {
        var names = new List<string>();
        int at = 0;
        foreach (int count in layers)
        {
            for (int i = 0; i < count; i++, at += 3) names.AddRange([.. Linear($"features.{at}"), .. Norm($"features.{at + 1}")]);
            at++;
        }
        return names;
    }

    private static string[] OpenLthVgg(int[] layers)
    {
        var names = new List<string>();
        int at = 0;
        foreach (int count in layers)
        {
            for (int i = 0; i < count; i++, at++) names.AddRange([.. Linear($"layers.{at}.conv"), .. Norm($"layers.{at}.bn")]);
            at++;
        }
        return [.. names, .. Linear("fc")];
    }

    private static string[] MobileNet(bool flat)
    {
        var names = new List<string>(Pair("features.0.0", "features.0.1"));
        for (int f = 1; f <= 17; f++)
        {
            string conv = $"features.{f}.conv.";
            if (flat) for (int c = 0; c < (f == 1 ? 2 : 3); c++) names.AddRange(Pair($"{conv}{3 * c}", $"{conv}{3 * c + 1}"));
            else if (f == 1) names.AddRange([.. Pair(conv + "0.0", conv + "0.1"), .. Pair(conv + "1", conv + "2")]);
            else names.AddRange([.. Pair(conv + "0.0", conv + "0.1"), .. Pair(conv + "1.0", conv + "1.1"), .. Pair(conv + "2", conv + "3")]);
        }
        return [.. names, .. Pair("features.18.0", "features.18.1"), .. Linear("classifier.1")];
    }

    private static string[] TimmMobileNet()
    {
        var names = new List<string>(Pair("conv_stem", "bn1"));
        int[] blocks = [1, 2, 3, 4, 3, 3, 1];
        for (int s = 0; s < blocks.Length; s++)
            for (int b = 0; b < blocks[s]; b++)
            {
                string block = $"blocks.{s}.{b}.";
                string[] convolutions = s == 0 ? ["conv_dw", "conv_pw"] : ["conv_pw", "conv_dw", "conv_pwl"];
                for (int c = 0; c < convolutions.Length; c++) names.AddRange(Pair(block + convolutions[c], $"{block}bn{c + 1}"));
            }
        return [.. names, .. Pair("conv_head", "bn2"), .. Linear("classifier")];
    }
}
