namespace Asni.Cpu;

/// <summary>
/// The process's teams of one size, for all its callers: as many as its processors can serve, and at least one. They end with the last caller that was
/// counted in.
/// </summary>
internal sealed class TeamPool
{
    private static readonly Dictionary<int, TeamPool> s_pools = [];

    private readonly int _count;
    private readonly int _max;
    private Team[] _teams = [];
    private int _callers;
    private volatile bool _closed;

    private TeamPool(int count) => (_count, _max) = (count, Math.Max(1, Environment.ProcessorCount / count));

    /// <summary>Counts a caller in.</summary>
    /// <param name="count">Workers of each team, the caller included.</param>
    public static TeamPool Join(int count)
    {
        lock (s_pools)
        {
            if (!s_pools.TryGetValue(count, out TeamPool? pool)) s_pools.Add(count, pool = new TeamPool(count));
            pool._callers++;
            return pool;
        }
    }

    /// <summary>Counts a caller out.</summary>
    /// <param name="wait">Returns when threads that end with it have ended.</param>
    public void Leave(bool wait)
    {
        lock (s_pools)
        {
            if (--_callers > 0) return;
            s_pools.Remove(_count);
            _closed = true;
            foreach (Team team in _teams)
                if (team.TryTake()) team.Stop(wait);
        }
    }

    /// <summary>A team that nobody else uses, the caller's from here on; null when others have them all.</summary>
    /// <param name="last">The one to try first.</param>
    public Team? Take(Team? last)
    {
        if (last is not null && last.TryTake()) return last;
        foreach (Team team in Volatile.Read(ref _teams))
            if (team.TryTake()) return team;
        return Volatile.Read(ref _teams).Length < _max ? Add() : null;
    }

    public void GiveBack(Team team)
    {
        team.GiveBack();
        if (_closed && team.TryTake()) team.Stop(wait: false);
    }

    private Team? Add()
    {
        lock (s_pools)
        {
            if (_closed || _teams.Length >= _max) return null;
            var team = new Team(_count);
            Volatile.Write(ref _teams, [.. _teams, team]);
            return team;
        }
    }
}
