#!/usr/bin/env python3
"""What vectors and fused multiply-adds are worth: calls of a SparseModel under the JIT and as NativeAOT, for processors with and without them.

    dotnet build bench/Asni.Bench
    python3 bench/peers/vectors.py [--nets resnet20 conv6] [--density 0.1] [--markdown docs/performance.md]

Batch 1, networks pruned by global magnitude. Kinds in turn, medians of rounds. Publishing needs the linker that NativeAOT needs (clang or gcc).
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

JIT = [("JIT, as the processor is", {}), ("JIT, 256 bits", {"ASNI_SIMD": "256"}), ("JIT, 128 bits with FMA", {"ASNI_SIMD": "128"}),
       ("JIT, no AVX2, no FMA", {"DOTNET_EnableAVX2": "0"}), ("JIT, no AVX", {"DOTNET_EnableAVX": "0"})]
AOT = [("NativeAOT, x86-64-v2 (the default)", "x86-64-v2"), ("NativeAOT, x86-64-v3", "x86-64-v3"), ("NativeAOT, x86-64-v4", "x86-64-v4")]


def processor_has(flag):
    """Whether /proc/cpuinfo names the flag; true where there is none, so that the kind is tried."""
    try:
        with open("/proc/cpuinfo") as f:
            return flag in f.read().split()
    except OSError:
        return True


def publish(instruction_set, folder):
    """The latency program compiled ahead of time."""
    out = os.path.join(folder, instruction_set)
    run = subprocess.run(["dotnet", "publish", os.path.join(common.ROOT, "bench", "Asni.Latency"), "--use-current-runtime", f"-p:IlcInstructionSet={instruction_set}",
                          "-o", out], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(run.args)} failed: {(run.stdout.strip().splitlines() or ['no output'])[-1]}")
    return [os.path.join(out, "Asni.Latency")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nets", nargs="+", default=["resnet20", "conv6"])
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="rewrite the table between the vectors markers of this file")
    options = parser.parse_args()
    cases = {c.net: c for c in common.CASES}
    for net in options.nets:
        if net not in cases:
            sys.exit(f"{net} is not among {', '.join(cases)}.")
    if options.markdown:
        common.between(options.markdown, "vectors", "")
    limits = common.limits_line(common.asni("limits"))
    with tempfile.TemporaryDirectory() as folder:
        jit = [kind for kind in JIT if kind[1].get("ASNI_SIMD") != "256" or processor_has("avx512f")]
        kinds = [(name, ["dotnet", common.BENCH, "latency"], environment) for name, environment in jit]
        kinds += [(name, publish(level, folder), {}) for name, level in AOT if level != "x86-64-v4" or processor_has("avx512f")]
        lines = [f"{options.threads} threads, fp32; {limits}.", "",
                 "| network | density | built and run as | p50 ms | times the JIT's | dense p50 ms |", "| --- | ---: | --- | ---: | ---: | ---: |"]
        for net in options.nets:
            arguments = [*common.network_of(cases[net]._replace(batch=1)), "--threads", str(options.threads), "--seconds", str(options.seconds),
                         "--density", str(options.density)]
            rounds = [[common.call(command, arguments, environment) for _, command, environment in kinds] for _ in range(options.rounds)]
            for k, (name, _, _) in enumerate(kinds):
                own, dense, ratio = (statistics.median(f(r) for r in rounds) for f in (
                    lambda r: r[k]["p50_ms"], lambda r: r[k]["dense_p50_ms"], lambda r: r[k]["p50_ms"] / r[0]["p50_ms"]))
                lines.append(f"| {net} | {options.density:.4g} | {name} | {own:.3g} | {ratio:.2f} | {dense:.3g} |")
    print("\n".join(lines))
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "vectors", "\n".join(lines) + "\n"))


main()
