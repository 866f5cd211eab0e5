#!/usr/bin/env python3
"""Training steps of several processes over a slow link: gradients of live weights alone, all of them, and PyTorch's DistributedDataParallel over gloo.

    dotnet build bench/Asni.Bench          # needs Open MPI (apt-get install openmpi-bin), PyTorch for its row, Linux
    python3 bench/peers/ranks.py [--net vgg16] [--batch 32] [--density 0.05] [--ranks 2] [--gbit 1,10] [--markdown docs/performance.md]

The processes are on this machine, a thread each, in a network of their own whose loopback device lets the given rate of each rank pass (tc's token bucket); --gbit 0 does not limit it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

ROOT_MAY_RUN = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
WAYS = {"all": "all gradients, after the backward pass", "live": "live gradients, after it", "beside": "live gradients, beside it", "none": "no exchange"}


def case_of(options):
    case = next((c for c in common.CASES if c.net == options.net), None) or sys.exit(f"{options.net} is not among {', '.join(c.net for c in common.CASES)}.")
    return case._replace(batch=options.batch)


def torch_rank(options):
    """One rank of PyTorch, named by torch's own environment variables. Rank 0 prints the median."""
    import torch
    import torch.distributed as dist
    from pytorch import Peer
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    alone, peer = (Peer(case_of(options), "train", channels_last=False) for _ in range(2))
    peer.net = torch.nn.parallel.DistributedDataParallel(peer.net)
    medians = []
    for side in (alone, peer):
        times = []
        for step in range(3 + 12):
            dist.barrier()
            t = time.perf_counter()
            side.step()
            if step >= 3:
                times.append((time.perf_counter() - t) * 1e3)
        medians.append(statistics.median(times))
    if dist.get_rank() == 0:
        print(json.dumps({"version": torch.__version__, "alone": medians[0], "ms": medians[1]}))


def torch_ranks(options):
    """PyTorch's median milliseconds, or why there are none."""
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "WORLD_SIZE": str(options.ranks), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    ranks = [subprocess.Popen([sys.executable, *sys.argv, "--torch-rank"], env={**environment, "RANK": str(r)}, stdout=subprocess.PIPE, text=True) for r in range(options.ranks)]
    # A rank that fails leaves the others waiting.
    while any(r.poll() is None for r in ranks):
        if any(r.poll() for r in ranks):
            for r in ranks:
                r.kill()
        time.sleep(0.1)
    outputs = [r.communicate()[0] for r in ranks]
    return json.loads(outputs[0]) if all(r.returncode == 0 for r in ranks) else None


def measure(options):
    """Inside the network of the ranks: lines of JSON of both sides."""
    rate = options.inside
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if rate > 0:
        subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{rate * options.ranks}gbit", "burst", "512kb", "latency", "100ms"], check=True)
    case = case_of(options)
    run = subprocess.run(["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo", "-np", str(options.ranks),
                          "dotnet", common.BENCH, "ranks", *common.network_of(case), "--optimizer", case.optimizer, "--density", str(options.density), "--threads", "1"],
                         env={**os.environ, **ROOT_MAY_RUN}, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"mpirun failed: {run.stderr.strip()}")
    # mpirun gives its ranks a terminal, which .NET greets.
    lines = [line[line.index("{"):] for line in run.stdout.splitlines() if "{" in line]
    print(json.dumps({"asni": [json.loads(line) for line in lines], "torch": torch_ranks(options)}))


def rows(options, rate):
    inside = subprocess.run(["unshare", "-rn", sys.executable, *sys.argv, "--inside", str(rate)], capture_output=True, text=True)
    if inside.returncode:
        sys.exit(f"at {rate} Gb/s: {inside.stderr.strip()}")
    found = json.loads(inside.stdout.splitlines()[-1])
    ways = {r["exchange"]: r for r in found["asni"]}
    link = f"{rate:g} Gb/s" if rate > 0 else "not limited"
    if not (ways["live"]["same_bits"] and ways["beside"]["same_bits"]):
        sys.exit("the ways to exchange came to different weights.")
    for way, what in WAYS.items():
        r = ways[way]
        yield f"| {link} | {what} | {r['mbytes']:.1f} | {r['ms']:.0f} | {r['images_per_second']:.0f} | {ways['all']['ms'] / r['ms']:.2f} |"
    if found["torch"]:
        for name, mbytes, ms in (("DDP over gloo", ways["all"]["mbytes"], found["torch"]["ms"]), ("no exchange", 0, found["torch"]["alone"])):
            yield f"| {link} | PyTorch {found['torch']['version']}, {name} | {mbytes:.1f} | {ms:.0f} | {options.batch * options.ranks / ms * 1e3:.0f} | {ways['all']['ms'] / ms:.2f} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", default="vgg16")
    parser.add_argument("--batch", type=int, default=32, help="images of a step on each rank")
    parser.add_argument("--density", type=float, default=0.05, help="share of the weights that live")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--gbit", default="1,10", help="rates of a rank's link, with commas between them; 0: not limited")
    parser.add_argument("--markdown", help="rewrite the table between the ranks markers of this file")
    parser.add_argument("--inside", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--torch-rank", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_rank:
        return torch_rank(options)
    if options.inside is not None:
        return measure(options)
    if not os.path.exists(common.BENCH):
        sys.exit(f"{common.BENCH} is missing; build it: dotnet build bench/Asni.Bench")
    text = "\n".join([f"{options.net} with {options.density:.0%} of its weights, {options.ranks} ranks of one thread, {options.batch} images each:", "",
                      "| link of a rank | exchange | MB a step | step ms | images/s | times as fast |", "| --- | --- | ---: | ---: | ---: | ---: |",
                      *(row for rate in map(float, options.gbit.split(",")) for row in rows(options, rate))]) + "\n"
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "ranks", text))
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
