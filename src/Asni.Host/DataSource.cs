using Asni.Data;
using Asni.Methods;
using Asni.Tensors;

namespace Asni.Host;

/// <summary>The data of a run as its recipe names them.</summary>
internal static class DataSource
{
    private const int ImagesOfDigits = 60_000, ImagesOfShapes = 50_000;
    public const string Digits = "digits", Shapes = "shapes";

    /// <summary>Generated from a seed, in whatever number and size is asked for.</summary>
    public static bool IsSynthetic(string name) => name is Digits or Shapes;

    /// <summary>What stands in for a dataset that was not found.</summary>
    public static string Substitute(string name) => name is "mnist" or "fashion-mnist" ? Digits : Shapes;

    public static int MaxImages(string synthetic) => synthetic == Digits ? ImagesOfDigits : ImagesOfShapes;

    /// <summary>The name as lists have it; capitals, hyphens and underscores do not matter. Unknown names come back as they are.</summary>
    public static string ProperName(string name) => Datasets.Names.FirstOrDefault(n => Suggestion.Plain(n) == Suggestion.Plain(name)) ?? name;

    /// <summary>A dataset for its test images; of synthetic data as many are generated as go with the largest training set.</summary>
    /// <param name="input">As for <see cref="Open"/>.</param>
    public static DatasetSplit OpenTest(string name, Chw? input, DatasetLocator locator)
    {
        string proper = ProperName(name);
        return IsSynthetic(proper)
            ? Generate(proper, input, 1, ShortRun.TestImages(MaxImages(proper)), locator)
            : Open(proper, input, null, locator);
    }

    /// <param name="input">Image size of synthetic shapes and of image files; other data have their own.</param>
    /// <param name="limit">Use the first training images only; synthetic data are generated in this number, with test images to match.</param>
    public static DatasetSplit Open(string name, Chw? input, int? limit, DatasetLocator locator)
    {
        if (!IsSynthetic(name))
        {
            DatasetSplit data = Datasets.Open(name, locator, size: input is { } wanted ? (wanted.Height, wanted.Width) : null);
            return limit is { } first ? data with { Train = new FirstImages(data.Train, first) } : data;
        }
        return Generate(name, input, limit, ShortRun.TestImages(limit ?? MaxImages(name)), locator);
    }

    private static DatasetSplit Generate(string name, Chw? input, int? train, int test, DatasetLocator locator)
    {
        var options = new SyntheticOptions { TrainCount = train, TestCount = test };
        if (name == Shapes && input is { } size) options = options with { Height = size.Height, Width = size.Width };
        return Datasets.Open(name, locator, options);
    }
}
