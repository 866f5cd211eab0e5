using Asni.Engine;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Host;

/// <summary>The size and length of a run on synthetic data, which suit the machine.</summary>
internal sealed class SyntheticLength
{
    /// <summary>Side of images that nobody gave a size: five halvings leave one position, and a CPU gets through enough images to learn.</summary>
    private const int Side = 32;

    private readonly BookRecipe _book;

    private SyntheticLength(BookRecipe book, SettingsLayer layer) => (_book, Layer) = (book, layer);

    /// <summary>Goes over the recipe of the book, and under what the user said.</summary>
    public SettingsLayer Layer { get; }

    /// <param name="settings">As they are without this.</param>
    public static SyntheticLength For(BookRecipe book, string data, RunSettings settings, int threads)
    {
        var values = new Dictionary<string, SettingValue>();
        void Set(string key, string text) => values[key] = new SettingValue(text, "the default of synthetic data: " + key);
        Chw? input = settings.Recipe.Input;
        if (data == DataSource.Shapes && input is null)
        {
            input = new Chw(3, Side, Side);
            Set("input", SettingText.Text(input.Value));
        }
        NetworkAnalysis network = NetworkAnalysis.Analyze(NetworkZoo.Create(book.Network, input ?? new Chw(1, 28, 28), 10));
        Recipe recipe = settings.Recipe with { Epochs = SettingsLayer.Apply(book.Layer).Recipe.Epochs };
        ShortRun run = ShortRun.For(network.Macs, network.Weights, recipe, threads, DataSource.MaxImages(data));
        Set("limit", SettingText.Text(run.Images));
        Set("epochs", SettingText.Text(run.Epochs));
        Set("batch", SettingText.Text((run.BatchSize + recipe.Lanes - 1) / recipe.Lanes * recipe.Lanes));
        Set("lr", SettingText.Text(run.LearningRate));
        return new SyntheticLength(book, new SettingsLayer(values));
    }

    /// <summary>
    /// One line when the run was made shorter than its recipe and the user did not say otherwise; null when there is nothing to tell.
    /// </summary>
    public string? Describe(RunSettings settings, int threads)
    {
        Recipe recipe = settings.Recipe;
        Recipe published = SettingsLayer.Apply(_book.Layer).Recipe, shortened = SettingsLayer.Apply(_book.Layer, Layer).Recipe;
        bool wasShortened = shortened.Epochs != published.Epochs || shortened.BatchSize != published.BatchSize;
        if (!wasShortened || recipe.Epochs != shortened.Epochs || recipe.BatchSize != shortened.BatchSize) return null;
        string size = recipe.Input is { } c ? $" of {c}" : "";
        return $"the run is shortened to take minutes on {threads} threads: "
            + $"{Format.Count(settings.Limit ?? 0)} images{size}, {recipe.Epochs} epochs, batches of {recipe.BatchSize} "
            + $"(the recipe has {published.Epochs} epochs, batches of {published.BatchSize}); --limit, --input, --epochs and --batch change this.";
    }
}
