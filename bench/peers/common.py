"""What the comparisons share: the networks and their batches, calls of Asni's side, and files rewritten whole."""
import json
import os
import re
import struct
import subprocess
import sys
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench", "Asni.Bench", "bin", "Release", "net10.0", "Asni.Bench.dll")
PHASES = ("asni2", "asni1", "dense")


class Case(NamedTuple):
    net: str
    input: tuple
    classes: int
    batch: int
    optimizer: str
    precision: str = "fp32"


CASES = [Case(*c) for c in [
    ("lenet300", (1, 28, 28), 10, 60, "adam"), ("conv2", (3, 32, 32), 10, 60, "adam"), ("conv4", (3, 32, 32), 10, 60, "adam"),
    ("conv6", (3, 32, 32), 10, 60, "adam"), ("vgg16", (3, 32, 32), 10, 128, "momentum"), ("resnet20", (3, 32, 32), 10, 128, "momentum"),
    ("resnet18", (3, 32, 32), 10, 128, "momentum"), ("resnet50", (3, 224, 224), 1000, 8, "momentum"),
    ("mobilenet_v2", (3, 224, 224), 1000, 8, "momentum")]]


class CallFailed(SystemExit):
    """Ends the script with its text where nobody catches it."""


def call(command, arguments, environment=None):
    """One call of a program that prints a line of JSON; that line."""
    run = subprocess.run([*command, *arguments], capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if run.returncode:
        raise CallFailed(f"{' '.join(run.args)} failed: {run.stderr.strip() or f'exit code {run.returncode}'}")
    return json.loads(run.stdout)


def asni(*arguments):
    """One call of the benchmark program; its line of JSON."""
    if not os.path.exists(BENCH):
        sys.exit(f"{BENCH} is missing; build it: dotnet build bench/Asni.Bench")
    return call(["dotnet", BENCH], arguments)


def network_of(case):
    """The options that name a case's network, as every part of the benchmark program takes them."""
    return ["--net", case.net, "--input", "x".join(map(str, case.input)), "--classes", str(case.classes), "--batch", str(case.batch)]


def step(case, mode, options, *more):
    """Times a case in Asni. With --density or --masks among `more`, the dense network is timed in turn (dense_ms)."""
    return asni("steps", *network_of(case), "--optimizer", case.optimizer, "--mode", mode, "--seconds", str(options.seconds), "--threads", str(options.threads), *more)


def case_of_run(run):
    """The case of a run folder or network file: its network, input and classes, with the batch and optimizer of that network's case."""
    paths = [run] if os.path.isfile(run) else [p for p in (os.path.join(run, f"{phase}.safetensors") for phase in PHASES) if os.path.exists(p)]
    if not paths:
        sys.exit(f"{run} is neither a run folder with a network of {', '.join(PHASES)} nor a network file.")
    try:
        with open(paths[0], "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))["__metadata__"]
        net, shape, classes = header["network"], tuple(map(int, header["input"].split("x"))), int(header["classes"])
    except (ValueError, KeyError, struct.error, MemoryError, OverflowError):
        sys.exit(f"{paths[0]} does not say its network, input and classes; it was not written by asni.")
    for case in CASES:
        if case.net == net:
            return case._replace(input=shape, classes=classes)
    sys.exit(f"{run} holds {net}, which is not among {', '.join(c.net for c in CASES)}.")


def write_text(path, text):
    """Writes aside, flushes, then renames: nothing half-written is ever seen under the name."""
    aside = path + ".part"
    try:
        with open(aside, "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        os.replace(aside, path)
    except OSError as e:
        if os.path.exists(aside):
            os.remove(aside)
        sys.exit(f"cannot write {path} ({e.strerror}); make room or choose another file.")


def between(path, marker, text):
    """A file's text with what stands between <!-- marker --> and <!-- /marker --> replaced."""
    try:
        with open(path, encoding="utf-8") as f:
            old = f.read()
    except OSError as e:
        sys.exit(f"cannot read {path} ({e.strerror}).")
    new, count = re.subn(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", lambda m: m[1] + text + m[2], old, flags=re.S)
    if count != 1:
        sys.exit(f"{path} needs one line <!-- {marker} --> with a line <!-- /{marker} --> after it; it has {count}.")
    return new


def limits_line(limits):
    return (f"peak {limits['peak_gflops']:,} GFLOP/s; memory: read {limits['read_gbytes_per_second']:.0f}, "
            f"update {limits['update_gbytes_per_second']:.0f}, copy {limits['copy_gbytes_per_second']:.0f} GB/s")
