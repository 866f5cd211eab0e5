#!/usr/bin/env python3
"""Validates Asni's CUDA device on this machine, in the folder that eng/gpu-bundle.sh makes; needs Python 3 and NVIDIA's driver.

    gpu-validate.sh [--out DIR] [--only STEP,...] [--skip STEP,...] [--dry-run /path/to/libasni_cuda_simulator.so]
    gpu_validate.py --write docs/performance.md --out DIR        only puts the tables of DIR/results.json into that page

Every step runs even when an earlier one failed, each for a limited time. After each step DIR/results.json, DIR/results.md and DIR/logs.tar.gz are written
anew: a run that is killed leaves what it had. --only with a second call on the same machine adds to the results of the first.
Exit code 0: no step failed.
"""
import argparse
import glob
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = []  # (name, limit in seconds, function); by default those that are no extras, in this order: 480 s at most
EXTRAS = ("cifar", "tf32")  # only where --only names them
# Training steps that are compared with the CPU's, by whether it is a dry run.
SMOKE = {dry: [(net, precision) for precision in ("fp32", "tf32", "bf16") for net in nets]
         for dry, nets in ((True, ["lenet300", "resnet20"]), (False, ["lenet300", "conv2", "resnet20"]))}
TEST_OPTIONS = ["--no-progress", "--no-ansi", "--output", "Detailed"]
CHECKS = {"memcheck": ["--report-api-errors", "no"], "racecheck": []}  # tests provoke errors of the driver's functions
TILES = "FullyQualifiedName~ConvolutionKernelTests&FullyQualifiedName~Bf16&Name~Every_tile_agrees_whole_and_split"
RESNET50 = ["--net", "resnet50", "--input", "3x224x224", "--classes", "1000", "--batch", "256", "--optimizer", "momentum"]


class Failed(Exception):
    """A step's command failed; the message has the command that shows it again."""


def step(limit):
    def add(function):
        STEPS.append((function.__name__, limit, function))
        return function
    return add


class Run:
    """What the steps share: the commands, the time that is left of a step, and the results so far."""

    def __init__(self, out, simulator):
        self.out, self.simulator = out, simulator
        self.work = tempfile.mkdtemp(prefix="asni-gpu-")
        self.deadline = 0.0
        self.env = {**os.environ, "DOTNET_NOLOGO": "1", "TESTINGPLATFORM_TELEMETRY_OPTOUT": "1", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
        dotnet = os.path.join(HERE, "dotnet", "dotnet")
        self.dotnet = dotnet if os.path.exists(dotnet) else "dotnet"
        if os.path.exists(dotnet):
            os.chmod(dotnet, 0o755)
            self.env["DOTNET_ROOT"] = os.path.dirname(dotnet)
        if simulator:
            self.env["ASNI_CUDA_DRIVER"] = simulator
            self.env["ASNI_SIM_CHECKS"] = "0"
        else:
            self.find_libraries()
        self.results = {"commit": read(os.path.join(HERE, "commit.txt")).strip() or "unknown", "dry_run": bool(simulator), "steps": {}, "rows": {}}

    def find_libraries(self):
        """cuBLAS, cuDNN and NCCL, optional, as PyTorch's wheels bring them; cuDNN loads libnvrtc by name."""
        packages = sysconfig.get_paths()["purelib"]
        folders = sorted({os.path.dirname(f) for name in ("libcublas.so.1*", "libcudnn.so.9", "libnccl.so.2", "libnvrtc.so.1*", "libcudart.so.1*")
                          for f in glob.glob(f"{packages}/nvidia/*/lib/{name}")})
        self.env.setdefault("ASNI_CUDA_LIBRARIES", ":".join(folders))
        self.env["LD_LIBRARY_PATH"] = ":".join([p for p in [self.env.get("LD_LIBRARY_PATH")] if p] + folders)

    def program(self, folder, *arguments):
        name = {"tests": "Asni.Tests.dll", "bench": "Asni.Bench.dll", "host": "Asni.Host.dll"}[folder]
        return [self.dotnet, os.path.join(HERE, folder, name), *arguments]

    def left(self):
        return self.deadline - time.monotonic()

    def call(self, log, command, limit=None, env=None, check=True):
        """Runs a command for at most the step's time; its output goes to the log as it comes and is returned."""
        limit = min(limit or 1e9, max(1.0, self.left()))
        path = os.path.join(self.out, "logs", log + ".log")
        with open(path, "ab") as file:
            start = file.tell()
            file.write(("$ " + shlex.join(command) + "\n").encode())
            file.flush()
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**self.env, **(env or {})}, start_new_session=True)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = None
        text = read(path, start).split("\n", 1)[-1]
        if check and code != 0:
            said = " ".join(text.strip().splitlines()[-3:])[-600:]
            raise Failed(f"{'stopped after %.0f s' % limit if code is None else f'exit code {code}'}: {said} | again: {again(command, env)}")
        return text

    def rows(self, name, text):
        """The lines of JSON in an output, kept under a name."""
        rows = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
        self.results["rows"].setdefault(name, []).extend(rows)
        return rows

    def write(self):
        """Everything so far, each file aside and then renamed."""
        replace(os.path.join(self.out, "results.json"), json.dumps(self.results, indent=1).encode())
        replace(os.path.join(self.out, "results.md"), markdown(self.results).encode())
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w:gz") as archive:
            archive.add(os.path.join(self.out, "logs"), "logs")
        replace(os.path.join(self.out, "logs.tar.gz"), tar.getvalue())


def read(path, start=0):
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def replace(path, data):
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)


def again(command, env):
    return " ".join([f"{k}={shlex.quote(v)}" for k, v in (env or {}).items()] + [shlex.join(command)])


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


# ---- The steps, in the order of what is worth most when time runs out.

@step(30)
def modules(run):
    """Every PTX file is compiled by the driver, each in a process of its own; later processes find the result in the driver's cache."""
    files = run.call("modules", run.program("bench", "cuda", "files")).split()
    with ThreadPoolExecutor(4 if run.simulator else 16) as pool:
        tasks = {f: pool.submit(run.call, "module-" + f, run.program("bench", "cuda", "kernels", f)) for f in files}
    errors, rows = [], []
    for file, task in tasks.items():
        try:
            rows += run.rows("kernels", task.result())
        except Failed as e:
            errors.append(f"{file}: {e}")
    if errors:
        raise Failed("; ".join(errors))
    local = [r["kernel"] for r in rows if r["local_bytes"]]
    return f"{len(rows)} kernels of {len(files)} files; with local memory: {', '.join(local) or 'none'}"


@step(30)
def smoke(run):
    """A training step of small networks in each precision, with the rule's tiles, against the CPU."""
    wrong, worst = [], ""
    cases = SMOKE[bool(run.simulator)]
    with ThreadPoolExecutor(1 if run.simulator else 3) as pool:
        tasks = {case: pool.submit(run.call, "smoke-%s-%s" % case, run.program("bench", "cuda", "smoke", *case), 60, {"ASNI_AUTOTUNE": "0"})
                 for case in cases}
    for (net, precision), task in tasks.items():
        try:
            row = run.rows("smoke", task.result())[0]
            worst += f"{net} {precision} {row['error']}, "
        except (Failed, IndexError) as e:
            wrong.append(f"{net} {precision}: {e}")
    if wrong:
        raise Failed("; ".join(wrong))
    return f"{len(cases)} steps agree with the CPU; largest differences of a gradient: {worst[:-2]}"


@step(60)
def resnet50(run):
    """Whole steps of ResNet-50 in bf16, batch 256 (tuned, with the libraries and with our kernels alone), and the time of each operation."""
    if run.simulator:
        row = run.rows("steps", run.call("resnet50", run.program("bench", "steps", "--net", "lenet300", "--input", "1x28x28", "--batch", "4",
                                                                 "--seconds", "0.1", "--device", "cuda")))[0]
        return f"lenet300 instead: {row['ms']} ms"
    common = [*RESNET50, "--device", "cuda", "--precision", "bf16"]
    row = run.rows("steps", run.call("resnet50", run.program("bench", "steps", *common, "--seconds", "3"), 50))[0]
    own = run.rows("steps", run.call("resnet50-own", run.program("bench", "steps", *common, "--seconds", "2"), 40,
                                     {"ASNI_CUDA_LIBRARIES": "none"}))[0]
    profile = run.call("resnet50-profile", run.program("bench", "profile", *common, "--seconds", "1"), 25)
    run.results["profile"] = profile
    return f"{row['ms']:.2f} ms, {row['images_per_second']:.0f} images/s; without cuBLAS and cuDNN {own['ms']:.2f} ms"


@step(100)
def pytorch(run):
    """The same step in PyTorch, eager and compiled, in turn with ours."""
    return peers(run, "pytorch", ["resnet20" if run.simulator else "resnet50:bf16"], 100)


def peers(run, log, nets, seconds):
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode:
        return None
    options = ["--small"] if run.simulator else ["--asni", shlex.join(run.program("bench")), "--seconds", str(seconds - 10)]
    text = run.call(log, [sys.executable, os.path.join(HERE, "peers", "gpu.py"), *options, *nets], env={"PYTHONUNBUFFERED": "1"}, check=False)
    rows = {r.get("net", "threshold") + r.get("precision", ""): r for r in run.rows("peers", text) if r.get("ms")}.values()  # the last line of a case holds
    summary = []
    for row in rows:
        if "steps" in row["what"]:
            said = [f"{k} {v:.2f} ms" for k, v in row["ms"].items() if v] + [f"{k}: {e}" for k, e in row.get("errors", {}).items()]
            said += [f"PyTorch's best / ours {row['asni_over_torch']}"] if row.get("asni_over_torch") else []
            summary.append(f"{row['net']} {row['precision']}: " + ", ".join(said))
    if not rows:
        raise Failed(last_line(text))
    return "; ".join(summary) or last_line(text)


@step(40)
def speed(run):
    """Limits of the GPU and single operations against them."""
    run.rows("limits", run.call("limits", run.program("bench", "cuda", "limits"), 30))
    rows = run.rows("speed", run.call("speed", run.program("bench", "cuda", "speed"), check=False))
    failed = [f"{r['kernel']} {r['shape']}: {r['error']}" for r in rows if "error" in r]
    if failed or not rows:
        raise Failed("; ".join(failed) or "no row; see speed.log")
    compared = [r["ratio"] for r in rows if "ratio" in r]
    return f"{len(rows)} operations, {len(compared)} beside cuBLAS or cuDNN, {sum(r >= 1 for r in compared)} as fast or faster"


@step(90)
def tests(run):
    """Every device test."""
    arguments = [*TEST_OPTIONS, "--filter",
                 "(FullyQualifiedName~Cuda|FullyQualifiedName~cuda)&FullyQualifiedName!~ArchitectureTests"
                 "&FullyQualifiedName!~KernelArgumentTests"]
    text = run.call("tests", run.program("tests", *arguments), check=False)
    counts = dict(re.findall(r"^ *(total|failed|succeeded|skipped): (\d+)", text, re.M))
    failures = re.findall(r"^failed (\S.*?)(?: \([\dmsh. ]+\))?$", text, re.M)
    run.results["failed_tests"] = failures
    if counts.get("failed") != "0":
        raise Failed(f"{counts or 'the run did not end'}; failed: {'; '.join(failures[:40])}")
    return ", ".join(f"{k} {v}" for k, v in counts.items())


@step(20)
def determinism(run):
    """The same run twice gives the same bits."""
    small = ["--limit", "600"] if run.simulator else []
    for name in ("first", "second"):
        run.call("determinism", run.program("host", "--net", "lenet300", "--data", "digits", "--device", "cuda", "--epochs", "2", "--seed", "3", *small,
                                            "--out", os.path.join(run.work, name)))
    files = sorted(glob.glob(os.path.join(run.work, "first", "*.safetensors")))
    different = [f for f in files if open(f, "rb").read() != open(f.replace("/first/", "/second/"), "rb").read()]
    if different or not files:
        raise Failed(f"{len(different)} of {len(files)} networks differ")
    return f"{len(files)} networks of two runs are equal bit for bit"


@step(50)
def sanitizer(run):
    """NVIDIA's own checker on a training step in bf16, which is too small for wgmma kernels, and on those by themselves."""
    if run.simulator or not shutil.which("compute-sanitizer"):
        return None
    said, failed = [], False
    step, tiles = run.program("bench", "cuda", "smoke", "resnet20", "bf16"), run.program("tests", *TEST_OPTIONS, "--filter", TILES)
    checks = [(tool, *each) for each in (("wgmma tiles", tiles), ("a step", step)) for tool in ("memcheck", "racecheck")]
    for i, (tool, what, command) in enumerate(checks):
        limit = run.left() / (len(checks) - i) * (1 if i == len(checks) - 1 else 1.5)  # none takes the others' time
        try:
            text = run.call("sanitizer", ["compute-sanitizer", "--tool", tool, *CHECKS[tool], "--error-exitcode", "9", *command], limit, {"ASNI_AUTOTUNE": "0"})
            said.append(f"{tool} of {what}: " + last_line("\n".join(x for x in text.splitlines() if "=====" in x)).strip("= "))
        except Failed as e:
            said.append(f"{tool} of {what}: {e}")
            failed = True
    if failed:
        raise Failed("; ".join(said))
    return "; ".join(said)


@step(60)
def small(run):
    """The smallest network and the global threshold beside PyTorch's."""
    return peers(run, "small", ["lenet300", "threshold"], 60)


@step(120)
def cifar(run):
    """Networks for CIFAR-10 beside PyTorch's."""
    return peers(run, "cifar", ["resnet20"] if run.simulator else ["resnet18c", "vgg16", "resnet20"], 120)


@step(90)
def tf32(run):
    """ResNet-50 in TF32, batch 128, beside PyTorch's."""
    return peers(run, "tf32", ["lenet300" if run.simulator else "resnet50:tf32"], 90)


# ---- The report.

def table(header, rows):
    """A Markdown table; a column whose name begins with '>' is of numbers."""
    columns = [name.lstrip(">") for name in header]
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---:" if name.startswith(">") else "---" for name in header) + " |"]
    return lines + ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]


def whole_steps(results):
    """Steps beside PyTorch's: the last line of each case."""
    cases = {(r["net"], r["batch"], r["precision"]): r for r in results["rows"].get("peers", []) if r.get("what") == "steps"}
    rows = [(*case, r["ms"].get("asni", ""), r["ms"].get("eager", ""), r["ms"].get("compile") or r.get("errors", {}).get("compile", ""), r.get("asni_over_torch", "")) for case, r in cases.items()]
    return table(["network", ">batch", "precision", ">Asni, ms", ">PyTorch eager, ms", ">compiled, ms", ">its best / Asni"], rows) if rows else []


def kinds(results):
    """The profile's operations, by kind: what takes a step's time."""
    sums, total = {}, 0.0
    for name, ms in re.findall(r"^\| (.+) \| ([\d.]+) \| .*\|$", results.get("profile", ""), re.M):
        what = re.sub(r" [\dx-]+(?: \dx\d/\d)?(?: on \d+x\d+)?(?=,|$)", "", name)
        sums[what] = sums.get(what, 0.0) + float(ms)
        total += float(ms)
    rows = [(what, f"{ms:.2f}", f"{100 * ms / total:.0f} %") for what, ms in sorted(sums.items(), key=lambda item: -item[1])]
    return table(["operations of a ResNet-50 step", ">ms", ">share"], rows) if rows else []


def operations(results):
    rows = [(r["kernel"], r["shape"], r["ms"], r["gbytes_per_second"], r["tflops"], f"{r['percent_of_limit']} %", r.get("library_ms", ""), r.get("ratio", ""))
            for r in results["rows"].get("speed", []) if "ms" in r]
    return table(["operation", "shape", ">ms", ">GB/s", ">TFLOP/s", ">of the limit", ">cuBLAS or cuDNN, ms", ">theirs / ours"], rows) if rows else []


def limits(results):
    rows = results["rows"].get("limits", [])
    if not rows:
        return []
    r = rows[-1]
    cublas = f", cuBLAS's product of 8192 x 8192 {r['cublas_bf16_tflops']}" if r["cublas_bf16_tflops"] else ""
    return [f"Limits of that run: copy {r['copy_gbytes_per_second']:,} GB/s read and written (the driver's own {r['driver_copy_gbytes_per_second']:,}), "
            f"in bf16 mma.sync {r['mma_bf16_tflops']} TFLOP/s, wgmma {r['wgmma_bf16_tflops']}{cublas}, a launch {r['launch_microseconds']} us, in a graph {r['graph_launch_microseconds']} us."]


def markdown(results):
    lines = [f"# {results.get('gpu')}, driver {results.get('driver')}, commit {results['commit']}, {results.get('date')}", ""]
    if results["dry_run"]:
        lines += ["Dry run on the simulator: that every step works, not how fast.", ""]
    lines += table(["step", "status", ">seconds", "what it said"],
                   [(name, s["status"], f"{s['seconds']:.0f}", s["summary"]) for name, s in results["steps"].items()])
    kernels = [(r["kernel"], r["registers"], r["local_bytes"], r["shared_bytes"]) for r in results["rows"].get("kernels", [])]
    parts = [limits(results), whole_steps(results), kinds(results), operations(results), results.get("profile", "").strip().splitlines(),
             table(["kernel", ">registers", ">local bytes", ">static shared bytes"], kernels) if kernels else []]
    return "\n".join(lines + [line for part in parts if part for line in ["", *part]]) + "\n"


def write_page(path, results):
    """Puts the tables between the page's <!-- gpu --> and <!-- /gpu -->."""
    page = read(path)
    parts = [[f"{results['gpu']}, driver {results['driver']}, commit {results['commit']}, {results['date']}.", *limits(results)],
             whole_steps(results), kinds(results), operations(results)]
    text = "\n\n".join("\n".join(part) for part in parts if part)
    new, count = re.subn(r"(<!-- gpu -->\n).*?(<!-- /gpu -->)", lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.S)
    if count != 1:
        sys.exit(f"gpu_validate.py: {path} needs one line <!-- gpu --> with a line <!-- /gpu --> after it.")
    replace(path, new.encode())


def describe_gpu(run):
    run.results["date"] = time.strftime("%Y-%m-%d", time.gmtime())
    if run.simulator:
        run.results.update(gpu="Asni CUDA simulator", driver="none")
        return
    try:
        query = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
        run.results["gpu"], run.results["driver"] = (query.stdout.splitlines() or ["none, none"])[0].split(", ")
    except (OSError, subprocess.TimeoutExpired, ValueError):
        run.results.update(gpu="none", driver="none")


def run_step(run, name, limit, function):
    start = time.monotonic()
    run.deadline = start + limit
    try:
        summary = function(run)
        status = "skipped" if summary is None else "passed"
    except Failed as e:
        status, summary = "failed", str(e)
    except Exception as e:  # a step's own mistake must not cost the others
        status, summary = "failed", f"{type(e).__name__}: {e}"
    seconds = time.monotonic() - start
    run.results["steps"][name] = {"status": status, "seconds": round(seconds, 1), "summary": summary or "its tool is not here"}
    run.write()
    print(f"{name}: {status} in {seconds:.0f} s. {summary or 'its tool is not here'}"[:3000], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="gpu-validation")
    parser.add_argument("--only", default="")
    parser.add_argument("--skip", default="")
    parser.add_argument("--dry-run", metavar="SIMULATOR")
    parser.add_argument("--write", metavar="PAGE")
    options = parser.parse_args()
    if options.write:
        return write_page(options.write, json.loads(read(os.path.join(options.out, "results.json"))))
    names = [name for name, _, _ in STEPS]
    only, skip = ([s for s in text.split(",") if s] for text in (options.only, options.skip))
    unknown = [s for s in only + skip if s not in names]
    if unknown:
        sys.exit(f"gpu-validate: there is no step {unknown[0]}; there are {', '.join(names)}.")
    out = os.path.abspath(options.out)
    os.makedirs(os.path.join(out, "logs"), exist_ok=True)
    run = Run(out, os.path.abspath(options.dry_run) if options.dry_run else None)
    before = read(os.path.join(out, "results.json"))
    if only and before:
        old = json.loads(before)
        run.results = {**old, **{k: v for k, v in run.results.items() if k not in ("steps", "rows")}}
    describe_gpu(run)
    for name, limit, function in STEPS:
        if name in skip or (name not in only if only else name in EXTRAS):
            continue
        run_step(run, name, limit * (6 if run.simulator else 1), function)
    shutil.rmtree(run.work, ignore_errors=True)
    failed = [n for n, s in run.results["steps"].items() if s["status"] == "failed"]
    print("\n" + "\n".join(line for part in (limits(run.results), whole_steps(run.results), kinds(run.results)) if part for line in ["", *part]))
    print(f"{len(failed)} steps failed{': ' + ', '.join(failed) if failed else ''}; {out}/results.json, results.md, logs.tar.gz.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
