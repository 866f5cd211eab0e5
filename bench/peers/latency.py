#!/usr/bin/env python3
"""Inference in an application: calls of Asni's SparseModel, which folds batch-norm, against PyTorch's evaluation of the dense network.

    dotnet build bench/Asni.Bench
    python3 bench/peers/latency.py [--masks RUN ...] [--density 0.05] [--batches 1 60] [--markdown docs/performance.md]

Networks of runs are taken as they are; without --masks the initialized networks are pruned by global magnitude to the density. Rounds in turn, medians.
"""
import argparse
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

try:
    import torch
    from pytorch import Peer
except ImportError:
    torch = None


def measure(case, run, options):
    """One row: density, percentiles, and PyTorch's median in the faster of its memory formats."""
    arguments = ["latency", *common.network_of(case), "--seconds", str(options.seconds), "--threads", str(options.threads)]
    arguments += ["--masks", run] if run else ["--density", str(options.density)]
    peers = [Peer(case, "infer", channels_last) for channels_last in (False, True)] if torch else []
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(common.asni(*arguments))
        theirs.append([peer.median(options.seconds) for peer in peers])
    pytorch = min(map(statistics.median, zip(*theirs))) if torch else None
    middle = {key: statistics.median(r[key] for r in ours) for key in ("p50_ms", "p90_ms", "p99_ms", "images_per_second", "dense_p50_ms", "density")}
    return (f"| {case.net} | {case.batch} | {middle['density']:.4g} | {'run' if run else 'initial'} | {middle['p50_ms']:.3g} | {middle['p90_ms']:.3g} | "
            f"{middle['p99_ms']:.3g} | {middle['images_per_second']:,.0f} | {middle['dense_p50_ms']:.3g} | "
            + (f"{pytorch:.3g} | {pytorch / middle['p50_ms']:.2f} |" if pytorch else "- | - |"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--masks", nargs="+", default=[], metavar="RUN", help="run folders")
    parser.add_argument("--only", nargs="+", default=[], metavar="NET", help="networks without a run, pruned from the start")
    parser.add_argument("--density", type=float, default=0.05)
    parser.add_argument("--batches", nargs="+", type=int, default=[], help="default: 1 and the batch of training (resnet50: 1 and 8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="rewrite the table between the latency markers of this file")
    options = parser.parse_args()
    cases = {c.net: c for c in common.CASES}
    for net in options.only:
        if net not in cases:
            sys.exit(f"{net} is not among {', '.join(cases)}.")
    if options.markdown:
        common.between(options.markdown, "latency", "")
    if torch:
        torch.set_num_threads(options.threads)
    todo = [(common.case_of_run(run), run) for run in options.masks] + [(cases[net], None) for net in options.only]
    lines = [f"{'PyTorch ' + torch.__version__ if torch else 'PyTorch not measured'}, {options.threads} threads, fp32; {common.limits_line(common.asni('limits'))}.", "",
             "| network | batch | density | masks | p50 ms | p90 ms | p99 ms | images/s | dense p50 ms | PyTorch ms | ratio |",
             "| --- | ---: | ---: | --- |" + " ---: |" * 7]
    print("\n".join(lines), flush=True)
    for case, run in todo:
        for batch in options.batches or [1, case.batch]:
            lines.append(measure(case._replace(batch=batch), run, options))
            print(lines[-1], flush=True)
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "latency", "\n".join(lines) + "\n"))


main()
