namespace Asni.Distributed;

/// <summary>In which order gradients of several ranks are added.</summary>
public enum SumOrder
{
    /// <summary>In one binary tree over the ranks: the bits of the sums depend on the number of lanes alone.</summary>
    Ordered,

    /// <summary>Likewise, through the host's memory where GPUs could exchange among themselves.</summary>
    Host,

    /// <summary>As NCCL does, between GPUs: the bits depend on the number of ranks and on what connects them, and may differ from run to run.</summary>
    Fast,
}
