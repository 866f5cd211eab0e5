#!/usr/bin/env python3
"""Times whole training steps and inference of the same networks in Asni and in PyTorch, in turn, on this machine.

    dotnet build bench/Asni.Bench
    python3 bench/peers/compare.py [--only conv6] [--rounds 3] [--seconds 3] [--markdown docs/performance.md]
    python3 bench/peers/compare.py --only conv6 --density 0.05          # pruned by magnitude; PyTorch stays dense
    python3 bench/peers/compare.py --masks RUN [--density 0.02]         # weights and masks of a run folder

Both sides get the same batch, random data, the same number of threads and the same optimizer. Each round times Asni, then PyTorch in its
default memory format, then in channels_last; the medians of the rounds' medians are printed, and the ratio to the faster of the two. For a
pruned network Asni's dense one is timed in turn too.
"""
import argparse
import os
import statistics
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
from pytorch import Peer  # noqa: E402


def compare(case, mode, options, peak, pruning):
    peers = [Peer(case, mode, channels_last) for channels_last in (False, True)]
    ours, theirs = [], ([], [])
    for _ in range(options.rounds):
        ours.append(common.step(case, mode, options, *pruning))
        for peer, times in zip(peers, theirs):
            times.append(peer.median(options.seconds))
    a, default, last = statistics.median(r["ms"] for r in ours), statistics.median(theirs[0]), statistics.median(theirs[1])
    row = (f"| {case.net} {mode} | {case.batch} | {a:.2f} | {default:.2f} | {last:.2f} | {min(default, last) / a:.2f} | "
           f"{case.batch / a * 1e3:,.0f} |")
    if pruning:
        dense = statistics.median(r["dense_ms"] for r in ours)
        return row + f" {ours[0]['density']:.4g} | {dense:.2f} | {dense / a:.2f} |"
    return row + f" {100 * statistics.median(r['gflops'] for r in ours) / peak:.0f} % |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="one network")
    parser.add_argument("--mode", choices=["train", "infer"], help="one of the two")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--density", help="share of the weights that Asni keeps, the largest by magnitude")
    parser.add_argument("--masks", metavar="RUN", help="a run folder, whose weights and masks Asni takes")
    parser.add_argument("--markdown", help="rewrite the table between the peers markers of this file")
    options = parser.parse_args()
    pruning = [a for name in ("density", "masks") if getattr(options, name) for a in (f"--{name}", getattr(options, name))]
    cases = [common.case_of_run(options.masks)] if options.masks else common.CASES
    cases = [c for c in cases if options.only in (None, c.net)]
    if not cases:
        sys.exit(f"there is no case {options.only}.")
    if options.markdown:
        if pruning:
            sys.exit("--markdown writes the table of dense networks; bench/peers/sweep.py writes the one of pruned networks.")
        common.between(options.markdown, "peers", "")
    torch.set_num_threads(options.threads)
    limits = common.asni("limits")
    last, rule = ("density | Asni dense ms | over dense |", " ---: | ---: | ---: |") if pruning else ("of peak |", " ---: |")
    lines = [f"PyTorch {torch.__version__}, {options.threads} threads, fp32; {common.limits_line(limits)}.",
             "", "| network | batch | Asni ms | PyTorch ms | channels_last ms | ratio | Asni images/s | " + last,
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |" + rule]
    print("\n".join(lines), flush=True)
    for case in cases:
        for mode in ("train", "infer"):
            if options.mode in (None, mode):
                lines.append(compare(case, mode, options, limits["peak_gflops"], pruning))
                print(lines[-1], flush=True)
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "peers", "\n".join(lines) + "\n"))


main()
