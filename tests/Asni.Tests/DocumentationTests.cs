namespace Asni.Tests;

/// <summary>Pages that quote the sources.</summary>
public class DocumentationTests
{
    [Test]
    public void The_library_page_shows_the_example_as_it_is_and_it_stays_short()
    {
        string program = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "examples", "TrainAndRun", "Program.cs"));
        string page = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "docs", "library.md"));
        Assert.That(page.ReplaceLineEndings("\n"), Does.Contain("```csharp\n" + program.ReplaceLineEndings("\n") + "```"));
        Assert.That(program.Split('\n'), Has.Length.LessThan(40));
    }
}
