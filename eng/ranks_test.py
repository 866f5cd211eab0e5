#!/usr/bin/env python3
"""Trains on several ranks, kills ranks at random moments, and compares what comes of it with one undisturbed rank, bit for bit.

    dotnet build src/Asni.Host
    python3 eng/ranks_test.py [--kills 50] [--seed 1]       # Linux; with mpirun.openmpi (openmpi-bin), mpiexec.hydra (mpich) or both

First networks, optimizers and methods on 2 and 4 ranks of each launcher. Then rounds of one run each: one of its ranks is killed with SIGKILL after a random time, all others are to end within
10 s with an exit status that is not 0, and another number of ranks, of any launcher, goes on. The last line says how many differ; that makes the exit status 1.
"""
import argparse
import hashlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import same_bits

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = os.path.join(ROOT, "src", "Asni.Host", "bin", "Release", "net10.0", "Asni.Host.dll")
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
LAUNCHERS = {"mpirun.openmpi": ["--oversubscribe", "--bind-to", "none"], "mpiexec.hydra": []}
NETWORKS = {"lenet300": ["--data", "digits", "--limit", "600"], "conv2": ["--data", "shapes", "--limit", "256"], "resnet20": ["--data", "shapes", "--limit", "192"]}
METHODS = {"asni": ["--retrain-epochs", "2"], "gmp": [], "set": []}
COMMON = ["--batch", "64", "--lanes", "4", "--threads", "1", "--device", "cpu", "--sparsity", "0.9"]
WITHIN = 10


def command(launcher, ranks, arguments):
    """One process by itself where there is no launcher."""
    return [launcher, *LAUNCHERS[launcher], "-np", str(ranks), "dotnet", HOST, *arguments] if launcher else ["dotnet", HOST, *arguments]


def train(launcher, ranks, arguments):
    """None, or what went wrong."""
    run = subprocess.run(command(launcher, ranks, arguments), env=ENVIRONMENT, capture_output=True, text=True)
    return None if run.returncode == 0 else f"exit status {run.returncode}: {(run.stderr + run.stdout).strip()[-300:]}"


def content(folder):
    """All that a run delivers, without times."""
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith((".safetensors", ".asni", ".csv")):
            with open(path, "rb") as f:
                found[name] = hashlib.sha256(f.read()).hexdigest()
    found["metrics"] = same_bits.numbers(os.path.join(folder, "metrics.jsonl"))
    return found


def difference(folder, expected):
    have = content(folder)
    names = [n for n in sorted({*have, *expected}) if have.get(n) != expected.get(n)]
    return f"other {', '.join(names)}" if names else None


def matrix(work, launchers):
    """Networks x optimizers x methods; returns how many runs differ, of how many."""
    lost = tried = 0
    for net, optimizer, method in itertools.product(NETWORKS, ("momentum", "adam"), METHODS):
        arguments = ["--net", net, *NETWORKS[net], "--method", method, *METHODS[method], "--optimizer", optimizer, "--epochs", "2", *COMMON, "--out"]
        alone = os.path.join(work, "alone")
        if problem := train(None, 1, [*arguments, alone]):
            sys.exit(f"one rank of {net}, {optimizer}, {method}: {problem}")
        expected = content(alone)
        for launcher, ranks in itertools.product(launchers, (2, 4)):
            folder = os.path.join(work, "several")
            problem = train(launcher, ranks, [*arguments, folder]) or difference(folder, expected)
            tried += 1
            if problem:
                lost += 1
                print(f"{net}, {optimizer}, {method}, {ranks} ranks of {launcher}: {problem}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(alone)
    return lost, tried


def processes_of(folder):
    """Ranks that train into it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[0] == b"dotnet" and folder.encode() in words:
            found.append(int(pid))
    return found


def kill_one(work, launcher, arguments, seconds):
    """Returns whether a rank was killed, and what went wrong."""
    folder, ranks = arguments[-1], random.choice((2, 4))
    with open(os.path.join(work, "log"), "w", encoding="utf-8") as log:
        run = subprocess.Popen(command(launcher, ranks, arguments), env=ENVIRONMENT, stdout=log, stderr=log)
    time.sleep(random.uniform(0.1, 1.2) * seconds)
    victims = processes_of(folder)
    if run.poll() is not None or not victims:
        # It was over before its time, as random moments have it, or never began.
        return False, f"exit status {run.returncode} of {launcher} without a kill" if run.wait() else None
    try:
        os.kill(random.choice(victims), signal.SIGKILL)
    except ProcessLookupError:
        return False, f"exit status {run.returncode} of {launcher} without a kill" if run.wait() else None
    try:
        status = run.wait(WITHIN)
    except subprocess.TimeoutExpired:
        run.kill()
        subprocess.run(["kill", "-KILL", *map(str, processes_of(folder))], stderr=subprocess.DEVNULL)
        return True, f"{launcher}'s {ranks} ranks did not end within {WITHIN} s"
    if left := processes_of(folder):
        return True, f"{len(left)} of {launcher}'s {ranks} ranks outlived their launcher"
    # A rank that was done already can be killed without harm.
    with open(os.path.join(work, "log"), encoding="utf-8") as log:
        if status == 0 and not re.search("^run folder: ", log.read(), re.M):
            return True, f"exit status 0 of {launcher} after a kill"
    return True, None


def kills(work, launchers, count):
    """Returns how many were killed, and how many were lost."""
    killed = lost = 0
    networks = [("lenet300", "asni", "adam"), ("resnet20", "gmp", "momentum"), ("conv2", "set", "momentum")]
    expected = {}
    while killed < count:
        net, method, optimizer = networks[killed % len(networks)]
        base = ["--net", net, *NETWORKS[net], "--method", method, *METHODS[method], "--optimizer", optimizer, "--epochs", "4", *COMMON, "--checkpoint-minutes", "0.001", "--out"]
        if net not in expected:
            alone, began = os.path.join(work, net), time.monotonic()
            if problem := train(None, 1, [*base, alone]):
                sys.exit(f"one rank of {net}: {problem}")
            expected[net] = content(alone), time.monotonic() - began
        folder = os.path.join(work, "killed")
        was, problem = kill_one(work, random.choice(launchers), [*base, folder], expected[net][1])
        if not was:
            if problem:
                sys.exit(problem)
            shutil.rmtree(folder, ignore_errors=True)
            continue
        killed += 1
        launcher = random.choice((None, *launchers))
        ranks = random.choice((2, 4)) if launcher else 1
        problem = problem or train(launcher, ranks, [*base, folder, "--or-resume"]) or difference(folder, expected[net][0])
        if problem:
            lost += 1
            print(f"kill {killed}, {net}, then {ranks} ranks of {launcher}: {problem}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    return killed, lost


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    launchers = [name for name in LAUNCHERS if shutil.which(name)]
    if not launchers:
        sys.exit(f"none of {', '.join(LAUNCHERS)} is installed.")
    if not os.path.exists(HOST):
        sys.exit(f"{HOST} is missing; build it: dotnet build src/Asni.Host")
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as work:
        differ, tried = matrix(work, launchers)
        print(f"{tried} runs on 2 and 4 ranks of {' and '.join(launchers)}, {differ} differ from one rank's", flush=True)
        killed, lost = kills(work, launchers, options.kills)
    print(f"{killed} kills, {lost} lost")
    sys.exit(1 if differ or lost else 0)


if __name__ == "__main__":
    main()
