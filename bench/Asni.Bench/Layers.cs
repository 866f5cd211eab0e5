using System.Globalization;
using Asni.Cpu;
using Asni.Cpu.Convolution;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>
/// Times every convolution and linear layer of a pruned network by itself, each pass by its dense and by its sparse path in turn, and tells which of them the
/// device takes and what that costs over the faster one. Prints a table in Markdown, its last line the sums. Takes the options of <c>steps</c>.
/// </summary>
internal static class Layers
{
    private enum Pass { Forward, WeightGradient, DataGradient }

    private sealed record Row(string Layer, double Density, Pass Pass, double Dense, double Sparse, bool TakesSparse)
    {
        public double Taken => TakesSparse ? Sparse : Dense;
        public double Loss => Taken / Math.Min(Dense, Sparse) - 1;
    }

    public static int Run(string[] args)
    {
        StepOptions o = StepOptions.Parse(args);
        if (o.Cuda) throw new UsageException("layers times the CPU's two paths; leave out --device.");
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        using var device = new CpuDevice(o.Threads);
        using var model = new Model(network, device);
        Steps.Initialize(model);
        Steps.Prune(model, o);
        Console.WriteLine($"{device.Description}; {o.Net}, batch {o.Batch}.\n");
        Console.WriteLine("| layer | live | pass | dense ms | sparse ms | taken | loss |\n| --- | ---: | --- | ---: | ---: | --- | ---: |");
        var rows = new List<Row>();
        foreach ((Parameter weight, ConvolutionSpec spec) in NetworkLayers.Enumerate(network, o.Batch, o.Training))
            foreach (Row row in Time(model, weight, spec, o.Seconds))
            {
                rows.Add(row);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {row.Layer} | {row.Density:p1} | {row.Pass} | {row.Dense:g4} | {row.Sparse:g4} | {(row.TakesSparse ? "sparse" : "dense")} | {row.Loss:p0} |"));
            }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| all | {1 - model.Sparsity:p1} | | {rows.Sum(r => r.Dense):g4} | {rows.Sum(r => r.Sparse):g4} | {rows.Sum(r => r.Taken):g4} | {rows.Sum(r => r.Taken) / rows.Sum(r => Math.Min(r.Dense, r.Sparse)) - 1:p1} |"));
        return 0;
    }

    private static IEnumerable<Row> Time(Model model, Parameter weight, ConvolutionSpec spec, double seconds)
    {
        Device device = model.Device;
        // Depthwise layers have one path.
        if (device.CreateConvolution(spec) is not CpuConvolution operation) yield break;
        using DeviceBuffer xs = device.Allocate(device.ActivationBytes(spec.Batch, spec.Input)), dxs = device.Allocate(device.ActivationBytes(spec.Batch, spec.Input)),
            ys = device.Allocate(device.ActivationBytes(spec.Batch, spec.Output));
        DeviceTensor x = new(xs, 0, spec.Batch, spec.Input), dx = new(dxs, 0, spec.Batch, spec.Input), y = new(ys, 0, spec.Batch, spec.Output);
        device.Upload(Answers.Random(x.Elements, 1), x);
        device.Upload(Answers.Random(y.Elements, 2), y);
        ParameterTensor w = model.Parameters.Value(weight.Index), dw = model.Parameters.Gradient(weight.Index);
        operation.SetMask(model.Parameters, weight.Index);
        double density = (double)model.Parameters.Live(weight.Index) / weight.Elements;
        SparsePath sparse = operation.Sparse;
        var training = new TrainingPasses(operation, spec.Batch);
        var passes = new List<(Pass Pass, bool TakesSparse, Action Run)>
        {
            (Pass.Forward, sparse.TakesForward(spec.Batch), spec.Training ? () => training.Forward(x, w, y) : () => operation.Forward(x, w, null, y)),
        };
        if (spec.Training) passes.Add((Pass.WeightGradient, sparse.TakesBackwardWeights(spec.Batch), () => training.BackwardWeights(x, y, dw)));
        if (spec.InputGradient) passes.Add((Pass.DataGradient, sparse.TakesBackwardData(spec.Batch), () => training.BackwardData(y, w, dx)));
        foreach ((Pass pass, bool takesSparse, Action run) in passes)
        {
            double[][] times = density == 1 ? [Steps.Measure(() => Forced(false, run), seconds)] : Steps.MeasureInTurn([() => Forced(false, run), () => Forced(true, run)], seconds);
            double dense = times[0][times[0].Length / 2];
            yield return new Row(weight.Name, density, pass, dense, density == 1 ? dense : times[1][times[1].Length / 2], takesSparse);
        }
        operation.Dispose();
    }

    private static void Forced(bool sparse, Action run)
    {
        SparsePath.Forced = sparse;
        run();
        SparsePath.Forced = null;
    }
}
