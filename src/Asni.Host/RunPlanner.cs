using Asni.Data;
using Asni.Engine;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Tensors;

namespace Asni.Host;

/// <summary>Makes a plan of what a recipe file, the flags and the file of --init say, and of what suits the network, the data and the machine.</summary>
internal sealed class RunPlanner
{
    private readonly SettingsLayer _file, _flags;
    private readonly DatasetLocator _locator;
    private readonly int _threads;
    private readonly List<string> _notes = [];
    private readonly InitFile? _init;

    /// <summary>The network of <see cref="_init"/>, when it is none of the zoo's.</summary>
    private readonly Network? _own;

    private readonly BookRecipe _book;

    /// <summary>The network's full name.</summary>
    private readonly string _network;

    /// <summary>The dataset that the user named; null when none was.</summary>
    private readonly string? _named;

    private RunPlanner(SettingsLayer file, SettingsLayer flags, DatasetLocator locator, int threads)
    {
        (_file, _flags, _locator, _threads) = (file, flags, locator, threads);
        _init = InitFile.Open(Asked("init"));
        _named = Asked("data") is { } data ? DataSource.ProperName(data.Text) : null;
        string? asked = (Asked("net") ?? _init?.Settings["net"])?.Text;
        _own = _init?.NetworkOfItsOwn(asked);
        (string Zoo, Dictionary<string, int> Units)? narrow = asked is null || _own is not null ? null : NarrowNetwork.Split(asked);
        string? zoo = narrow is { } name ? NetworkZoo.Find(name.Zoo).Name : null;
        if (_own is not null && _named is null) throw new UsageException($"the network {_own.Name} has no recipe that names a dataset: --data names the one to train on.");
        _book = RecipeBook.Find(zoo, _named) ?? throw new InvalidOperationException($"no recipe for {zoo}");
        _network = _own?.Name ?? (narrow is { Units.Count: > 0 } ? asked! : _book.Network);
    }

    /// <param name="file">A recipe file's settings, or none.</param>
    /// <param name="flags">The command line's.</param>
    /// <param name="threads">That train, to choose the length of a run on synthetic data.</param>
    /// <exception cref="AsniException">The run makes no sense, or a file of it is missing or damaged.</exception>
    public static RunPlan Plan(SettingsLayer file, SettingsLayer flags, DatasetLocator locator, int threads) =>
        new RunPlanner(file, flags, locator, threads).Plan();

    /// <summary>Tells mistakes in the settings of a recipe file, without the data.</summary>
    /// <param name="needed">Those of them that must have an effect.</param>
    /// <inheritdoc cref="Plan(SettingsLayer, SettingsLayer, DatasetLocator, int)"/>
    public static void Check(SettingsLayer file, SettingsLayer needed) => needed.RequireEffect(new RunPlanner(file, SettingsLayer.Empty, DatasetLocator.ForUser(null), threads: 1).Check());

    private RunSettings Check()
    {
        RunSettings asked = Apply(_named ?? _book.Data, SettingsLayer.Empty);
        _flags.RequireEffect(asked);
        asked.Resolve();
        return asked;
    }

    private RunPlan Plan()
    {
        // Mistakes in the settings are told before any data is opened.
        RunSettings asked = Check();

        string data = _named ?? (IsThere(_book.Data) ? _book.Data : DataSource.Substitute(_book.Data));
        RunSettings settings = DataSource.IsSynthetic(data) ? Shorten(data) : asked;
        if (_own is not null) _notes.Add($"the network {_own.Name} has no recipe of its own: settings that are not given come from the recipe of {_book.Network}.");
        settings = settings with { Recipe = settings.Recipe with { Network = _network, Data = data } };
        Recipe recipe = settings.Resolve();
        if (recipe.Method.Remark(recipe, SettingsLayer.Apply(_book.Layer).Resolve()) is { } remark) _notes.Add(Remedies.Sentence(remark, recipe.Method));

        DatasetSplit split = DataSource.Open(data, InputSize(recipe), settings.Limit, _locator);
        Network network = NetworkFor(recipe, split.Train);
        recipe.Method.Validate(network);
        TrainedNetwork? start = _init?.Load(settings, network, _notes);
        return new RunPlan(settings, recipe, network, split, start, _notes);
    }

    /// <summary>What the user said of a setting; null for nothing.</summary>
    private SettingValue? Asked(string key) => _flags[key] ?? _file[key];

    /// <summary>All layers, for a run on these data.</summary>
    /// <param name="length">What suits the machine; the recipe's where it is empty.</param>
    private RunSettings Apply(string data, SettingsLayer length)
    {
        SettingsLayer init = _init?.Settings ?? SettingsLayer.Empty;
        bool anySize = Datasets.IsOfAnySize(data) || data == DataSource.Shapes;
        return SettingsLayer.Apply(_book.Layer, length, anySize ? init : init.Without("input"), _file, _flags);
    }

    /// <summary>A folder that the user named must have it: opening it says what is missing.</summary>
    private bool IsThere(string data) => _locator.HasNamedFolder || _locator.Find(data) is not null;

    /// <summary>The settings of a run on synthetic data, of a length that suits the machine.</summary>
    private RunSettings Shorten(string data)
    {
        var length = SyntheticLength.For(_book, data, Apply(data, SettingsLayer.Empty), _threads);
        RunSettings settings = Apply(data, length.Layer);
        if (_named is null) _notes.Add($"{_book.Data} was not found, so this run uses the synthetic dataset {data}; {Remedies.Obtaining(_book.Data)}.");
        if (length.Describe(settings, _threads) is { } chosen) _notes.Add(chosen);
        return settings;
    }

    /// <summary>The size that images are brought to; null: the data's own.</summary>
    private Chw? InputSize(Recipe recipe) =>
        recipe.Input ?? (Datasets.IsOfAnySize(recipe.Data) ? _own?.Input ?? NetworkZoo.Find(_book.Network).Input : null);

    /// <summary>The network to train, for these images and classes.</summary>
    /// <exception cref="UsageException">It does not read such images.</exception>
    private Network NetworkFor(Recipe recipe, Dataset images)
    {
        if (_own is not null && (_own.Input != images.Shape || _own.Classes != images.Classes))
            throw new UsageException($"{_own.Name} has the input size {_own.Input} and {_own.Classes} classes; {recipe.Data} has {images.Shape} images of {images.Classes} classes.");
        Network network = _own ?? NetworkZoo.Create(_network, recipe.Input ?? images.Shape, images.Classes);
        if (images.Shape == network.Input) return network;
        string mend = Datasets.IsOfAnySize(recipe.Data) ? "give 3 channels" : "leave --input out";
        throw new UsageException($"{recipe.Data} has {images.Shape} images, not {network.Input}; {mend} or choose other data.");
    }
}
