#!/usr/bin/env python3
"""Trains short runs with two builds and compares what they deliver, bit for bit.

    eng/same_bits.py BEFORE AFTER [--seeds 1 2 3] [--data-dir DIR]

BEFORE and AFTER are checkouts that are built, or paths of the program itself (Asni.Host). Compared are the tensors and masks of each network, .asni files
included, the metrics of each epoch and the summary, without times; not what files say of the network besides. The data is MNIST and CIFAR-10 in DIR,
without it synthetic. The exit status is 1 when anything differs.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

PROGRAM = os.path.join("src", "Asni.Host", "bin", "Release", "net10.0", "Asni.Host")
TIMES = {"seconds", "images_per_second"}
# Network, data, data that stands in for it, and the rest of the recipe.
RUNS = [
    ("lenet300", "mnist", "digits", "--limit 3000 --epochs 3 --controls ticket,reinit,shuffle"),
    ("lenet300", "mnist", "digits", "--limit 2000 --epochs 2 --local --prune-biases --min-kept 20 --sparsity 0.97 --centroids lloyd"),
    ("conv2", "cifar10", "shapes --input 3x32x32", "--limit 400 --epochs 2 --batch 50 --sparsity 0.9"),
    ("resnet20", "cifar10", "shapes --input 3x32x32", "--limit 300 --epochs 2 --batch 50 --optimizer momentum --lr 0.05 --lr-policy cosine --augment --sparsity 0.9"),
    ("mlp300", "mnist", "digits", "--limit 2000 --epochs 2 --method ispasp --ratio 0.3"),
]


def program(path):
    found = path if os.path.isfile(path) else os.path.join(path, PROGRAM)
    if not os.access(found, os.X_OK):
        sys.exit(f"{found} is not there; build that checkout first.")
    return os.path.abspath(found)


def run(asni, arguments, cwd):
    done = subprocess.run([asni, *arguments], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{asni} {' '.join(arguments)}: {done.stderr.strip()}")


def tensors(path):
    """By name: type, shape and bytes."""
    with open(path, "rb") as f:
        data = f.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    begin = 8 + length
    return {name: (t["dtype"], t["shape"], data[begin + t["data_offsets"][0]:begin + t["data_offsets"][1]]) for name, t in header.items()}


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def numbers(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    return [without_times(json.loads(line)) for line in text.splitlines()] if path.endswith(".jsonl") else without_times(json.loads(text))


def content(folder, reader):
    """All that a run delivers, by the name of its file; .asni files are read by one build for both."""
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".asni"):
            run(reader, ["export", name, "--to", "safetensors", "--out", name + ".copy"], folder)
            found[name] = tensors(path + ".copy")
        elif name.endswith(".safetensors"):
            found[name] = tensors(path)
        elif name.endswith((".json", ".jsonl")):
            found[name] = numbers(path)
    return found


def differences(before, after):
    """The names of what is not the same."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name), after.get(name)
        if a == b:
            continue
        if a is None or b is None:
            found.append(f"{name} (only one has it)")
        elif isinstance(a, dict) and isinstance(b, dict):
            found += [f"{name}: {key}" for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
        else:
            found.append(name)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data-dir")
    args = parser.parse_args()
    before, after = program(args.before), program(args.after)
    compared = faults = 0
    for net, data, instead, recipe in RUNS:
        chosen = data if args.data_dir else instead
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as folder:
                arguments = ["--net", net, "--data", *chosen.split(), *recipe.split(), "--seed", str(seed), "--device", "cpu", "--threads", "2"]
                if args.data_dir:
                    arguments += ["--data-dir", os.path.abspath(args.data_dir)]
                for asni, out in ((before, "before"), (after, "after")):
                    run(asni, [*arguments, "--out", out], folder)
                a, b = (content(os.path.join(folder, out), after) for out in ("before", "after"))
                wrong = differences(a, b)
                compared += len(a)
                faults += len(wrong) > 0
                print(f"{net} on {chosen.split()[0]} {recipe} --seed {seed}: {len(a)} files " + ("the same" if not wrong else "differ: " + ", ".join(wrong[:8])), flush=True)
    print(f"{len(RUNS) * len(args.seeds)} runs, {compared} files compared, {faults} runs differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
