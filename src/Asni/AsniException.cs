namespace Asni;

/// <summary>
/// A failure that its caller can act on. The message is one sentence that names the thing and what was expected; derived classes have the facts that
/// a program needs to do better, so that nobody has to read the message for them.
/// </summary>
public class AsniException : Exception
{
    public AsniException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>Training left the numbers: its loss or a weight became NaN or infinite. What was saved before that is finite.</summary>
public sealed class DivergenceException : AsniException
{
    public DivergenceException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>The request itself is wrong (a setting, a recipe, the name of a network): nothing was started.</summary>
public class UsageException : AsniException
{
    public UsageException(string message, Exception? inner = null) : base(message, inner) { }
}
