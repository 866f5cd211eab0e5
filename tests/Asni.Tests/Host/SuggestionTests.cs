using Asni.Host;

namespace Asni.Tests.Host;

public class SuggestionTests
{
    private static readonly string[] s_words = ["--epochs", "--batch", "--retrain-epochs", "--lr"];

    [TestCase("--epoch", ExpectedResult = "--epochs")]
    [TestCase("--epcohs", ExpectedResult = "--epochs")]
    [TestCase("--BATCH", ExpectedResult = "--batch")]
    [TestCase("--lt", ExpectedResult = "--lr")]
    [TestCase("--something-else", ExpectedResult = null)]
    public string? The_closest_word_is_found_when_it_is_close(string typed) => Suggestion.Closest(typed, s_words);
}
