using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Perfolizer.Horology;

namespace Asni.Bench;

/// <summary>The work of one call and what bounds it, for the columns with the rate and its share of the limit.</summary>
internal interface IWork
{
    /// <summary>Floating-point operations, or bytes read and written, of a benchmark's call.</summary>
    double Work(string benchmark);

    /// <summary>The limit of the machine that bounds a benchmark.</summary>
    Bound BoundOf(string benchmark);

    /// <summary>Bytes of memory that a call touches: those it reads twice count once. Only for bounds of memory.</summary>
    long Footprint(string benchmark);
}

internal static class WorkLimits
{
    /// <summary>Measures (again) what bounds these benchmarks: just before they run, so that both see the machine in the same state.</summary>
    public static void MeasureLimits(this IWork work, params string[] benchmarks)
    {
        foreach ((Bound bound, long bytes) in benchmarks.Select(b => (work.BoundOf(b), work.Footprint(b))).Distinct()) Limits.Measure(bound, bytes);
    }
}

/// <summary>What a benchmark reached: the rate and the limit it is held against.</summary>
internal readonly record struct Achievement(double MedianMilliseconds, double Rate, Bound Bound, double Limit)
{
    public string RateText => string.Create(CultureInfo.InvariantCulture, $"{Rate:f0} {Limits.Unit(Bound)}");
    public string LimitText => string.Create(CultureInfo.InvariantCulture,
        $"{100 * Rate / Limit:f0} % of {Bound.ToString().ToLowerInvariant()} ({Limit:f0})");

    /// <summary>Null when the benchmark failed.</summary>
    public static Achievement? Create(Summary summary, BenchmarkCase benchmark)
    {
        if (summary[benchmark]?.ResultStatistics is not { } statistics) return null;
        Type type = benchmark.Descriptor.Type;
        if (Activator.CreateInstance(type) is not IWork work) return null;
        foreach (var parameter in benchmark.Parameters.Items) type.GetProperty(parameter.Name)?.SetValue(work, parameter.Value);
        string method = benchmark.Descriptor.WorkloadMethod.Name;
        Bound bound = work.BoundOf(method);
        return new Achievement(statistics.Median / 1e6, work.Work(method) / statistics.Median, bound, Limits.Get(bound, work.Footprint(method)));
    }
}

/// <summary>Short runs inside this process (the device's threads stay warm), medians, and columns with the rate and its share of the limit.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class InProcessAttribute : Attribute, IConfigSource
{
    public IConfig Config { get; } = ManualConfig.CreateEmpty()
        .AddJob(Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance)
            .WithWarmupCount(2).WithIterationCount(7).WithIterationTime(TimeInterval.FromMilliseconds(150)))
        .AddColumn(
            StatisticColumn.Median,
            new WorkColumn("Rate", "work of a call divided by the median time", a => a.RateText),
            new WorkColumn("Of limit", "share of what the machine can do at most, measured in the same process", a => a.LimitText));

    private sealed class WorkColumn(string name, string legend, Func<Achievement, string> text) : IColumn
    {
        public string Id => name;
        public string ColumnName => name;
        public string Legend => legend;
        public UnitType UnitType => UnitType.Dimensionless;
        public bool AlwaysShow => true;
        public bool IsNumeric => true;
        public ColumnCategory Category => ColumnCategory.Custom;
        public int PriorityInCategory => 0;
        public bool IsAvailable(Summary summary) => true;
        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
        public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => Achievement.Create(summary, benchmarkCase) is { } a ? text(a) : "-";
    }
}
