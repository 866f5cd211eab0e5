#!/usr/bin/env python3
"""Times whole training steps and inference of the same networks in Asni and in PyTorch, in turn, on this machine.

    dotnet build -c Release bench/Asni.Bench
    python3 bench/peers/compare.py [--only conv6] [--rounds 3] [--seconds 3] [--markdown docs/performance.md]

Both sides get the same batch, random data, the same number of threads and the same optimizer. Each round times Asni, then PyTorch in its
default memory format, then in channels_last; the medians of the rounds' medians are printed, and the ratio to the faster of the two.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import networks  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench", "Asni.Bench", "bin", "Release", "net10.0", "Asni.Bench.dll")
CASES = [  # network, input, classes, batch, optimizer
    ("lenet300", (1, 28, 28), 10, 60, "adam"), ("conv2", (3, 32, 32), 10, 60, "adam"), ("conv4", (3, 32, 32), 10, 60, "adam"),
    ("conv6", (3, 32, 32), 10, 60, "adam"), ("vgg16", (3, 32, 32), 10, 128, "momentum"), ("resnet20", (3, 32, 32), 10, 128, "momentum"),
    ("resnet18", (3, 32, 32), 10, 128, "momentum"), ("resnet50", (3, 224, 224), 1000, 8, "momentum"),
    ("mobilenet_v2", (3, 224, 224), 1000, 8, "momentum")]


def asni(*arguments):
    run = subprocess.run(["dotnet", BENCH, *arguments], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(run.args)} failed: {run.stderr.strip()}")
    return json.loads(run.stdout)


class Peer:
    """A step of PyTorch that can be called again and again."""

    def __init__(self, case, mode, channels_last):
        name, shape, classes, batch, optimizer = case
        torch.manual_seed(1)
        self.training = mode == "train"
        self.net = networks.kaiming(networks.create(name, classes)).train(self.training)
        self.x = torch.rand(batch, *shape) * 2 - 1
        self.y = torch.arange(batch) % classes
        if channels_last:
            self.net, self.x = self.net.to(memory_format=torch.channels_last), self.x.to(memory_format=torch.channels_last)
        # A rate this small keeps the weights where they are: on one batch a real one would soon train the gradients away.
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-9, foreach=True) if optimizer == "adam" else \
            torch.optim.SGD(self.net.parameters(), 1e-9, momentum=0.9, foreach=True)

    def step(self):
        if not self.training:
            with torch.no_grad():
                return torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def median(self, seconds):
        for _ in range(2):
            self.step()
        times, start = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - start < seconds:
            t = time.perf_counter()
            self.step()
            times.append((time.perf_counter() - t) * 1e3)
        return statistics.median(times)


def compare(case, mode, options, peak):
    name, shape, classes, batch, optimizer = case
    peers = [Peer(case, mode, channels_last) for channels_last in (False, True)]
    arguments = ["steps", "--net", name, "--input", "x".join(map(str, shape)), "--classes", str(classes), "--batch", str(batch),
                 "--optimizer", optimizer, "--mode", mode, "--seconds", str(options.seconds), "--threads", str(options.threads)]
    ours, flops, theirs = [], [], ([], [])
    for _ in range(options.rounds):
        result = asni(*arguments)
        ours.append(result["ms"])
        flops.append(result["gflops"])
        for peer, times in zip(peers, theirs):
            times.append(peer.median(options.seconds))
    a, default, last = statistics.median(ours), statistics.median(theirs[0]), statistics.median(theirs[1])
    return (f"| {name} {mode} | {batch} | {a:.2f} | {default:.2f} | {last:.2f} | {min(default, last) / a:.2f} | {batch / a * 1e3:,.0f} | "
            f"{100 * statistics.median(flops) / peak:.0f} % |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="one network")
    parser.add_argument("--mode", choices=["train", "infer"], help="one of the two")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="rewrite the table between the peers markers of this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    limits = asni("limits")
    lines = [f"PyTorch {torch.__version__}, {options.threads} threads, fp32; peak {limits['peak_gflops']:,} GFLOP/s, copy {limits['copy_gbytes_per_second']} GB/s.",
             "", "| network | batch | Asni ms | PyTorch ms | channels_last ms | ratio | Asni images/s | of peak |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    print("\n".join(lines), flush=True)
    for case in CASES:
        for mode in ("train", "infer"):
            if (options.only and options.only != case[0]) or (options.mode and options.mode != mode):
                continue
            lines.append(compare(case, mode, options, limits["peak_gflops"]))
            print(lines[-1], flush=True)
    if options.markdown:
        with open(options.markdown, encoding="utf-8") as f:
            text = f.read()
        table = "\n".join(lines)
        text = re.sub(r"(<!-- peers -->\n).*?(<!-- /peers -->)", lambda m: m[1] + table + "\n" + m[2], text, flags=re.S)
        with open(options.markdown, "w", encoding="utf-8") as f:
            f.write(text)


main()
