"""The validation of GPUs where something breaks, on the simulator: python3 -m unittest discover -s eng/tests, after ./build.sh"""
import contextlib
import importlib.util
import io
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SIMULATOR = os.path.join(ROOT, "build", "native", "libasni_cuda_simulator.so")
PROGRAMS = {"bench": "bench/Asni.Bench", "host": "src/Asni.Host"}
BUILT = {name: os.path.join(ROOT, project, "bin", "Release", "net10.0") for name, project in PROGRAMS.items()}


def results(out):
    with open(os.path.join(out, "results.json")) as file:
        return json.load(file)


def script(folder):
    spec = importlib.util.spec_from_file_location("gpu_validate", os.path.join(folder, "gpu_validate.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class InFolder(unittest.TestCase):
    """A folder like the bundle's: the script, and beside it the programs as they are built."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.out = folder.name, os.path.join(folder.name, "out")
        shutil.copy(os.path.join(ROOT, "eng", "gpu_validate.py"), self.folder)
        for name, path in BUILT.items():
            os.symlink(path, os.path.join(self.folder, name))


@unittest.skipUnless(os.path.exists(SIMULATOR) and all(os.path.exists(path) for path in BUILT.values()), "needs ./build.sh")
class BrokenKernel(InFolder):
    def validate(self, fault, *steps):
        """Runs steps, (name, limit in seconds), in this order with one kernel broken; the results and what was printed."""
        validate = script(self.folder)
        functions = {name: function for name, _, function in validate.STEPS}
        validate.STEPS[:] = [(name, limit / 6, functions[name]) for name, limit in steps]  # a dry run has six times as long
        validate.SMOKE = {True: [("lenet300", "fp32"), ("lenet300", "bf16")]}
        said = io.StringIO()
        arguments, environment = sys.argv, dict(os.environ)
        sys.argv = ["gpu_validate.py", "--out", self.out, "--dry-run", SIMULATOR]
        os.environ["ASNI_SIM_BREAK"] = fault
        try:
            with contextlib.redirect_stdout(said), self.assertRaises(SystemExit) as ended:
                validate.main()
        finally:
            sys.argv = arguments
            os.environ.clear()
            os.environ.update(environment)
        self.assertEqual(ended.exception.code, 1)
        self.assertTrue(all(os.path.getsize(os.path.join(self.out, name)) for name in ("results.md", "logs.tar.gz")))
        return results(self.out), said.getvalue()

    def check(self, found, said, failed, *reasons):
        """One step failed, for these reasons and with a command that fails again; the other passed."""
        others = {step["status"] for name, step in found["steps"].items() if name != failed}
        self.assertEqual((found["steps"][failed]["status"], others), ("failed", {"passed"}), said)
        summary = found["steps"][failed]["summary"]
        for reason in reasons:
            self.assertIn(reason, summary)
        self.assertIn(f"{failed}: failed", said)
        self.assertIn(f"1 steps failed: {failed}", said)
        self.assertRegex(summary, r"again: .*dotnet \S+\.dll \S")

    def test_a_refused_launch(self):
        found, said = self.validate("sample_images_fp32:refuse", ("determinism", 60), ("smoke", 60))
        self.check(found, said, "determinism", "exit code", "Kernel sample_images_fp32 with", "INVALID_VALUE")
        again = shlex.split(found["steps"]["determinism"]["summary"].split("again: ")[1])
        environment = {**os.environ, "ASNI_CUDA_DRIVER": SIMULATOR, "ASNI_SIM_BREAK": "sample_images_fp32:refuse"}
        self.assertEqual(subprocess.run(again, env=environment, capture_output=True).returncode, 1)

    def test_a_wrong_result(self):
        found, said = self.validate("loss_bf16:wrong", ("smoke", 60), ("resnet50", 60))
        self.check(found, said, "smoke", "lenet300 bf16", '"right": false', "cuda smoke lenet300 bf16")
        self.assertTrue(any(row["precision"] == "fp32" and row["right"] for row in found["rows"]["smoke"]))

    def test_a_hang(self):
        start = time.monotonic()
        found, said = self.validate("sample_images_fp32:hang", ("determinism", 6), ("smoke", 60))
        self.check(found, said, "determinism", "stopped after 6 s", "--data digits")
        self.assertLess(time.monotonic() - start, 60)


class Peers(unittest.TestCase):
    def test_a_compilation_that_does_not_finish_is_told(self):
        """The last line of a case before the limit is the one that says so."""
        validate = script(os.path.join(ROOT, "eng"))
        row = {"what": "steps", "net": "resnet50", "batch": 256, "precision": "bf16", "ms": {"asni": 40.0, "eager": 60.0}, "asni_over_torch": 1.5}
        run = validate.Run("unused", None)
        self.addCleanup(shutil.rmtree, run.work)
        said = [row, {**row, "errors": {"compile": "did not finish in time"}}]
        run.call = lambda *_, **__: "\n".join(map(json.dumps, said))
        run.program = lambda *_: ["asni"]
        with unittest.mock.patch.object(validate.subprocess, "run", return_value=subprocess.CompletedProcess([], 0)):
            summary = validate.peers(run, "pytorch", ["resnet50:bf16"], 100)
        self.assertEqual(summary, "resnet50 bf16: asni 40.00 ms, eager 60.00 ms, compile: did not finish in time, PyTorch's best / ours 1.5")
        self.assertIn("did not finish in time", "\n".join(validate.whole_steps(run.results)))


class Killed(InFolder):
    # Short steps, and files that are slow to write, so that most kills meet one half written.
    SCRIPT = """
import io, sys, time
sys.path.insert(0, sys.argv[1])
sys.argv = ["gpu_validate.py", "--out", sys.argv[2], "--dry-run", "none"]
import gpu_validate as validate
class Slow(io.FileIO):
    def write(self, data):
        for at in range(0, len(data), len(data) // 4 + 1):
            super().write(data[at:at + len(data) // 4 + 1])
            time.sleep(0.01)
validate.open = lambda path, mode="r": Slow(path, "w") if mode == "wb" else open(path, mode)
def step(i):
    return lambda run: f"step {i}"
validate.STEPS[:] = [(f"step{i}", 10, step(i)) for i in range(200)]
validate.main()
"""

    def test_results_survive_a_kill_at_any_moment(self):
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        for _ in range(5):
            with self.subTest(seed=seed):
                shutil.rmtree(self.out, ignore_errors=True)
                process = subprocess.Popen([sys.executable, "-c", self.SCRIPT, self.folder, self.out], stdout=subprocess.PIPE, text=True,
                                           env={**os.environ, "TMPDIR": self.folder})
                first = process.stdout.readline()
                time.sleep(moments.uniform(0, 1.5))
                process.kill()
                finished = [line.split(":")[0] for line in [first, *process.stdout] if line.endswith("\n") and ": passed" in line]
                process.stdout.close()
                process.wait()
                steps = results(self.out)["steps"]
                self.assertGreater(len(finished), 0)
                self.assertLessEqual(len(steps) - len(finished), 1)  # written, but not printed yet
                for i, name in enumerate(finished):
                    self.assertEqual(steps[name], {"status": "passed", "seconds": steps[name]["seconds"], "summary": f"step {i}"})


if __name__ == "__main__":
    unittest.main()
