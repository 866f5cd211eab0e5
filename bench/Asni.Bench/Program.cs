using Asni.Bench;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;

// `cuda limits` and `cuda kernels` tell of the GPU; `steps` times whole training steps or inference and prints a line of JSON; bench/peers/compare.py calls it. Anything else is BenchmarkDotNet's.
if (args is ["steps", ..]) return Steps.Run(args[1..]);
if (args is ["cuda", ..]) return CudaLimits.Run(args[1..]);
if (args is ["limits"]) return Limits.Print();
BenchmarkSwitcher.FromAssembly(typeof(Steps).Assembly).Run(args, DefaultConfig.Instance);
return 0;
