#!/usr/bin/env python3
"""Several threads in one SparseModel, with a plan each and with a lock, beside one thread; and examples/WebApi under load.

    dotnet build
    python3 bench/peers/callers.py [--callers 8] [--density 0.05] [--markdown docs/performance.md]

Run it where nothing else runs: the more threads of a program, the larger its share of a busy machine.
"""
import argparse
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

NETS = ("lenet300", "resnet20", "resnet50", "mobilenet_v2")


def row(case, options):
    r = common.asni("callers", *common.network_of(case._replace(batch=1)), "--threads", "1",
                    "--density", str(options.density), "--callers", str(options.callers), "--seconds", str(options.seconds))
    return (f"| {case.net} | {r['one_calls_per_second']:,.1f} | {r['pooled_over_one']:.2f} | {r['locked_over_one']:.2f} | {r['pooled_processor_ms'] / r['one_processor_ms']:.2f} | "
            f"{r['model_kib'] / 1024:,.3g} | {r['kib_per_further_caller'] / 1024:,.2g} |")


def web(options):
    """The example, started on a network of synthetic digits and posted one of them."""
    def built(*parts):
        path = os.path.join(common.ROOT, *parts)
        if not os.path.exists(path):
            sys.exit(f"{path} is missing; build it: dotnet build")
        return path

    host = built("src", "Asni.Host", "bin", "Release", "net10.0", "Asni.Host.dll")
    example = built("examples", "WebApi", "bin", "Release", "net10.0", "WebApi.dll")
    with tempfile.TemporaryDirectory() as folder:
        run, image = os.path.join(folder, "run"), os.path.join(folder, "digit.bmp")
        subprocess.run(["dotnet", host, "--net", "lenet300", "--data", "digits", "--epochs", "3", "--limit", "6000", "--out", run], check=True, stdout=subprocess.DEVNULL)
        with open(image, "wb") as f:
            f.write(b"BM" + (54 + 28 * 28 * 3).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little") + (28).to_bytes(4, "little") * 2
                    + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24) + bytes(i * 7 % 256 for i in range(28 * 28 * 3)))
        with subprocess.Popen(["dotnet", example, run, "--urls", "http://127.0.0.1:0", "--Logging:LogLevel:Microsoft.AspNetCore=Warning"], stdout=subprocess.PIPE, text=True) as server:
            try:
                url = next(line.split("listening on: ")[1].strip() for line in server.stdout if "listening on: " in line)
                r = common.asni("web", "--url", url + "/classify", "--image", image, "--callers", str(options.callers), "--seconds", str(options.seconds))
            finally:
                server.kill()
    return (f"`examples/WebApi` with lenet300, client on the same machine: {r['one_requests_per_second']:,.0f} requests/s from one connection (middle {r['one_p50_ms']:.2f} ms, "
            f"99th of a hundred {r['one_p99_ms']:.2f} ms), {r['over_one']:.2f} times as many from {options.callers} (middle {r['p50_ms']:.2f} ms, 99th {r['p99_ms']:.2f} ms).")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--density", type=float, default=0.05)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--markdown", help="rewrite the table between the callers markers of this file")
    options = parser.parse_args()
    if options.markdown:
        common.between(options.markdown, "callers", "")
    cases = {c.net: c for c in common.CASES}
    lines = [f"{options.callers} threads that call at once, batch 1, density {options.density}, one thread a call; {os.cpu_count()} processors.", "",
             "| network | calls/s of one | all over one | with a lock | processor time a call over one's | MiB, one caller | MiB, each further |",
             "| --- |" + " ---: |" * 6]
    print("\n".join(lines), flush=True)
    for net in NETS:
        lines.append(row(cases[net], options))
        print(lines[-1], flush=True)
    lines += ["", web(options)]
    print("\n".join(lines[-2:]), flush=True)
    if options.markdown:
        common.write_text(options.markdown, common.between(options.markdown, "callers", "\n".join(lines) + "\n"))


main()
