#!/usr/bin/env python3
"""Trains networks to the end on this machine's GPU, in the folder that eng/gpu-bundle.sh makes, and records what they reached.

    gpu-reproduce.sh --data DIR [--out DIR] [--only NAME,...] [--limit SECONDS] [--epochs N] [--parallel N] [--dry-run SIMULATOR]
    gpu_reproduce.py --write docs/results.md --out DIR        only puts the table of DIR/reproduce.json into that page

DIR of --data holds mnist/ and cifar-10-batches-bin/ (or cifar10/), as `asni --data-dir` takes them. Before a network is trained, two dense epochs of it
run alone: its kernels are compiled and tuned, and its time of an epoch is known. With --limit the networks to come share the time that is left; one whose
published schedule does not fit its share gets fewer epochs, or none, and the report says so. DIR/reproduce.json and reproduce.md are written anew every few
seconds, reproduce-logs.tar.gz after each training: a call that is killed keeps what it had, and one more with the same --out adds to it.
Exit code 0: every training that was started ran to its end.
"""
import argparse
import collections
import io
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

from gpu_validate import Run, describe_gpu, last_line, read, replace, table

Network = collections.namedtuple("Network", "name data precision published share sparse dense flags")
# What is worth most first. Published epochs; the share of the time relative to the networks after it; seeds of ASNI and of dense runs; flags of the ASNI runs.
NETWORKS = [
    Network("lenet300", "mnist", "fp32", 50, 2, (1, 2, 3), (1, 2, 3), ()),
    Network("resnet18c", "cifar10", "bf16", 160, 7, (1,), (1,), ("--sparsity", "0.95")),
    Network("conv6", "cifar10", "bf16", 30, 2, (1,), (1,), ()),
    Network("resnet18", "cifar10", "bf16", 160, 2, (1,), (), ()),
    Network("vgg16", "cifar10", "bf16", 160, 2, (1,), (), ()),
]
SMALL = ("lenet300",)        # leave most of the GPU idle: all their runs go side by side
FEWEST = 10                  # epochs that say anything of a schedule
START_SECONDS = 6            # of a process whose kernels are in the driver's cache
SPARE = 0.9                  # the part of a share that is planned: epochs side by side are not as long as those alone
STOP_SECONDS = 10            # before the limit: what still runs is asked to stop, and the rest is written
NAMES = {"dense": "dense", "asni1": "ASNI-I", "asni2": "ASNI-II"}


class Stopped(Exception):
    """The time is over, or somebody asked the script to stop."""


class Reproduction(Run):
    """The trainings' commands, the time that is left and the results so far; logs and run folders are in a folder of their own."""

    def __init__(self, options):
        simulator = os.path.abspath(options.dry_run) if options.dry_run else None
        super().__init__(os.path.abspath(options.out), simulator)
        self.options = options
        self.folder = os.path.abspath(options.runs) if options.runs else self.work
        self.deadline = time.monotonic() + (options.limit or 1e9) - STOP_SECONDS
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.out, exist_ok=True)
        self.results = {**self.results, "limit": options.limit, "parallel": options.parallel, "probes": {}, "runs": {}, "notes": {}}
        for unused in ("steps", "rows"):
            del self.results[unused]
        before = read(os.path.join(self.out, "reproduce.json"))
        if before:
            old = json.loads(before)
            for key in ("probes", "runs", "notes"):
                self.results[key] = old[key]

    def train(self, network, method, seed, epochs, name):
        """The host's command for a training."""
        small = ["--limit", "600"] if self.simulator else []
        flags = network.flags if method == "asni" else []
        data = ["--data-dir", os.path.abspath(self.options.data)] if self.options.data else []
        return self.program("host", "--net", network.name, "--data", network.data, *data, "--method", method, *flags, "--seed", str(seed),
                            "--epochs", str(epochs), "--device", "cuda", "--precision", network.precision, *small, "--out", self.path(name))

    def path(self, name):
        return os.path.join(self.folder, "runs", name)

    def start(self, name, command):
        log = os.path.join(self.folder, "logs", name + ".log")
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "ab") as file:
            file.write(("$ " + shlex.join(command) + "\n").encode())
            file.flush()
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=self.env, start_new_session=True)

    def log(self, name):
        return read(os.path.join(self.folder, "logs", name + ".log"))

    def write(self):
        replace(os.path.join(self.out, "reproduce.json"), json.dumps(self.results, indent=1).encode())
        replace(os.path.join(self.out, "reproduce.md"), markdown(self.results).encode())

    def archive(self):
        """The logs, and of the run folders what is small."""
        def small(file):
            return file if file.isdir() or file.name.endswith((".log", ".jsonl", ".json", ".csv", ".yaml")) else None

        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w:gz") as archive:
            for part in ("logs", "runs"):
                if os.path.isdir(os.path.join(self.folder, part)):
                    archive.add(os.path.join(self.folder, part), part, filter=small)
        replace(os.path.join(self.out, "reproduce-logs.tar.gz"), tar.getvalue())

    def note(self, name, text):
        self.results["notes"][name] = text
        print(f"{name}: {text}", flush=True)


def epochs_of(folder):
    """The rows of metrics.jsonl, by phase; a row that is half written is left out."""
    phases = {}
    for line in read(os.path.join(folder, "metrics.jsonl")).split("\n")[:-1]:
        row = json.loads(line)
        phases.setdefault(row["phase"], []).append(row)
    return phases


def summary_of(folder):
    text = read(os.path.join(folder, "summary.json"))
    return json.loads(text) if text else {}


def memory_used():
    """MiB of the GPU that are taken, by whatever runs on it."""
    try:
        query = subprocess.run(["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10)
        return int(query.stdout.split()[0])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return 0


def stop(processes):
    """Asks them to save and end; after a few seconds ends them."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS / 2), (signal.SIGKILL, 2)):
        end = time.monotonic() + seconds
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, number)
        while time.monotonic() < end and any(p.poll() is None for p in processes):
            time.sleep(0.1)


class Job:
    """One training: the host's process, then for ASNI the evaluation of the initialization it found."""

    def __init__(self, run, network, method, seed, epochs):
        self.run, self.network, self.method, self.seed, self.epochs = run, network, method, seed, epochs
        self.name = f"{network.name}-{method}-{seed}"
        shutil.rmtree(run.path(self.name), ignore_errors=True)
        self.initial = self.failure = self.process = None
        self.evaluates = False

    def start(self, at_once):
        self.at_once, self.begin = at_once, time.monotonic()
        self.process = self.run.start(self.name, self.run.train(self.network, self.method, self.seed, self.epochs, self.name))

    def ended(self):
        """True once nothing of it runs; starts the evaluation when the training has ended."""
        code = self.process.poll()
        if code is None:
            return False
        log = self.run.log(self.name)
        if code != 0:
            self.failure = f"exit code {code}: {last_line(log)}"
            return True
        if self.method != "asni" or self.evaluates:
            said = re.search(r"asni2-init of .*?top-1 ([\d.]+) %", log)
            self.initial = float(said[1]) / 100 if said else None
            return True
        self.evaluates = True
        data = ["--data-dir", os.path.abspath(self.run.options.data)] if self.run.options.data else []
        self.process = self.run.start(self.name, self.run.program("host", "eval", "--run", self.run.path(self.name), "--phase", "asni2-init", *data,
                                                                  "--device", "cuda", "--precision", self.network.precision))
        return False

    def record(self):
        """Puts what it has reached into the results, a row a phase."""
        folder = self.run.path(self.name)
        summary, results = summary_of(folder), self.run.results
        for phase, rows in epochs_of(folder).items():
            last, times = rows[-1], [r["seconds"] for r in rows]
            row = {"network": self.network.name, "data": self.network.data, "precision": self.network.precision, "method": phase, "seed": self.seed,
                   "epochs": len(rows), "planned": self.epochs, "published": self.network.published, "sparsity": last["sparsity"], "kept": last["kept"],
                   "top1": last["test_top1"], "seconds": round(sum(times), 2), "seconds_per_epoch": round(statistics.median(times[1:] or times), 4),
                   "at_once": self.at_once, "test_images": summary.get("test_images")}
            row.update({key: results[key] for key in ("gpu", "driver", "commit", "date")})
            if phase == "asni2":
                found = summary.get("asni2", {})
                row["initial_top1"] = self.initial
                row["numbers"] = sum(x is not None for pair in found["centroids"] for x in pair) if "centroids" in found else None
                row["initialization_bytes"], row["dense_bytes"] = found.get("initialization_bytes"), found.get("dense_bytes")
                file = os.path.join(folder, "asni2-init.asni")
                row["file_bytes"] = os.path.getsize(file) if os.path.exists(file) else None
            results["runs"][f"{self.network.name}-{phase}-{self.seed}"] = row

    def reached(self):
        rows = [r for k, r in self.run.results["runs"].items() if r["network"] == self.network.name and r["seed"] == self.seed
                and (r["method"] == "dense") == (self.method == "dense")]
        return ", ".join(f"{NAMES[r['method']]} {percent(r['top1'])} after {reached_epochs(r)} epochs" for r in rows) or "no epoch ended"


def probe(run, network):
    """Two dense epochs of a network that has the GPU for itself; returns the seconds of the second."""
    name = f"{network.name}-probe"
    shutil.rmtree(run.path(name), ignore_errors=True)
    begin, most, before = time.monotonic(), 0, 0 if run.simulator else memory_used()
    process = run.start(name, run.train(network, "dense", 1, 2, name))
    try:
        while process.poll() is None:
            if time.monotonic() > run.deadline:
                raise Stopped()
            most = 0 if run.simulator else max(most, memory_used())
            time.sleep(0.5)
    finally:
        stop([process])
    rows = epochs_of(run.path(name)).get("dense", [])
    if process.returncode or len(rows) < 2:
        run.note(name, f"exit code {process.returncode}: {last_line(run.log(name))} | again: {shlex.join(run.train(network, 'dense', 1, 2, 'again'))}")
        run.results["probes"][network.name] = {"failed": True}
        return None
    seconds = time.monotonic() - begin
    run.results["probes"][network.name] = {
        "seconds_per_epoch": rows[1]["seconds"], "images_per_second": rows[1]["images_per_second"],
        "start_seconds": round(seconds - sum(r["seconds"] for r in rows), 1), "memory_mib": max(0, most - before)}
    print(f"{name}: {rows[1]['seconds']:.3f} s an epoch, {seconds:.0f} s in all", flush=True)
    return rows[1]["seconds"]


def choose_epochs(run, network, each, share):
    """As many epochs as fit the network's share of the time, at most the published ones; None: too few."""
    most = run.options.epochs or (2 if run.simulator else network.published)
    if not run.options.limit:
        return most
    phases = 2 * len(network.sparse) + len(network.dense)
    fit = int((share * SPARE - START_SECONDS) / (phases * each))
    if fit < min(1 if run.simulator else FEWEST, most):
        run.note(network.name, f"skipped: {share:.0f} s are left for it, {max(fit, 0)} epochs of {each:.2f} s in each of {phases} phases")
        return None
    if fit < most:
        run.note(network.name, f"{fit} epochs instead of {most}: {phases} phases of {each:.2f} s an epoch share {share:.0f} s")
    return min(fit, most)


def train_all(run, network, epochs):
    """All trainings of a network, some at once; the results are written while they run."""
    waiting = [Job(run, network, "asni", seed, epochs) for seed in network.sparse] + [Job(run, network, "dense", seed, epochs) for seed in network.dense]
    width = len(waiting) if network.name in SMALL and not run.simulator else run.options.parallel
    at_once, running, ended, written = min(width, len(waiting)), [], [], 0.0
    try:
        while waiting or running:
            while waiting and len(running) < width:
                waiting[0].start(at_once)
                running.append(waiting.pop(0))
            time.sleep(0.2)
            if time.monotonic() > run.deadline:
                raise Stopped()
            done = [job for job in running if job.ended()]
            running = [job for job in running if job not in done]
            ended += done
            for job in done if time.monotonic() - written < 5 else done + running:
                job.record()
            for job in done:
                seconds = time.monotonic() - job.begin
                print(f"{job.name}: {job.failure or job.reached()}, {seconds:.0f} s", flush=True)
                if job.failure:
                    run.note(job.name, job.failure)
            if done:
                run.archive()
            if done or time.monotonic() - written > 5:
                run.write()
                written = time.monotonic()
    finally:
        if running:
            stop([job.process for job in running])
            for job in running:
                job.record()
                if job.evaluates:
                    continue
                run.note(job.name, f"stopped: {job.reached()}")
        for job in waiting:
            run.note(job.name, "not started: the time was over")
        run.write()
        run.archive()


def reproduce(run, networks):
    for position, network in enumerate(networks):
        for name in [k for k in run.results["notes"] if k == network.name or k.startswith(network.name + "-")]:
            del run.results["notes"][name]
        if run.simulator and network.data != "mnist":
            run.note(network.name, "skipped: too slow in the simulator")
            continue
        each = probe(run, network)
        if each is None:
            continue
        share = (run.deadline - time.monotonic()) * network.share / sum(n.share for n in networks[position:])
        epochs = choose_epochs(run, network, each, share)
        if epochs:
            train_all(run, network, epochs)


# ---- The report.

def percent(fraction):
    return "" if fraction is None else f"{100 * fraction:.2f} %"


def kib(count):
    return "" if not count else f"{count / 1024:.1f} KiB"


def reached_epochs(row):
    """90, 37 of 90 where it was stopped, with the published number where that is another."""
    text = str(row["epochs"]) if row["epochs"] >= row["planned"] else f"{row['epochs']} of {row['planned']}"
    return text if row["planned"] == row["published"] else f"{text} (published {row['published']})"


def sorted_runs(results):
    order = {n.name: i for i, n in enumerate(NETWORKS)}
    return sorted(results["runs"].values(), key=lambda r: (order.get(r["network"], 99), list(NAMES).index(r["method"]), r["seed"]))


def unique(texts):
    return ", ".join(dict.fromkeys(str(text) for text in texts if text))


def mean(fractions):
    """The mean, and in brackets each seed's where there are several."""
    known = [f for f in fractions if f is not None]
    each = f" ({', '.join(f'{100 * f:.2f}' for f in known)})" if len(known) > 1 else ""
    return percent(statistics.fmean(known)) + each if known else ""


def accuracies(results):
    """A row a network and method: what all its seeds reached."""
    groups = {}
    for r in sorted_runs(results):
        groups.setdefault((r["network"], r["method"]), []).append(r)
    rows = []
    for (network, method), runs in groups.items():
        images = max(r["test_images"] or 0 for r in runs)
        rows.append((network, runs[0]["data"] + (f", {images:,} test images" if images else ""), runs[0]["precision"], NAMES[method],
                     unique(r["seed"] for r in runs), unique(map(reached_epochs, runs)),
                     unique(percent(r["sparsity"]) for r in runs) if method != "dense" else "",
                     mean([r["top1"] for r in runs]), mean([r.get("initial_top1") for r in runs]), unique(r.get("numbers") for r in runs),
                     unique(kib(r.get("file_bytes")) for r in runs), f"{statistics.fmean(r['seconds'] for r in runs):.0f}"))
    return table(["network", "data", "precision", "method", ">seeds", ">epochs", ">sparsity", ">top-1", ">top-1 before training", ">numbers at the start",
                  ">.asni file", ">seconds"], rows) if rows else ["No training ran to the end of an epoch."]


def alone(results):
    rows = [(name, f"{p['seconds_per_epoch']:.3f}", f"{p['images_per_second']:,.0f}", p["memory_mib"] or "", p["start_seconds"])
            for name, p in results["probes"].items() if "failed" not in p]
    return table(["alone on the GPU", ">s an epoch, with the test", ">training images/s", ">device memory, MiB", ">start, s"], rows) if rows else []


def single_runs(results):
    rows = [(r["network"], NAMES[r["method"]], r["seed"], reached_epochs(r), f"{r['kept']:,}", percent(r["top1"]), percent(r.get("initial_top1")),
             kib(r.get("initialization_bytes")), kib(r.get("dense_bytes")), f"{r['seconds']:.1f}", f"{r['seconds_per_epoch']:.3f}", r["at_once"],
             r["gpu"], r["commit"]) for r in sorted_runs(results)]
    return table(["network", "method", ">seed", ">epochs", ">kept", ">top-1", ">before training", ">mask, signs, numbers", ">dense weights",
                  ">seconds", ">s an epoch", ">side by side", "GPU", "commit"], rows) if rows else []


def origin(results):
    """Where and when: each GPU, driver and commit that gave a row."""
    found = sorted({(r["date"], r["gpu"], r["driver"], r["commit"]) for r in results["runs"].values()})
    found = found or [tuple(results.get(key) for key in ("date", "gpu", "driver", "commit"))]
    return "; ".join(f"{gpu}, driver {driver}, commit {commit}, {date}" for date, gpu, driver, commit in found) + "."


def notes(results):
    return [f"- {name}: {text.split(' | again')[0]}" for name, text in results["notes"].items()]


def markdown(results):
    lines = ["# Trainings", "", origin(results)]
    if results["dry_run"]:
        lines += ["", "Dry run on the simulator, with a few images and epochs: that everything works, not what it reaches."]
    for part in [accuracies(results), alone(results), single_runs(results), notes(results)]:
        lines += ["", *part] if part else []
    return "\n".join(lines) + "\n"


def write_page(path, results):
    """Puts the tables between the page's <!-- gpu --> and <!-- /gpu -->."""
    text = "\n\n".join(["\n".join(part) for part in [[origin(results)], accuracies(results), alone(results), notes(results)] if part])
    new, count = re.subn(r"(<!-- gpu -->\n).*?(<!-- /gpu -->)", lambda m: f"{m[1]}{text}\n{m[2]}", read(path), flags=re.S)
    if count != 1:
        sys.exit(f"gpu_reproduce.py: {path} needs one line <!-- gpu --> with a line <!-- /gpu --> after it.")
    replace(path, new.encode())


def interrupted(number, frame):
    raise Stopped()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="folder with mnist/ and cifar-10-batches-bin/; else where asni looks for them")
    parser.add_argument("--out", metavar="DIR", default="gpu-reproduction")
    parser.add_argument("--runs", metavar="DIR", help="keeps the run folders there; else they are deleted at the end")
    parser.add_argument("--only", metavar="NAME,...", default="", help=", ".join(n.name for n in NETWORKS))
    parser.add_argument("--limit", metavar="SECONDS", type=int, help="of the whole call; none: published schedules")
    parser.add_argument("--epochs", metavar="N", type=int, help="at most, instead of the published number; schedules keep their shape")
    parser.add_argument("--parallel", metavar="N", type=int, default=3, help="trainings of a network side by side (3)")
    parser.add_argument("--dry-run", metavar="SIMULATOR")
    parser.add_argument("--write", metavar="PAGE")
    options = parser.parse_args()
    if options.write:
        return write_page(options.write, json.loads(read(os.path.join(options.out, "reproduce.json"))))
    only = [s for s in options.only.split(",") if s]
    unknown = [s for s in only if s not in [n.name for n in NETWORKS]]
    if unknown:
        sys.exit(f"gpu-reproduce: there is no network {unknown[0]}; there are {', '.join(n.name for n in NETWORKS)}.")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    run = Reproduction(options)
    describe_gpu(run)
    complete = True
    try:
        reproduce(run, [n for n in NETWORKS if n.name in only or not only])
    except Stopped:
        complete = False
        print("stopped: the time is over", flush=True)
    run.write()
    run.archive()
    shutil.rmtree(run.work, ignore_errors=True)
    print("\n" + markdown(run.results) + f"\n{run.out}/reproduce.json, reproduce.md, reproduce-logs.tar.gz.")
    tried = {n.name for n in NETWORKS if n.name in only or not only}
    failed = [name for name, text in run.results["notes"].items() if name.split("-")[0] in tried and text.startswith("exit code")]
    sys.exit(0 if complete and not failed else 1)


if __name__ == "__main__":
    main()
