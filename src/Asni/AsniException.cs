namespace Asni;

/// <summary>A failure the user can act on. The message is one sentence that names the thing, what was expected and the remedy.</summary>
public class AsniException : Exception
{
    public AsniException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>Training left the numbers: its loss or a weight became NaN or infinite. What was saved before that is finite.</summary>
public sealed class DivergenceException : AsniException
{
    public DivergenceException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>The request itself is wrong (a flag, a recipe, a network name): nothing was started.</summary>
public sealed class UsageException : AsniException
{
    public UsageException(string message, Exception? inner = null) : base(message, inner) { }
}
