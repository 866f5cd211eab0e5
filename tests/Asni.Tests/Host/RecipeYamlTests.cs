using Asni.Host.Recipes;

namespace Asni.Tests.Host;

/// <summary>What is YAML and no recipe.</summary>
public class RecipeYamlTests
{
    private static void ExpectRefused(string yaml, string words) =>
        Assert.That(() => RecipeYaml.Parse(yaml, "r.yaml"), Throws.TypeOf<UsageException>().With.Message.StartsWith("r.yaml").And.Message.Contains(words).And.Message.EndsWith("."));

    [TestCase("[")]
    [TestCase("{a: ")]
    [TestCase("[{a: [")]
    [TestCase("- ")]
    [TestCase("? ")]
    public void What_is_nested_is_refused_however_deep_it_goes(string open)
    {
        for (int depth = 2; depth < 300_000; depth *= 20) ExpectRefused("net: " + string.Concat(Enumerable.Repeat(open, depth)), "line ");
        ExpectRefused(string.Concat(Enumerable.Repeat(open, 100_000)), "r.yaml");
    }

    [TestCase("net: *a", "refers to another value")]
    [TestCase("epochs: &a [1]\nlr-steps: *a", "line 2: lr-steps refers to another value")]
    [TestCase("&a net: *a", "refers to another value")]
    [TestCase("lr-steps: &a [*a]", "nested")]
    [TestCase("net: conv2\nnet: conv4", "line 2: net is there twice")]
    [TestCase("net: conv2\n---\nnet: conv4", "second document")]
    [TestCase("? [a, b]\n: 1", "a key was expected")]
    [TestCase("net: {a: 1}", "net is nested")]
    [TestCase("lr-steps: [1, [2]]", "lr-steps is nested")]
    [TestCase("- net", "is not a recipe")]
    [TestCase("net", "is not a recipe")]
    [TestCase("net: *", "line 1")]
    [TestCase("net: !!s[r x", "line 1")]
    [TestCase("net: !<[> x", "line 1")]
    [TestCase("net: 'x", "line")]
    [TestCase("net: \"\\q\"", "line 1")]
    [TestCase("%YAML 9.9\n---\nnet: x", "line")]
    [TestCase("nets: x", "unknown key 'nets'; did you mean net")]
    public void What_is_no_flat_mapping_is_refused(string yaml, string words) => ExpectRefused(yaml, words);

    [TestCase("")]
    [TestCase("# nothing\n")]
    [TestCase("{}")]
    public void A_recipe_may_say_nothing(string yaml) => Assert.That(RecipeYaml.Parse(yaml, "r.yaml")["net"], Is.Null);

    [TestCase("net: conv2\nlr-steps: [1, 2]\n")]
    [TestCase("{net: conv2, lr-steps: '1,2'}")]
    [TestCase("--- \nnet: &n \"conv2\"\n? lr-steps\n: - 1\n  - 2\n...\n")]
    public void Ways_to_write_the_same_are_the_same(string yaml)
    {
        SettingsLayer layer = RecipeYaml.Parse(yaml, "r.yaml");
        Assert.That((layer["net"]!.Text, layer["lr-steps"]!.Text), Is.EqualTo(("conv2", "1,2")));
    }

    [Test]
    public void A_key_that_goes_on_and_on_is_not_compared_letter_by_letter() => ExpectRefused(new string('a', 500_000) + ": 1", "line");

    [Test]
    public void A_file_too_large_for_a_recipe_is_refused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["r.yaml"], "net: conv2\n" + string.Concat(Enumerable.Repeat("# more\n", 200_000)));
        Assert.That(() => RecipeYaml.Load(folder["r.yaml"]), Throws.TypeOf<UsageException>().With.Message.Contains("more than 1,048,576 characters"));
    }
}
