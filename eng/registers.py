#!/usr/bin/env python3
"""Writes what ptxas says that each kernel takes, from build/native/ptx (built where eng/ptxas.sh finds ptxas), to where the repository keeps it:

    eng/registers.py            tests/Asni.Tests/Cuda/registers.txt, which the launch audit reads where nobody has assembled the kernels,
                                and the table in docs/gpu-validation.md between <!-- registers --> and <!-- /registers -->
    eng/registers.py --check    writes nothing; exit code 1 when either would change
"""
import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PTX = os.path.join(ROOT, "build", "native", "ptx")
TABLE = os.path.join(ROOT, "tests", "Asni.Tests", "Cuda", "registers.txt")
PAGE = os.path.join(ROOT, "docs", "gpu-validation.md")
ARCHITECTURES = ("sm_80", "sm_90a")
# Rows of the page, by the first that matches.
FAMILIES = [("convolutions in bf16, wgmma", "convolution_.*_wgmma$"), ("convolutions in bf16, mma.sync", "convolution_(forward|.*gradient)_bf16_[0-9]"),
            ("convolutions in TF32", "convolution_.*_tf32_"), ("convolutions in fp32", "convolution_(forward|.*gradient)_fp32_[0-9]"),
            ("depthwise convolutions", "depthwise_"), ("batch-norm", "batch_norm_"), ("pooling", "(max|mean)_pool_"), ("threshold", "threshold_"),
            ("limits, which only benchmarks launch", "limit_"), ("all others", "")]


def figures():
    """{kernel: {architecture: (file, registers, shared, local)}}; local bytes are the most of stack frame, spill stores and spill loads."""
    kernels = {}
    for architecture in ARCHITECTURES:
        for path in sorted(glob.glob(f"{PTX}/**/*.{architecture}.registers", recursive=True)):
            with open(path) as file:
                for line in file:
                    if not line.startswith("#"):
                        name, registers, shared, *local = line.split()
                        test = os.path.dirname(path) != PTX
                        kernels.setdefault(name, {})[architecture] = (test, int(registers), int(shared), max(map(int, local)))
    if not kernels:
        sys.exit("eng/registers.py: build/native/ptx has no *.registers; run eng/ptxas.sh && eng/native.sh first.")
    return kernels


def table(kernels):
    lines = ["# Of each kernel, for each architecture: registers a thread, static shared bytes a block, local bytes a thread, as ptxas 12.4 says.",
             "# Written by eng/registers.py from the build's figures."]
    for name, each in sorted(kernels.items()):
        lines.append(" ".join([name, *(f"{a} {each[a][1]} {each[a][2]} {each[a][3]}" for a in ARCHITECTURES if a in each)]))
    return "\n".join(lines) + "\n"


def page(kernels, text):
    lines = ["| registers, static shared bytes and local bytes at most | " + " | ".join(f"{a}" for a in ARCHITECTURES) + " | kernels |",
             "| --- |" + " ---: |" * (len(ARCHITECTURES) + 1)]
    left = {name: each for name, each in kernels.items() if not any(figure[0] for figure in each.values())}
    for family, pattern in FAMILIES:
        names = [name for name in left if re.match(pattern, name)]
        cells = []
        for a in ARCHITECTURES:
            rows = [left[name][a] for name in names if a in left[name]]
            cells.append(" / ".join(f"{max(column):,}" for column in list(zip(*rows))[1:]) if rows else "none there")
        lines.append(f"| {family} | {' | '.join(cells)} | {len(names)} |")
        for name in names:
            del left[name]
    spilling = [f"`{name}` on {a} {each[a][3]} bytes" for name, each in sorted(kernels.items()) for a in ARCHITECTURES if a in each and each[a][3]]
    lines += ["", "With local memory: " + ("; ".join(spilling) or "none") + "."]
    new, count = re.subn(r"(<!-- registers -->\n).*?(<!-- /registers -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2], text, flags=re.S)
    if count != 1:
        sys.exit(f"eng/registers.py: {PAGE} needs one line <!-- registers --> with a line <!-- /registers --> after it.")
    return new


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    kernels = figures()
    changed = [(path, new) for path, new in ((TABLE, table(kernels)), (PAGE, page(kernels, read(PAGE)))) if new != read(path)]
    for path, new in changed:
        print(f"{'would change' if sys.argv[1:] else 'wrote'} {os.path.relpath(path)}")
        if not sys.argv[1:]:
            with open(path, "w") as file:
                file.write(new)
    sys.exit(1 if changed and sys.argv[1:] else 0)


if __name__ == "__main__":
    main()
