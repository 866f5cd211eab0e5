#!/usr/bin/env python3
"""Speed against sparsity: training steps and inference of pruned networks in Asni, against its own dense network and PyTorch's.

    dotnet build bench/Asni.Bench
    python3 bench/peers/sweep.py [--only lenet300] [--masks RUN ...] [--markdown docs/performance.md] [--svg docs/speed-and-sparsity.svg]

For each density the network is pruned by global magnitude. Weights come from the initialization or, with --masks, from a run of that network:
then the run's own density is a point too, and lower ones prune its network further; higher ones cannot, and are of the initialized network.
Asni times the pruned and the dense network in turn in one process; PyTorch, dense, follows each, and the median of its times in the faster of
its memory formats is what all densities are held against. "structure" is what the first step after a change of the masks takes longer. Rounds go through all densities again. Without PyTorch its columns stay empty.
"""
import argparse
import math
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chart  # noqa: E402
import common  # noqa: E402

try:
    import torch
    from pytorch import Peer
except ImportError:
    torch = None

NETWORKS = ["lenet300", "conv6", "vgg16", "resnet18", "resnet20"]
DENSITIES = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]
MODES = {"train": "training step", "infer": "inference"}


def plan(densities, run, run_density):
    """(masks, arguments) of each point, densest first."""
    points = [(d, "initial", ["--density", str(d)]) for d in densities if run is None or d > run_density]
    if run is not None:
        points.append((run_density, "run", ["--masks", run]))
        points += [(d, "run, pruned further", ["--masks", run, "--density", str(d)]) for d in densities if d < run_density]
    return [(masks, arguments) for _, masks, arguments in sorted(points, key=lambda p: -p[0])]


def sweep(case, run, options):
    """Rows: density, masks, and for each mode ms, ratios to both and images/s."""
    run_density = common.step(case, "infer", argparse.Namespace(seconds=0.01, threads=options.threads), "--masks", run)["density"] if run else None
    peers = {mode: [Peer(case, mode, channels_last) for channels_last in (False, True)] for mode in MODES} if torch else {}
    points = plan(options.densities, run, run_density)
    ours = {(p, mode): [] for p in range(len(points)) for mode in MODES}
    theirs = {mode: [] for mode in peers}
    for _ in range(options.rounds):
        for p, (_, arguments) in enumerate(points):
            for mode in MODES:
                ours[p, mode].append(common.step(case, mode, options, *arguments))
                if torch:
                    theirs[mode].append([peer.median(options.seconds) for peer in peers[mode]])
    # Every point has timed PyTorch's same dense network: the medians of them all, then the faster of the two formats.
    pytorch = {mode: min(map(statistics.median, zip(*times))) for mode, times in theirs.items()}
    rows = [{"net": case.net, "masks": masks, "density": ours[p, "train"][0]["density"],
             **{mode: summary(ours[p, mode], pytorch.get(mode)) for mode in MODES}} for p, (masks, _) in enumerate(points)]
    print("\n".join(map(text, rows)), flush=True)
    return rows


def summary(rounds, pytorch):
    """Medians of the rounds; the ratio to Asni's dense network is of times measured in turn."""
    ms = statistics.median(r["ms"] for r in rounds)
    return {"ms": ms, "structure": statistics.median(r["structure_ms"] for r in rounds), "images": statistics.median(r["images_per_second"] for r in rounds),
            "dense": statistics.median(r["dense_ms"] / r["ms"] for r in rounds), "pytorch": pytorch and pytorch / ms}


def text(row):
    cells = [row["net"], f"{row['density']:.4g}", row["masks"]]
    for mode in MODES:
        r = row[mode]
        digits = max(0, 2 - math.floor(math.log10(r["ms"])))
        cells += [f"{r['ms']:.{digits}f}", f"{r['images']:,.0f}", f"{r['dense']:.2f}", f"{r['pytorch']:.2f}" if r["pytorch"] else "-"]
        if mode == "train":
            cells.append(f"{r['structure']:.2g}")
    return "| " + " | ".join(cells) + " |"


def choose(options):
    """Cases and runs by network, after checking the options."""
    cases = {c.net: c for c in common.CASES}
    runs = {}
    for run in options.masks:
        case = common.case_of_run(run)
        if case.net in runs:
            sys.exit(f"{run} and {runs[case.net]} are both runs of {case.net}; give one.")
        runs[case.net], cases[case.net] = run, case
    for net in [*options.only, *runs]:
        if net not in cases:
            sys.exit(f"{net} is not among {', '.join(cases)}.")
        if net not in options.only:
            sys.exit(f"{runs[net]} is a run of {net}, which is not swept; add it to --only.")
    if options.rounds < 1:
        sys.exit(f"--rounds {options.rounds} must be at least 1.")
    if not all(0 < d <= 1 for d in options.densities):
        sys.exit("--densities must be above 0 and at most 1.")
    if options.against == "pytorch" and not torch:
        sys.exit("--against pytorch needs PyTorch, which this Python cannot import.")
    return cases, runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=NETWORKS, metavar="NET", help="networks (default: %(default)s)")
    parser.add_argument("--densities", nargs="+", type=float, default=DENSITIES, metavar="D")
    parser.add_argument("--masks", nargs="+", default=[], metavar="RUN", help="run folders, at most one a network")
    parser.add_argument("--rounds", type=int, default=3, help="times through all densities; medians count")
    parser.add_argument("--seconds", type=float, default=1, help="of each timing")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--against", choices=["dense", "pytorch"], default="dense", help="what the plot's ratio is to")
    parser.add_argument("--markdown", help="rewrite the table between the markers of this file")
    parser.add_argument("--marker", default="sparsity", help="name of those markers: a table a processor (default: %(default)s)")
    parser.add_argument("--svg", help="write the plot to this file")
    options = parser.parse_args()
    cases, runs = choose(options)
    if options.markdown:
        common.between(options.markdown, options.marker, "")
    if torch:
        torch.set_num_threads(options.threads)
    lines = [f"{'PyTorch ' + torch.__version__ if torch else 'PyTorch not measured'}, {options.threads} threads, fp32; "
             f"{common.limits_line(common.asni('limits'))}.", "",
             "| network | density | masks | step ms | images/s | over dense | over PyTorch | structure ms | inference ms | images/s | over dense | over PyTorch |",
             "| --- | ---: | --- |" + " ---: |" * 9]
    print("\n".join(lines), flush=True)
    rows = [row for net in options.only for row in sweep(cases[net], runs.get(net), options)]
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, options.marker, "\n".join([*lines, *map(text, rows)]) + "\n"))
    if options.svg:
        title = "Speed over " + ("the dense network in Asni" if options.against == "dense" else "PyTorch's dense network")
        series = {name: {net: [(r["density"], r[mode][options.against]) for r in rows if r["net"] == net] for net in options.only}
                  for mode, name in MODES.items()}
        common.write_text(options.svg, chart.draw(title, series))


main()
