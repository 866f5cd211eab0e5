using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Pruning;
using Asni.Pruning.Units;

namespace Asni.Tests.Host;

public class SettingsTests
{
    private static readonly SettingsLayer s_base = RecipeYaml.Parse(
        "epochs: 50\nscale1: 5\nscale2: 10\nrest: 40\nlr: 0.1\nlr-steps: [20, 40]\nwarmup: 5\nretrain-lr: 0.2\nretrain-epochs: 30\nmag1: 0.9\n", "base");

    [Test]
    public void A_later_layer_wins_key_by_key()
    {
        Recipe r = Over("momentum: 0.5\n").Resolve();
        Assert.That((r.Optimizer.Momentum, r.Epochs, r.LearningRate.Initial), Is.EqualTo((0.5, 50, 0.1)));
    }

    [Test]
    public void Other_epochs_stretch_what_is_counted_in_epochs()
    {
        Recipe r = Over("epochs: 100\n").Resolve();
        SparsitySchedule schedule = Asni(r).Schedule;
        Assert.That((schedule.Scale1, schedule.Scale2, schedule.Rest, r.LearningRate.WarmupEpochs), Is.EqualTo((10.0, 20.0, 80, 10)));
        Assert.That(r.LearningRate.Steps, Is.EqualTo(new[] { 40, 80 }));
        Assert.That(((AsniII)r.Method).Retraining.Epochs, Is.Null, "the retraining follows");
    }

    [TestCase(30, 40, 2, 1)]
    [TestCase(39, 40, 10, 9)]
    [TestCase(2, 40, 10, 1)]
    [TestCase(0, 40, 10, 0)]
    [TestCase(3, 10, 20, 6)]
    [TestCase(7, 49, 21, 3)]
    public void An_epoch_to_go_back_to_stays_before_the_end_and_after_the_start(int epoch, int of, int now, int expected)
    {
        foreach (string method in (string[])["imp", "cs"])
        {
            SettingsLayer published = RecipeYaml.Parse($"method: {method}\nepochs: {of}\nrewind-epoch: {epoch}\n", "published");
            Recipe r = SettingsLayer.Apply(published, RecipeYaml.Parse($"epochs: {now}\n", "given")).Resolve();
            Assert.That((r.Method as Imp)?.RewindEpoch ?? ((ContinuousSparsification)r.Method).RewindEpoch, Is.EqualTo(expected), method);
            Assert.That(r.Validate, Throws.Nothing, method);
        }
    }

    [TestCase(10, 4, 8)]
    [TestCase(2, 1, 2)]
    [TestCase(1, 1, 2)]
    public void Steps_of_the_rate_stay_apart_in_a_short_run(int epochs, int first, int second)
    {
        Recipe r = Over($"epochs: {epochs}\n").Resolve();
        Assert.That(r.LearningRate.Steps, Is.EqualTo(new[] { first, second }));
    }

    [TestCase("40,20")]
    [TestCase("0,20")]
    [TestCase("20,20")]
    public void Stretching_does_not_mend_steps_that_are_wrong(string steps)
    {
        SettingsLayer wrong = RecipeYaml.Parse($"epochs: 50\nlr-steps: {steps}\n", "r");
        Assert.That(() => SettingsLayer.Apply(wrong, RecipeYaml.Parse("epochs: 1\n", "given")).Resolve(), Throws.InstanceOf<UsageException>());
    }

    [Test]
    public void What_is_given_with_the_epochs_is_not_stretched()
    {
        Recipe r = Over("epochs: 100\nscale1: 7\nlr-steps: 90\n").Resolve();
        Assert.That((Asni(r).Schedule.Scale1, Asni(r).Schedule.Scale2), Is.EqualTo((7.0, 20.0)));
        Assert.That(r.LearningRate.Steps, Is.EqualTo(new[] { 90 }));
    }

    [Test]
    public void A_sine_with_the_scale_of_a_sigmoid_gets_its_own()
    {
        Assert.That(Asni(Over("schedule: sine\n").Recipe).Schedule.Scale1, Is.EqualTo(2));
        Assert.That(Asni(Over("schedule: sine\nscale1: 3\n").Recipe).Schedule.Scale1, Is.EqualTo(3));
    }

    [Test]
    public void A_learning_rate_given_alone_is_for_both_phases()
    {
        Assert.That(Second(Over("momentum: 0.5\n")), Is.EqualTo(0.2));
        Assert.That(Second(Over("lr: 0.3\n")), Is.EqualTo(0.3));
        Assert.That(Second(Over("lr: 0.3\nretrain-lr: 0.4\n")), Is.EqualTo(0.4));

        static double Second(RunSettings settings)
        {
            Recipe recipe = settings.Resolve();
            return recipe.Method.Phases(recipe, given: false).Last().LearningRate.Initial;
        }
    }

    [Test]
    public void The_final_sparsity_decides_mag1_until_a_later_layer_gives_mag1()
    {
        Recipe asked = Over("sparsity: 0.8\n").Resolve();
        Assert.That(asked.Method.FinalSparsity(asked), Is.EqualTo(0.8).Within(1e-12));
        Recipe again = SettingsLayer.Apply(s_base, RecipeYaml.Parse("sparsity: 0.8\n", "a"), RecipeYaml.Parse("mag1: 0.7\n", "b")).Resolve();
        Assert.That(Asni(again).EffectiveSchedule(again).Mag1, Is.EqualTo(0.7));
    }

    [TestCase("sparsity: 0.8\nepochs: 30\n", "sparsity: 0.8", "mag1: ")]
    [TestCase("method: dense\nsparsity: 0.8\n", "method: dense", "schedule: ")]
    public void A_saved_recipe_says_what_was_asked_and_not_what_followed(string yaml, string there, string absent)
    {
        string[] saved = RecipeYaml.Format(SettingsLayer.Apply(RecipeYaml.Parse(yaml, "test")), "test").Split('\n');
        Assert.That(saved, Has.Some.EqualTo(there).And.None.StartsWith(absent));
    }

    [Test]
    public void The_proportion_of_two_phases_is_saved_beside_the_sparsity()
    {
        RunSettings settings = Over("sparsity: 0.8\nmag2: 0.3\n");
        RunSettings again = SettingsLayer.Apply(s_base, RecipeYaml.Parse(RecipeYaml.Format(settings, "test"), "saved"));
        Recipe a = settings.Resolve(), b = again.Resolve();
        Assert.That(Asni(b).EffectiveSchedule(b), Is.EqualTo(Asni(a).EffectiveSchedule(a)));
        Assert.That(Asni(a).EffectiveSchedule(a).Mag2 / Asni(a).EffectiveSchedule(a).Mag1, Is.EqualTo(0.3 / 0.9).Within(1e-12));
    }

    [Test]
    public void Settings_of_one_name_take_the_same_values_in_every_method()
    {
        foreach (var same in Method.All.SelectMany(m => m.Row.Settings).GroupBy(s => s.Key))
            Assert.That(same.Select(s => (s.Values, s.IsSwitch)).Distinct().Count(), Is.EqualTo(1), same.Key);
    }

    [Test]
    public void No_method_has_a_setting_of_a_name_that_all_share() =>
        Assert.That(Method.All.SelectMany(m => m.Row.Settings.Select(s => s.Key)).Intersect(RunSettingList.Shared.Select(s => s.Key)), Is.Empty);

    [Test]
    public void A_saved_recipe_gives_the_same_recipe_back()
    {
        RunSettings settings = Over("net: conv4\ndata: shapes\ninput: 3x48x40\nlimit: 77\ninit: '/a b/it''s #1: x.asni'\nmatch: order\nzeros: live\nstrict: false\nmethod: asni\nseed: 18446744073709551615\nbatch: 12\nlanes: 3\naugment: yes\n"
            + "optimizer: nesterov\nmomentum: 0.85\nweight-decay: 1e-4\nlabel-smoothing: 0.1\nrecalibrate: 3x64\nlr-policy: multistep\ncosine-stretch: 1.06\nlr-gamma: 0.3\n"
            + "schedule: sine\nexponent: 3\nmag2: 0.01\ntrans1: 0.4\ntrans2: 0.3\nlocal: true\nprune-biases: true\nprune-every: 9\nmin-kept: 3\n"
            + "centroids: lloyd\nquantize-biases: true\nlevels: 1\nscope: channel\nsigns: initial\nnorm: kept\ncontrols: ticket,shuffle,networkmagnitude\nretrain-epochs: 6\nretrain-cosine-stretch: 1.5\nretrain-lr: 0.123456789012345\n");
        string yaml = RecipeYaml.Format(settings, "test");
        Assert.That(RecipeYaml.Format(SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved")), "test"), Is.EqualTo(yaml));
        Recipe a = settings.Resolve(), b = SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved")).Resolve();
        // Records compare immutable arrays by reference, so the steps are set aside.
        Assert.That(b with { LearningRate = a.LearningRate }, Is.EqualTo(a));
        Assert.That(b.LearningRate with { Steps = [] }, Is.EqualTo(a.LearningRate with { Steps = [] }));
        Assert.That(yaml.Split('\n').Count(line => line.Contains(": ")), Is.EqualTo(RunSettingList.ForMethod(new AsniII()).Length - 1), "every setting of the method but sparsity is in the file");
    }

    [TestCase("/a\nb/c.asni")]
    [TestCase("/a\r\n\tlr: 7\n---\n...")]
    [TestCase("/it's \"both\" \\ and\u0085more\u2028\u2029")]
    [TestCase("/\u001b[31m\u0007\u007f\ufeff")]
    [TestCase("/[1].pt")]
    [TestCase("/{a: 1}, &b *c !d | > % @ ` ? ~")]
    [TestCase("/ends in a blank ")]
    [TestCase("/\ud83d\ude00 \u00e4\u4e2d")]
    public void Any_name_of_a_file_comes_back_from_a_saved_recipe(string name)
    {
        string yaml = RecipeYaml.Format(SettingsLayer.Apply(s_base) with { Init = name }, "test");
        Assert.That(SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved")).Init, Is.EqualTo(Path.GetFullPath(name)));
        Assert.That(RecipeYaml.Format(SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved")), "test"), Is.EqualTo(yaml));
    }

    [Test]
    public void The_epoch_to_go_back_to_means_the_same_given_or_not()
    {
        string meaning = RecipeYaml.Meaning("method: imp\n", "test");
        Assert.That(RecipeYaml.Meaning("method: imp\nrewind-epoch: 0\n", "test"), Is.EqualTo(meaning));
        Assert.That(RecipeYaml.Meaning("method: imp\nrewind-step: 5\n", "test"), Does.Contain("rewind-step: 5").And.Not.EqualTo(meaning));
    }

    [Test]
    public void A_saved_recipe_of_structured_pruning_gives_the_same_recipe_back()
    {
        RunSettings settings = Over("method: ispasp\nratio: 0.3\nratios: layer1=0.4,layer4=1\ncriterion: ispasp\niterations: 7\ncalibration: 3x64\nblock-epochs: 2\n"
            + "finetune-epochs: 9\nfinetune-lr: 0.002\nall-blocks: true\n");
        string yaml = RecipeYaml.Format(settings, "test");
        RunSettings again = SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved"));
        Assert.That(RecipeYaml.Format(again, "test"), Is.EqualTo(yaml));
        var o = (UnitPruning)again.Resolve().Method;
        Assert.That((o.Target.Ratio, o.Selection.Criterion, o.Selection.Iterations, o.Selection.Calibration, o.BlockEpochs, o.Finetuning.Epochs, o.Finetuning.Rate, o.AllBlocks),
            Is.EqualTo((0.3, UnitCriterion.ISpaSP, 7, new ImageBatches(3, 64), 2, 9, 0.002, true)));
        Assert.That(o.Target.Ratios, Is.EquivalentTo(new Dictionary<string, double> { ["layer1"] = 0.4, ["layer4"] = 1 }));
    }

    [Test]
    public void So_does_one_with_a_penalty_on_units()
    {
        RunSettings settings = Over("method: structured\nunit-penalty: growing\nlambda: 0.003\ndistill-weight: 0.4\ndistill-temperature: 3\nunit-scope: hidden\nrounds: 3\nround-epochs: 2\n");
        string yaml = RecipeYaml.Format(settings, "test");
        Recipe recipe = SettingsLayer.Apply(RecipeYaml.Parse(yaml, "saved")).Resolve();
        Assert.That((recipe.DistillWeight, recipe.DistillTemperature), Is.EqualTo((0.4, 3.0)));
        var o = (StructuredPruning)recipe.Method;
        Assert.That((o.Penalty, o.Lambda, o.Scope, o.Rounds, o.RoundEpochs), Is.EqualTo((UnitPenaltyKind.Growing, 0.003, UnitScope.Hidden, 3, 2)));
    }

    [Test]
    public void Keys_are_unique() => Assert.That(RunSettingList.All.Select(s => s.Key), Is.Unique);

    private static AsniI Asni(Recipe recipe) => (AsniI)recipe.Method;

    private static RunSettings Over(string yaml) => SettingsLayer.Apply(s_base, RecipeYaml.Parse(yaml, "test"));
}
