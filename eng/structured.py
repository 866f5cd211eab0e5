#!/usr/bin/env python3
"""Prunes the units of a trained network by several criteria to several budgets, fine-tunes all alike, and makes a table of what they reach.

  eng/structured.py --net resnet20 --start DENSE.safetensors [--criterion l1,taylor,...] [--budget macs=0.7,macs=0.5] [--seed 1,2,3] [--scratch l1] [--scratch-with "--epochs 30"] [--runs DIR] [--write docs/results.md] [-- FLAGS OF asni]

Each run has a folder of its own; complete runs stay as they are, and stopped ones are resumed. The network is one of the zoo, and the page has the lines <!-- structured-NET --> and <!-- /structured-NET -->. Times are those of SparseModel, by bench/Asni.Latency, measured for each network when the table is made.
--write also puts a row a run into structured-NET.tsv beside the page; what that file has of runs that are no longer in the folder stays in the table. Its runs have one start and the same flags: with ASNI_SIMD=256 machines with AVX2 and with AVX-512 train the same start.
"""
import argparse
import functools
import hashlib
import json
import os
import re
import shlex
import statistics
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from leaderboard import accuracy_of, end, is_complete, keep_settings, load_rows, mean, parse, read, replace, save_rows, table, table_beside, train

ASNI = ("dotnet", os.path.join(HERE, "..", "src/Asni.Host/bin/Release/net10.0/Asni.Host.dll"))
LATENCY = ("dotnet", os.path.join(HERE, "..", "bench/Asni.Latency/bin/Release/net10.0/Asni.Latency.dll"))
CRITERIA = "l1,l2,fpgm,bnscale,taylor,sosp,sospi,obd,hrank,random"
# They choose among hidden units.
HIDDEN = ("ispasp", "greedy", "thinet")
METHOD, SCRATCH = "structured", "scratch"
# What is known of a run, beside what it is.
NUMBERS, WORDS = ("top1", "kept", "macs", "test_images", "classes"), ("network", "data", "input")


def name_of(file):
    """The network that a safetensors file is of."""
    with open(file, "rb") as stream:
        header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
    return header["__metadata__"]["network"]


def train_all(asni, options, flags):
    """The folders of the runs that are not complete afterwards."""
    failed = []
    for seed in options.seed.split(","):
        for budget in options.budget.split(","):
            for criterion in options.criterion.split(","):
                folder = os.path.join(options.runs, options.net, f"{criterion}-{budget}-seed{seed}")
                what = ["--net", options.net, "--method", METHOD, "--init", options.start, "--criterion", criterion, "--budget", budget]
                what += ["--unit-scope", "hidden"] if criterion in HIDDEN else []
                what += ["--scratch", *shlex.split(options.scratch_with)] if criterion == options.scratch else []
                if not train(asni, folder, what, seed, None, flags):
                    failed.append(folder)
    return failed


def results_in(runs, net):
    """{budget: {criterion: {seed: the phase's numbers, and the network's name}}} of all complete runs."""
    found = {}
    folder = os.path.join(runs, net)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        parts = re.fullmatch(r"(\w+)-(\w+=[\d.e-]+)-seed(\d+)", name)
        path = os.path.join(folder, name)
        if not parts or not is_complete(path):
            continue
        summary = json.loads(read(os.path.join(path, "summary.json")))
        for phase, criterion in (METHOD, parts[1]), (SCRATCH, f"{SCRATCH} ({parts[1]}'s network)"):
            if phase in summary:
                network = name_of(os.path.join(path, phase + ".safetensors"))
                found.setdefault(parts[2], {}).setdefault(criterion, {})[int(parts[3])] = {**summary[phase], "network": network, **{key: summary[key] for key in ("test_images", "data", "input", "classes")}}
    return found


def load_table(path):
    """The settings and the results that save_table wrote; None and nothing where there is no file."""
    settings, found = None, {}
    for row in load_rows(path):
        settings = row["settings"]
        run = {**{key: float(row[key]) for key in NUMBERS}, **{key: row[key] for key in WORDS}}
        found.setdefault(row["budget"], {}).setdefault(row["criterion"], {})[int(row["seed"])] = run
    return settings, found


def save_table(path, results, settings):
    """A row a run: top1 is a fraction of the test images, settings are flags and the SHA-256 of the start."""
    rows = [["budget", "criterion", "seed", *NUMBERS, *WORDS, "settings"]]
    for budget, criteria in sorted(results.items()):
        for criterion, seeds in sorted(criteria.items()):
            rows += [[budget, criterion, seed, *(f"{run[key]:.10g}" for key in NUMBERS), *(run[key] for key in WORDS), settings] for seed, run in sorted(seeds.items())]
    save_rows(path, rows)


def merge(known, results):
    """Adds the results to those that are known."""
    for budget, criteria in results.items():
        for criterion, seeds in criteria.items():
            known.setdefault(budget, {}).setdefault(criterion, {}).update(seeds)
    return known


def milliseconds(latency, network, shape, classes, batch):
    """Median for a batch, on one thread."""
    command = [*latency, "--net", network, "--input", shape, "--classes", f"{classes:.0f}", "--batch", str(batch), "--threads", "1"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["p50_ms"]


def markdown(net, results, time_of):
    """time_of: milliseconds of a network, of its input and classes, for a batch of so many."""
    some = next(iter(next(iter(next(iter(results.values())).values())).values()))
    of = (some["input"], some["classes"])
    dense = [time_of(net, *of, batch) for batch in (1, 64)]
    lines = [f"**{net} on {some['data']}**, {some['test_images']:,.0f} test images; one image takes {dense[0]:.3f} ms before pruning, one of a batch of 64 {dense[1] / 64:.3f} ms (one thread).", ""]
    rows = [["budget", "criterion", ">top-1", ">seeds", ">weights", ">MACs", ">ms, 1 image", ">ratio", ">ms an image of 64", ">ratio"]]
    for budget in sorted(results, key=lambda b: -float(b.split("=")[1])):
        for criterion, seeds in sorted(results[budget].items(), key=lambda item: (-mean(item[1], "top1"), item[0])):
            times = [statistics.median(time_of(run["network"], *of, batch) for run in seeds.values()) for batch in (1, 64)]
            rows.append([budget, criterion, accuracy_of(seeds), ", ".join(map(str, sorted(seeds))), f"{mean(seeds, 'kept'):,.0f}", f"{mean(seeds, 'macs'):,.0f}",
                         f"{times[0]:.3f}", f"{dense[0] / times[0]:.2f}", f"{times[1] / 64:.3f}", f"{dense[1] / times[1]:.2f}"])
    return "\n".join([*lines, *table(rows[0], rows[1:])]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asni", default=shlex.join(ASNI), help="the command that runs asni")
    parser.add_argument("--latency", default=shlex.join(LATENCY), help="the command that runs bench/Asni.Latency")
    parser.add_argument("--net", default="resnet20")
    parser.add_argument("--start", help="the trained network (nothing is trained without)")
    parser.add_argument("--criterion", default=CRITERIA)
    parser.add_argument("--budget", default="macs=0.7,macs=0.5,macs=0.3")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--scratch", default="l1", help="criterion whose small network is trained from new weights too")
    parser.add_argument("--scratch-with", default="", help="flags of asni for how that network is trained from new weights: nothing else is trained so")
    parser.add_argument("--runs", default="runs/structured", help="folder of the run folders")
    parser.add_argument("--write", help="page to put the table into, between <!-- structured-NET --> and <!-- /structured-NET --> (default: print it)")
    options, flags = parse(parser)
    options.runs = os.path.abspath(options.runs)
    marks = f"<!-- structured-{options.net} -->", f"<!-- /structured-{options.net} -->"
    between = re.compile(rf"({marks[0]}\n).*?({marks[1]})", flags=re.S)
    # Said before anything is trained.
    if options.write and not between.search(read(options.write) or ""):
        sys.exit(f"structured.py: {options.write} needs one line {marks[0]} with a line {marks[1]} after it.")
    settings = []
    if options.start:
        # Runs from another network are others.
        with open(options.start, "rb") as start:
            settings = [*flags, *(["--scratch-with", options.scratch_with] if options.scratch_with else []), "--init", hashlib.sha256(start.read()).hexdigest()]
    settings = shlex.join(keep_settings(options.runs, settings, None, keep=False)["flags"])
    beside = options.write and table_beside(options.write, f"structured-{options.net}")
    before, known = load_table(beside) if beside else (None, {})
    if before and settings and before != settings:
        sys.exit(f"structured.py: {beside} is of runs with {before}, and these have {settings}; move it away to begin a new table.")
    if beside and not (before or settings):
        sys.exit(f"structured.py: nothing says with what flags the runs in {options.runs} were made; call with --start and those flags.")
    failed = []
    if options.start:
        keep_settings(options.runs, shlex.split(settings), None, keep=True)
        failed = train_all(shlex.split(options.asni), options, flags)
    results = merge(known, results_in(options.runs, options.net))
    if not results:
        sys.exit(f"structured.py: {options.runs} has no complete run of {options.net}.")
    time_of = functools.cache(lambda *what: milliseconds(shlex.split(options.latency), *what))
    text = markdown(options.net, results, time_of)
    if options.write:
        save_table(beside, results, before or settings)
        replace(options.write, between.sub(lambda m: m[1] + text + m[2], read(options.write)).encode())
    else:
        print(text)
    end(failed)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("structured.py: stopped; the same call goes on from here.")
