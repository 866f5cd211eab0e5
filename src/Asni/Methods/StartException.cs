namespace Asni.Methods;

/// <summary>Why a method cannot begin with what it was given.</summary>
internal enum StartFault
{
    /// <summary>It works on a given network, and there is none.</summary>
    Missing,

    /// <summary>It needs a network that has all its weights, and some of this one's are pruned.</summary>
    Pruned,
}

/// <summary>A method cannot begin with the network that it was given, or with none.</summary>
internal sealed class StartException(StartFault fault, string method) : UsageException(fault switch
{
    StartFault.Missing => $"the method {method} needs a network to start from.",
    StartFault.Pruned => $"the network to start from is pruned already, and the method {method} needs one that has all its weights.",
    _ => throw new ArgumentOutOfRangeException(nameof(fault)),
})
{
    public StartFault Fault { get; } = fault;
}
