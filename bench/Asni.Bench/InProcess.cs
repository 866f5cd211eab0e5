using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Asni.Bench;

/// <summary>Work of one call, for the rate column: floating-point operations or bytes.</summary>
internal interface IWork
{
    /// <summary>Operations or bytes of a benchmark's call.</summary>
    double Work(string benchmark);

    /// <summary>"GFLOP/s" or "GB/s".</summary>
    string Unit { get; }
}

/// <summary>Short runs inside this process (the device's threads stay warm), medians, and a column with the rate.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class InProcessAttribute : Attribute, IConfigSource
{
    public IConfig Config { get; } = ManualConfig.CreateEmpty()
        .AddJob(Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(2).WithIterationCount(7).WithIterationTime(Perfolizer.Horology.TimeInterval.FromMilliseconds(150)))
        .AddColumn(StatisticColumn.Median, new RateColumn());

    private sealed class RateColumn : IColumn
    {
        public string Id => "Rate";
        public string ColumnName => "Rate";
        public string Legend => "work of a call divided by the median time";
        public UnitType UnitType => UnitType.Dimensionless;
        public bool AlwaysShow => true;
        public bool IsNumeric => true;
        public ColumnCategory Category => ColumnCategory.Custom;
        public int PriorityInCategory => 0;
        public bool IsAvailable(Summary summary) => true;
        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            if (summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "-";
            if (Activator.CreateInstance(benchmarkCase.Descriptor.Type) is not IWork work) return "-";
            foreach (var parameter in benchmarkCase.Parameters.Items)
                benchmarkCase.Descriptor.Type.GetProperty(parameter.Name)?.SetValue(work, parameter.Value);
            return $"{work.Work(benchmarkCase.Descriptor.WorkloadMethod.Name) / statistics.Median:f0} {work.Unit}";
        }
    }
}
