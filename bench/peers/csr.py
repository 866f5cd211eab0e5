#!/usr/bin/env python3
"""Sparse linear layers: PyTorch's own sparse CSR product against its dense one, and Asni's inference of a network of these layers.

    python3 bench/peers/csr.py [--batch 60] [--markdown docs/performance.md]

The layers of lenet300 with random masks; PyTorch computes W x^T with W in CSR, Asni the whole network (`steps --mode infer`), so that its time is the sum.
"""
import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

import torch  # noqa: E402

LAYERS = [(784, 300), (300, 100), (100, 10)]
DENSITIES = [0.2, 0.1, 0.05, 0.02, 0.01]


def median(action, seconds):
    for _ in range(20):
        action()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="rewrite the table between the csr markers of this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    case = next(c for c in common.CASES if c.net == "lenet300")._replace(batch=options.batch)
    lines = [f"PyTorch {torch.__version__}, {options.threads} threads, fp32, batch {options.batch}.", "",
             "| density | PyTorch CSR ms | PyTorch dense ms | Asni ms | over CSR | over dense |", "| ---: | ---: | ---: | ---: | ---: | ---: |"]
    for density in DENSITIES:
        csr = dense = 0
        for inputs, outputs in LAYERS:
            torch.manual_seed(1)
            weight = torch.randn(outputs, inputs) * (torch.rand(outputs, inputs) < density)
            x = torch.randn(inputs, options.batch)
            sparse = weight.to_sparse_csr()
            assert torch.allclose(sparse @ x, weight @ x, atol=1e-3)
            csr += median(lambda: sparse @ x, options.seconds)
            dense += median(lambda: weight @ x, options.seconds)
        ours = common.step(case, "infer", options, "--density", str(density))["ms"]
        lines.append(f"| {density} | {csr:.3f} | {dense:.3f} | {ours:.3f} | {csr / ours:.1f} | {dense / ours:.1f} |")
    print("\n".join(lines))
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "csr", "\n".join(lines) + "\n"))


main()
