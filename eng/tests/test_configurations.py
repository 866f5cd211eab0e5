"""Debug is as fast as Release: python3 -m unittest discover -s eng/tests, after ./build.sh and dotnet build -c Debug bench/Asni.Bench"""
import json
import os
import subprocess
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BENCH = {c: os.path.join(ROOT, "bench", "Asni.Bench", "bin", c, "net10.0", "Asni.Bench.dll") for c in ("Release", "Debug")}


def milliseconds(configuration):
    """The fastest training step of lenet300 at 5 %."""
    command = ["dotnet", BENCH[configuration], "steps", "--net", "lenet300", "--density", "0.05", "--mode", "train", "--batch", "16", "--seconds", "0.2"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["min_ms"]


@unittest.skipUnless(all(map(os.path.exists, BENCH.values())), "needs ./build.sh and dotnet build -c Debug bench/Asni.Bench")
class Configurations(unittest.TestCase):
    def test_a_step_takes_as_long_in_debug(self):
        """The fastest of rounds in turn, as many as it takes: a busy machine does not decide, and unoptimized kernels take twenty times as long."""
        best = {}
        for _ in range(8):
            for c in BENCH:
                best[c] = min(best.get(c, float("inf")), milliseconds(c))
            if best["Debug"] <= 1.2 * best["Release"]:
                return
        self.fail(f"a step takes {best['Debug']} ms in Debug and {best['Release']} in Release")


if __name__ == "__main__":
    unittest.main()
