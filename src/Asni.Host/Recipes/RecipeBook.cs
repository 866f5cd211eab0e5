using System.Reflection;

namespace Asni.Host.Recipes;

/// <summary>The files of recipes/, embedded in the program: what a network trains with unless told otherwise.</summary>
internal sealed record BookRecipe(string Name, string Network, string Data, SettingsLayer Layer);

internal static class RecipeBook
{
    private const string Prefix = "recipes/";

    /// <summary>What a network trains with by itself; other recipes are asked for with --recipe.</summary>
    private const string Suffix = "-asni.yaml";

    /// <summary>Data whose recipes suit another dataset too.</summary>
    private static readonly Dictionary<string, string> s_sameKind = new()
    {
        ["fashion-mnist"] = "mnist",
        ["digits"] = "mnist",
        ["cifar100"] = "cifar10",
        ["shapes"] = "cifar10",
        ["images"] = "imagenet",
    };

    /// <summary>Where a network has recipes for several datasets and none was named, the first of these.</summary>
    private static readonly string[] s_preferred = ["cifar10", "mnist", "imagenet"];

    public static IReadOnlyList<BookRecipe> All { get; } = Read();

    /// <summary>The recipe of a network, for this dataset if there is one; the network that suits the data when none is named.</summary>
    /// <returns>Null when no recipe is for this network.</returns>
    public static BookRecipe? Find(string? network, string? data)
    {
        string? kind = data is not null && s_sameKind.TryGetValue(data, out string? same) ? same : data;
        network ??= kind is null or "mnist" ? "lenet300" : kind == "imagenet" ? "resnet50" : "conv6";
        var candidates = All.Where(r => r.Network == network).OrderBy(r => Array.IndexOf(s_preferred, r.Data)).ToList();
        return candidates.Find(r => r.Data == kind) ?? candidates.FirstOrDefault();
    }

    private static List<BookRecipe> Read()
    {
        Assembly assembly = typeof(RecipeBook).Assembly;
        var recipes = new List<BookRecipe>();
        IEnumerable<string> names = assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && n.EndsWith(Suffix, StringComparison.Ordinal));
        foreach (string name in names.Order(StringComparer.Ordinal))
        {
            using Stream stream = assembly.GetManifestResourceStream(name)!;
            using var reader = new StreamReader(stream);
            SettingsLayer layer = RecipeYaml.Parse(reader.ReadToEnd(), name);
            recipes.Add(new BookRecipe(name, layer["net"]!.Text, layer["data"]!.Text, layer));
        }
        return recipes;
    }
}
