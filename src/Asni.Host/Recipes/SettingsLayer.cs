using Asni.Methods;
using Asni.Optimizers;
using Asni.Pruning;

namespace Asni.Host.Recipes;

/// <summary>Settings from one place: a recipe file, the flags. A later layer overrides an earlier one key by key.</summary>
internal sealed class SettingsLayer(IReadOnlyDictionary<string, SettingValue> values)
{
    public static SettingsLayer Empty { get; } = new(new Dictionary<string, SettingValue>());

    public bool Has(string key) => values.ContainsKey(key);
    public SettingValue? this[string key] => values.GetValueOrDefault(key);

    public SettingsLayer Without(string key) => new(values.Where(v => v.Key != key).ToDictionary());

    /// <summary>Refuses what this layer says and the finished settings ignore.</summary>
    /// <exception cref="UsageException">Names the first such setting, and what it needs.</exception>
    public void RequireEffect(RunSettings settings)
    {
        foreach (Setting setting in Settings.All)
        {
            if (this[setting.Key] is { } value && SettingConditions.Missing(setting.Key, settings) is { } missing)
                throw new UsageException($"{value.Origin} would change nothing: it needs {missing} (the method of this run is {SettingText.Name(settings.Recipe.Method)}).");
        }
    }

    public static RunSettings Apply(params IEnumerable<SettingsLayer> layers)
    {
        var settings = new RunSettings();
        bool first = true;
        foreach (SettingsLayer layer in layers)
        {
            settings = layer.Over(settings, first);
            first = false;
        }
        return settings;
    }

    /// <summary>The settings with this layer's values on top.</summary>
    private RunSettings Over(RunSettings below, bool first)
    {
        if (this["sparsity"] is { } sparsity && this["mag1"] is { } mag1)
            throw new UsageException($"{sparsity.Origin} and {mag1.Origin} exclude each other: both say how sparse the network becomes.");
        RunSettings settings = first ? below : GiveWay(below);
        foreach (Setting setting in Settings.All)
        {
            if (this[setting.Key] is not { } value) continue;
            int epochs = settings.Recipe.Epochs;
            settings = ApplyOne(setting, value, settings);
            if (setting.Key == "epochs" && !first) settings = KeepProportions(settings, epochs);
        }
        return SuitSchedule(settings, below.Recipe.Schedule.Kind);
    }

    /// <summary>
    /// A sine's scale is no number of epochs: one that was meant for a sigmoid gives way to 2, where the sine is at its top at the end.
    /// </summary>
    private RunSettings SuitSchedule(RunSettings s, ScheduleKind before)
    {
        SparsitySchedule schedule = s.Recipe.Schedule;
        if (schedule.Kind != ScheduleKind.Sine || before == ScheduleKind.Sine || Has("scale1")) return s;
        return s with { Recipe = s.Recipe with { Schedule = schedule with { Scale1 = 2 } } };
    }

    private static RunSettings ApplyOne(Setting setting, SettingValue value, RunSettings settings)
    {
        try
        {
            return setting.Apply(settings, value.Text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{value.Origin} '{value.Text}' is not {e.Message}.");
        }
    }

    /// <summary>What a lower layer said about a detail yields to what this one says about the whole.</summary>
    private RunSettings GiveWay(RunSettings s)
    {
        if (Has("mag1")) s = s with { Sparsity = null };
        if (Has("lr")) s = s with { RetrainRate = null };
        if (Has("cosine-stretch")) s = s with { RetrainStretch = null };
        if (Has("epochs")) s = s with { Recipe = s.Recipe with { RetrainEpochs = null } };
        return s;
    }

    /// <summary>
    /// A recipe's lengths in epochs are meant for its number of epochs: another number stretches them. This layer's own follow and win.
    /// </summary>
    private static RunSettings KeepProportions(RunSettings s, int before)
    {
        Recipe recipe = s.Recipe;
        if (before < 1 || recipe.Epochs < 1 || before == recipe.Epochs) return s;
        double factor = (double)recipe.Epochs / before;
        int Stretch(int epochs) => (int)Math.Round(epochs * factor);
        SparsitySchedule schedule = recipe.Schedule;
        LearningRate rate = recipe.LearningRate;
        return s with
        {
            Recipe = recipe with
            {
                Schedule = schedule with
                {
                    Scale1 = schedule.Kind == ScheduleKind.Sine ? schedule.Scale1 : schedule.Scale1 * factor,
                    Scale2 = schedule.Scale2 * factor,
                    Rest = schedule.Rest is { } rest ? Math.Max(1, Stretch(rest)) : null,
                },
                LearningRate = rate with { Steps = [.. rate.Steps.Select(Stretch)], WarmupEpochs = Stretch(rate.WarmupEpochs) },
            },
        };
    }
}
