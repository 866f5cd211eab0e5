using Asni;
using Asni.Bench;

// `steps` times whole training steps or inference, `layers` each layer of a pruned network on its dense and its sparse path,
// `profile` the operations of a step, `latency` calls of a SparseModel, `callers` those of several threads at once, `web` requests to examples/WebApi,
// `ranks` steps of several processes, `limits` the machine: a line of JSON each, read by bench/peers. `kernels` runs all benchmarks
// and prints or writes their table; `cuda limits`, `cuda kernels`, `cuda speed` and `cuda smoke` tell of the GPU. Anything else is BenchmarkDotNet's.
try
{
    switch (args)
    {
        case ["steps", ..]: return Steps.Run(args[1..]);
        case ["layers", ..]: return Layers.Run(args[1..]);
        case ["profile", ..]: return Profile.Run(args[1..]);
        case ["latency", ..]: return Latency.Run(args[1..]);
        case ["callers", ..]: return Callers.Run(args[1..]);
        case ["web", ..]: return Web.Run(args[1..]);
        case ["ranks", ..]: return Ranks.Run(args[1..]);
        case ["limits"]: return Limits.Print();
        case ["cuda", ..]: return CudaLimits.Run(args[1..]);
        case ["kernels", ..]: return Kernels.Run(args[1..]);
        default:
            Kernels.Benchmark(args);
            return 0;
    }
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
