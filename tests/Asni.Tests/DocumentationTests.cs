using System.Text.RegularExpressions;

namespace Asni.Tests;

/// <summary>Pages that quote the sources, or each other.</summary>
public partial class DocumentationTests
{
    [Test]
    public void The_library_page_shows_the_example_as_it_is_and_it_stays_short()
    {
        string program = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "examples", "TrainAndRun", "Program.cs"));
        string page = Page("docs", "library.md");
        Assert.That(page.ReplaceLineEndings("\n"), Does.Contain("```csharp\n" + program.ReplaceLineEndings("\n") + "```"));
        Assert.That(program.Split('\n'), Has.Length.LessThan(40));
    }

    [Test]
    public void The_front_page_has_the_ratios_of_the_performance_page()
    {
        string performance = Page("docs", "performance.md");
        string[][] training = Rows(Between(performance, "peers-train-256")), inference = Rows(Between(performance, "peers-infer-256"));
        string[][] front = Rows(Section(Page("README.md"), "Speed"));
        Assert.That(front.Select(r => r[0]), Is.EqualTo(training.Select(r => r[0])));
        foreach (string[] row in front)
        {
            string[] trained = training.Single(r => r[0] == row[0]);
            string[][] called = [.. inference.Where(r => r[0] == row[0])];
            Assert.That(row[1..], Is.EqualTo((string[])[trained[6], trained[7], called[0][8], called[0][9], called[1][8], called[1][9]]), row[0]);
        }
    }

    [Test]
    public void The_front_page_has_the_accuracies_of_the_results()
    {
        Dictionary<string, string[]> results = [];
        foreach (string[] row in Rows(Between(Page("docs", "results.md"), "leaderboard").Split("![")[0])) results.Add(row[0], row);
        string[][] front = Rows(Section(Page("README.md"), "Accuracy"));
        Assert.That(front, Has.Length.GreaterThan(5));
        Assert.That(front[0][0], Is.EqualTo($"dense: {results["dense"][1]}"));
        foreach (string[] row in front[1..])
        {
            string method = row[0] switch { "ASNI-I" => "asni1", "ASNI-I, then ASNI-II" => "asni", var name => name.Trim('`') };
            Assert.That(row[1..4], Is.EqualTo(results[method][2..5]), method);
        }
    }

    [Test]
    public void Links_between_pages_lead_to_files_and_headings()
    {
        string[] pages = Pages();
        Assert.That(pages, Has.Length.GreaterThan(15));
        foreach (string page in pages)
            foreach (Match link in Link().Matches(File.ReadAllText(page)))
            {
                if (link.Groups[1].Value.Contains("://")) continue;
                string[] parts = link.Groups[1].Value.Split('#');
                string target = parts[0].Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, parts[0]);
                Assert.That(Path.Exists(target), $"{page} links to {link.Groups[1].Value}");
                if (parts is [_, var anchor]) Assert.That(File.ReadLines(target).Where(line => line.StartsWith('#')).Select(Anchor), Does.Contain(anchor), page);
            }
    }

    [Test]
    public void No_page_is_unfinished()
    {
        foreach (string page in Pages())
        {
            string text = File.ReadAllText(page).ReplaceLineEndings("\n");
            Assert.That(text, Does.Not.Contain("TODO"), page);
            Assert.That(EmptyTable().Match(text).Value, Is.Empty, page);
        }
    }

    [Test]
    public void The_index_of_the_pages_names_each_of_them()
    {
        string index = Page("docs", "README.md");
        string[] pages = [.. Directory.GetFiles(Path.Combine(ArchitectureTests.Root, "docs"), "*.md").Select(f => Path.GetFileName(f)!).Where(f => f != "README.md")];
        Assert.That(pages.Where(p => !index.Contains($"({p})")), Is.Empty);
    }

    private static string[] Pages() => [.. Directory.GetFiles(ArchitectureTests.Root, "*.md")
        .Concat(((string[])["docs", "recipes", "bench", "src", "examples", "native", "eng"]).SelectMany(folder =>
            Directory.GetFiles(Path.Combine(ArchitectureTests.Root, folder), "*.md", SearchOption.AllDirectories)))];

    /// <summary>As GitHub makes it of a heading.</summary>
    private static string Anchor(string heading) => NoAnchor().Replace(heading.TrimStart('#', ' ').ToLowerInvariant(), "").Replace(' ', '-');

    private static string Page(params string[] path) => File.ReadAllText(Path.Combine([ArchitectureTests.Root, .. path])).ReplaceLineEndings("\n");

    private static string Between(string page, string marker) => page.Split($"<!-- {marker} -->")[1].Split($"<!-- /{marker} -->")[0];

    private static string Section(string page, string heading) => page.Split($"\n## {heading}\n")[1].Split("\n## ")[0];

    /// <summary>Cells of the rows of the first table, without its head.</summary>
    private static string[][] Rows(string text) => [.. text.Split('\n').SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).Skip(2)
        .Select(line => line.Trim('|', ' ').Split('|').Select(cell => cell.Trim()).ToArray())];

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();

    [GeneratedRegex(@"<!-- ([\w-]+) -->\n<!-- /\1 -->")]
    private static partial Regex EmptyTable();
}
