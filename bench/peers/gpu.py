#!/usr/bin/env python3
"""Training steps and the global threshold in PyTorch on the GPU, in turn with Asni's own; prints a line of JSON after each round.

    python3 gpu.py [--asni "dotnet Asni.Bench.dll"] [--seconds 100] [--small] [resnet50:bf16] [resnet50:tf32] [resnet18c] [vgg16] [resnet20] [lenet300] [threshold]

PyTorch gets what makes it fast: channels_last, autocast, cudnn.benchmark, the fused optimizer, torch.compile with CUDA graphs, and the masks multiplied
into the weights once a step by one multi-tensor call. Batch, data (random) and optimizer are the same on both sides; each round times every variant
once, and medians of the rounds so far are printed with the ratio to PyTorch's fastest: the last line of a case holds. --small: tiny cases, on the CPU where there is no GPU, to try the script.
"""
import argparse
import json
import os
import statistics
import sys
import time

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import networks  # noqa: E402


CASES = [common.Case(*c) for c in [
    ("resnet50", (3, 224, 224), 1000, 256, "momentum", "bf16"), ("resnet50", (3, 224, 224), 1000, 128, "momentum", "tf32"), ("resnet18", (3, 32, 32), 10, 512, "momentum", "bf16"),
    ("resnet18c", (3, 32, 32), 10, 512, "momentum", "bf16"), ("vgg16", (3, 32, 32), 10, 128, "momentum", "bf16"),
    ("resnet20", (3, 32, 32), 10, 128, "momentum", "bf16"),
    ("lenet300", (1, 28, 28), 10, 60, "adam", "fp32")]]
SMALL = [common.Case("lenet300", (1, 28, 28), 10, 4, "adam", "fp32"), common.Case("resnet20", (3, 32, 32), 10, 2, "momentum", "bf16")]
ROUNDS = 3
PRUNABLE = 25_557_032  # weights of the threshold's case: resnet50's
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def milliseconds(action, repeats):
    """Of one call, all repeats timed together."""
    if not GPU:
        start = time.perf_counter()
        for _ in range(repeats):
            action()
        return (time.perf_counter() - start) * 1e3 / repeats
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(repeats):
        action()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / repeats


class Peer:
    """A masked training step in PyTorch."""

    def __init__(self, case, compiled):
        torch.manual_seed(1)
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "tf32": None, "fp32": None}[case.precision]
        self.net = networks.kaiming(networks.create(case.net, case.classes)).to(DEVICE, memory_format=torch.channels_last)
        self.x = (torch.rand(case.batch, *case.input, device=DEVICE) * 2 - 1).contiguous(memory_format=torch.channels_last)
        self.y = torch.arange(case.batch, device=DEVICE) % case.classes
        self.weights = [p for p in self.net.parameters() if p.dim() > 1]
        self.masks = [(torch.rand_like(w) < 0.5).to(w.dtype) for w in self.weights]
        # A rate this small keeps the weights where they are: on one batch a real one would soon train the gradients away.
        options = {"fused": True} if GPU else {"foreach": True}
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-9, **options) if case.optimizer == "adam" else \
            torch.optim.SGD(self.net.parameters(), 1e-9, momentum=0.9, **options)
        self.scaler = torch.cuda.amp.GradScaler() if case.precision == "fp16" and GPU else None
        self.loss = torch.compile(self.forward, mode="reduce-overhead") if compiled else self.forward

    def forward(self):
        with torch.autocast(DEVICE, self.dtype, enabled=self.dtype is not None):
            return torch.nn.functional.cross_entropy(self.net(self.x), self.y)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        if self.scaler:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss.backward()
            self.optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(self.weights, self.masks)


def asni(command, case):
    arguments = ["steps", *common.network_of(case), "--optimizer", case.optimizer, "--device", "cuda", "--precision", case.precision, "--seconds", "1"]
    return common.call(command, arguments)["ms"]


def result(case, times, errors):
    medians = {label: round(statistics.median(each), 4) for label, each in times.items() if each}
    row = {"what": "steps", "net": case.net, "batch": case.batch, "optimizer": case.optimizer, "precision": case.precision,
           "rounds": max(map(len, times.values()), default=0), "ms": medians}
    best = min((v for label, v in medians.items() if label != "asni"), default=None)
    if best:
        row["torch_images_per_second"] = round(case.batch / best * 1e3, 1)
        if "asni" in medians:
            row["asni_over_torch"] = round(best / medians["asni"], 3)
    return {**row, "errors": errors} if errors else row


def compare(case, options, deadline):
    """Milliseconds of each variant, round by round; a variant that fails is told with its error."""
    times, errors, peers = {}, {}, {}

    def eager_or_compiled(label):
        if label not in peers:
            peers[label] = Peer(case, label == "compile")
            for _ in range(5):
                peers[label].step()
        return milliseconds(peers[label].step, 1 if options.small else 10)

    labels = (["asni"] if options.asni else []) + ["eager"] + ([] if options.small else ["compile"])
    for done in range(ROUNDS):
        for label in labels:
            if label in errors or (done and time.perf_counter() > deadline):
                continue
            if not done and label == "compile":  # the last line of a case holds: where the time ends here it says why there is no figure
                emit(result(case, times, {**errors, label: "did not finish in time"}))
            try:
                times.setdefault(label, []).append(asni(options.asni.split(), case) if label == "asni" else eager_or_compiled(label))
            except (Exception, common.CallFailed) as e:  # a network that does not compile, or too little memory: the others still run
                errors[label] = str(e).strip().split("\n")[0]
            emit(result(case, times, errors))


def emit(row):
    print(json.dumps(row), flush=True)


def threshold(options):
    """The K-th largest magnitude of all weights, K = 5 %, by each way PyTorch has."""
    count = 100_000 if options.small else PRUNABLE
    weights, kept = torch.randn(count, device=DEVICE), count // 20
    ways = {"topk": lambda: torch.topk(weights.abs(), kept, sorted=False).values.min(), "sort": lambda: torch.sort(weights.abs()).values[-kept],
            "kthvalue": lambda: torch.kthvalue(weights.abs(), count - kept + 1)}
    times = {}
    for label, way in ways.items():
        way()
        times[label] = round(statistics.median(milliseconds(way, 1) for _ in range(3 if label == "kthvalue" else 9)), 4)
    emit({"what": "threshold", "weights": count, "kept": kept, "ms": times})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--asni", help="command that runs Asni.Bench")
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("cases", nargs="*", default=["resnet50", "resnet18", "lenet300", "threshold"], help="networks, or network:precision")
    options = parser.parse_args()
    if not GPU and not options.small:
        sys.exit("gpu.py: PyTorch sees no GPU; --small tries the script on the CPU.")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # fp32 cases too: PyTorch at its fastest
    emit({"what": "torch", "version": torch.__version__, "gpu": torch.cuda.get_device_name() if GPU else None})
    start = time.perf_counter()
    known = SMALL if options.small else CASES
    for name in options.cases:
        if name == "threshold":
            threshold(options)
        for case in known:
            if name in (case.net, f"{case.net}:{case.precision}"):
                compare(case, options, start + options.seconds)


if __name__ == "__main__":
    main()
