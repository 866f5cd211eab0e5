namespace Asni.Formats;

/// <summary>A sound file of weights does not say what network they belong to: <see cref="WeightsByName.Load"/> takes them for a network that the caller names.</summary>
internal sealed class UnnamedNetworkException(string path, string message, Exception? inner = null) : UsageException(message, inner)
{
    public string Path { get; } = path;
}

/// <summary>The tensors of a file are not those of the network, by names and shapes.</summary>
public sealed class WeightMismatchException : AsniException
{
    internal WeightMismatchException(string message) : base(message) { }

    /// <summary>Number of the network's tensors that fit; the others can start fresh when <see cref="WeightMatching.Strict"/> is off.</summary>
    public int Fitting { get; internal init; }

    /// <summary>Number of tensors that <see cref="WeightMatching.InOrder"/> would take; 0 when their shapes do not fit either.</summary>
    public int FitInOrder { get; internal init; }
}
