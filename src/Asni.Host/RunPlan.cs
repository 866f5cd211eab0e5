using Asni.Data;
using Asni.Engine;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Host;

/// <summary>A run that is ready to start: every default resolved, everything checked that can be.</summary>
/// <param name="Start">What the run starts from; null for a fresh network.</param>
/// <param name="Notes">Choices made for the user, one line each.</param>
internal sealed record RunPlan(RunSettings Settings, Recipe Recipe, Network Network, DatasetSplit Data, TrainedNetwork? Start,
    IReadOnlyList<string> Notes)
{
    /// <summary>
    /// Side of the drawn images that stand in for ImageNet: five halvings leave one position, and a CPU gets through enough images to learn.
    /// </summary>
    private const int SideForImageNet = 32;

    private const int SideForCifar = 32;

    public IEnumerable<PhasePlan> Phases => Recipe.Method.Phases(Recipe, Start is not null);

    /// <param name="file">A recipe file's settings, or none.</param>
    /// <param name="flags">The command line's.</param>
    /// <param name="threads">That train, to choose the length of a run on drawn data.</param>
    public static RunPlan Make(SettingsLayer file, SettingsLayer flags, DatasetLocator locator, int threads)
    {
        SettingValue? initFile = flags["init"] ?? file["init"];
        SettingsLayer init = InitFile.Settings(initFile);
        string? asked = (flags["net"] ?? file["net"] ?? init["net"])?.Text;
        Network? own = InitFile.NetworkOfItsOwn(initFile, asked);
        (string Zoo, Dictionary<string, int> Units)? narrow = asked is null || own is not null ? null : NarrowNetwork.Split(asked);
        string? net = narrow is { } name ? NetworkZoo.Find(name.Zoo).Name : null;
        string? named = (flags["data"] ?? file["data"]) is { } d ? DataSource.ProperName(d.Text) : null;
        if (own is not null && named is null) throw new UsageException($"--data says what {own.Name} is to train on: no recipe is for a network of your own.");
        BookRecipe book = RecipeBook.Find(net, named) ?? throw new InvalidOperationException($"no recipe for {net}");
        // Mistakes in the settings are told before any data is opened.
        SettingsLayer stored = Datasets.IsOfAnySize(named ?? book.Data) ? init : init.Without("input");
        RunSettings settings = SettingsLayer.Apply(book.Layer, stored, file, flags);
        settings.Resolve();
        flags.RequireEffect(settings);

        string data = named ?? (IsThere(book.Data, locator) ? book.Data : DataSource.StandIn(book.Data));
        var notes = new List<string>();
        if (DataSource.IsDrawn(data))
        {
            if (data == "shapes") stored = init;
            SettingsLayer length = Shorten(book, data, SettingsLayer.Apply(book.Layer, stored, file, flags), threads);
            settings = SettingsLayer.Apply(book.Layer, length, stored, file, flags);
            if (named is null) notes.Add($"{book.Data} was not found, so this run is on {data}; {Remedies.Obtaining(book.Data)}.");
            if (DescribeLength(book, length, settings, threads) is { } chosen) notes.Add(chosen);
        }
        if (own is not null) notes.Add($"{own.Name} has no recipe: where you said nothing, that of {book.Network} is taken.");
        string full = own?.Name ?? (narrow is { Units.Count: > 0 } ? asked! : book.Network);
        settings = settings with { Recipe = settings.Recipe with { Network = full, Data = data } };
        Recipe recipe = settings.Resolve();
        if (recipe.Method.Remark(recipe, SettingsLayer.Apply(book.Layer).Resolve()) is { } remark) notes.Add(Remedies.Sentence(remark));
        Chw? size = recipe.Input ?? (Datasets.IsOfAnySize(data) ? own?.Input ?? NetworkZoo.Find(book.Network).Input : null);
        DatasetSplit split = DataSource.Open(data, size, settings.Limit, locator);
        if (own is not null && (own.Input != split.Train.Shape || own.Classes != split.Train.Classes))
            throw new UsageException($"{own.Name} reads {own.Input} and tells {own.Classes} classes apart; {data} has {split.Train.Shape} images of {split.Train.Classes} classes.");
        Network network = own ?? NetworkZoo.Create(full, recipe.Input ?? split.Train.Shape, split.Train.Classes);
        if (split.Train.Shape != network.Input)
            throw new UsageException($"{data} has {split.Train.Shape} images, not {network.Input}; {(Datasets.IsOfAnySize(data) ? "give 3 channels" : "leave --input out")} or choose other data.");
        recipe.Method.Validate(network);
        TrainedNetwork? start = settings.Init is { } path ? InitFile.Load(path, settings, recipe, network, notes) : null;
        return new RunPlan(settings, recipe, network, split, start, notes);
    }

    /// <summary>A folder that the user named must have it: opening it says what is missing.</summary>
    private static bool IsThere(string data, DatasetLocator locator) => locator.NamesFolder || locator.Find(data) is not null;

    /// <summary>The settings that make a run on drawn data suit the machine.</summary>
    private static SettingsLayer Shorten(BookRecipe book, string data, RunSettings settings, int threads)
    {
        var values = new Dictionary<string, SettingValue>();
        void Set(string key, string text) => values[key] = new SettingValue(text, "the default of drawn data: " + key);
        Chw? input = settings.Recipe.Input;
        if (data == "shapes" && input is null)
        {
            int side = book.Data == "imagenet" ? SideForImageNet : SideForCifar;
            input = new Chw(3, side, side);
            Set("input", SettingText.Text(input.Value));
        }
        NetworkAnalysis network = NetworkAnalysis.Of(NetworkZoo.Create(book.Network, input ?? new Chw(1, 28, 28), 10));
        Recipe recipe = settings.Recipe with { Epochs = BookEpochs(book) };
        ShortRun run = ShortRun.For(network.Macs, network.Weights, recipe, threads, DataSource.MostImages(data));
        Set("limit", SettingText.Text(run.Images));
        Set("epochs", SettingText.Text(run.Epochs));
        Set("batch", SettingText.Text(run.BatchSize));
        Set("lr", SettingText.Text(run.LearningRate));
        return new SettingsLayer(values);
    }

    private static int BookEpochs(BookRecipe book) => SettingsLayer.Apply(book.Layer).Recipe.Epochs;

    /// <summary>
    /// One line when the run was made shorter than its recipe and the user did not say otherwise; null when there is nothing to tell.
    /// </summary>
    private static string? DescribeLength(BookRecipe book, SettingsLayer length, RunSettings settings, int threads)
    {
        Recipe recipe = settings.Recipe;
        Recipe published = SettingsLayer.Apply(book.Layer).Recipe, shortened = SettingsLayer.Apply(book.Layer, length).Recipe;
        bool wasShortened = shortened.Epochs != published.Epochs || shortened.BatchSize != published.BatchSize;
        if (!wasShortened || recipe.Epochs != shortened.Epochs || recipe.BatchSize != shortened.BatchSize) return null;
        string size = recipe.Input is { } c ? $" of {c}" : "";
        return $"to take minutes on {threads} threads, enough to learn something: "
            + $"{Show.Count(settings.Limit ?? 0)} images{size}, {recipe.Epochs} epochs, batches of {recipe.BatchSize} "
            + $"(the recipe has {published.Epochs} epochs, batches of {published.BatchSize}); --limit, --input, --epochs and --batch change it.";
    }
}
