using System.Collections.Immutable;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Several policies, one after the other at each point.</summary>
internal sealed class PolicySequence(params ImmutableArray<IMaskPolicy> policies) : IMaskPolicy
{
    public double? EverLive => policies.Select(p => p.EverLive).FirstOrDefault(e => e is not null);

    public long? Counted => policies.Select(p => p.Counted).FirstOrDefault(c => c is not null);

    public StepNeeds BeforeStep(in StepPoint at)
    {
        StepNeeds needs = default;
        foreach (IMaskPolicy policy in policies)
        {
            StepNeeds own = policy.BeforeStep(at);
            needs = new StepNeeds(needs.DenseGradient || own.DenseGradient, needs.ReplacesUpdate || own.ReplacesUpdate);
        }
        return needs;
    }

    public void AfterBackward(in StepPoint at)
    {
        foreach (IMaskPolicy policy in policies) policy.AfterBackward(at);
    }

    public PruneOutcome? AfterStep(in StepPoint at)
    {
        PruneOutcome? outcome = null;
        foreach (IMaskPolicy policy in policies) outcome = Join(outcome, policy.AfterStep(at));
        return outcome;
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at)
    {
        PruneOutcome? outcome = null;
        foreach (IMaskPolicy policy in policies) outcome = Join(outcome, policy.BetweenEpochs(at));
        return outcome;
    }

    public void BeforeEvaluation(in StepPoint at)
    {
        foreach (IMaskPolicy policy in policies) policy.BeforeEvaluation(at);
    }

    public void AfterEvaluation()
    {
        foreach (IMaskPolicy policy in policies.Reverse()) policy.AfterEvaluation();
    }

    public PruneOutcome? Finish(in StepPoint at)
    {
        PruneOutcome? outcome = null;
        foreach (IMaskPolicy policy in policies) outcome = Join(outcome, policy.Finish(at));
        return outcome;
    }

    /// <summary>Names differ from policy to policy, and one at most keeps masks.</summary>
    public PolicyState? Save() => policies.Select(p => p.Save()).OfType<PolicyState>().Aggregate((PolicyState?)null, (all, s) => all is null ? s : all.Join(s));

    public void Restore(PolicyState state)
    {
        foreach (IMaskPolicy policy in policies) policy.Restore(state);
    }

    private static PruneOutcome? Join(PruneOutcome? first, PruneOutcome? then) =>
        then is { } last ? last with { Threshold = last.Threshold ?? first?.Threshold } : first;
}
