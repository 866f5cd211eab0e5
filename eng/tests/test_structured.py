"""What eng/structured.py trains and tells, with stand-ins for asni and the measurement: python3 -m unittest discover -s eng/tests"""
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "structured.py")

# Notes each call; the network's name says the budget.
ASNI = textwrap.dedent("""
    import json, os, struct, sys
    log, arguments = sys.argv[1], sys.argv[2:]
    open(log, "a").write(" ".join(arguments) + "\\n")
    folder = arguments[arguments.index("--out") + 1]
    os.makedirs(folder)
    share = float(os.path.basename(folder).split("=")[1].split("-")[0])
    phase = {"top1": share, "kept": 1000 * share, "macs": 2000 * share}
    summary = {"data": "digits", "test_images": 500, "input": "1x28x28", "classes": 10, "structured": phase, "complete": True}
    if "--scratch" in arguments:
        summary["scratch"] = {**phase, "top1": share / 2}
    for name in ("structured", "scratch"):
        header = json.dumps({"__metadata__": {"network": f"net[a={int(100 * share)}]"}}).encode()
        open(f"{folder}/{name}.safetensors", "wb").write(struct.pack("<Q", len(header)) + header)
    json.dump(summary, open(folder + "/summary.json", "w"))
""")
# A millisecond a unit and image.
LATENCY = textwrap.dedent("""
    import json, re, sys
    name, batch = sys.argv[sys.argv.index("--net") + 1], int(sys.argv[sys.argv.index("--batch") + 1])
    units = re.search(r"a=(\\d+)", name)
    print(json.dumps({"p50_ms": batch * (int(units[1]) if units else 100)}))
""")


class Structured(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        with open(self.path("dense.safetensors"), "w", encoding="utf-8") as file:
            file.write("weights")
        for name, text in ("asni", ASNI), ("latency", LATENCY):
            with open(self.path(name + ".py"), "w", encoding="utf-8") as file:
                file.write(text)

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def call(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, "--asni", f"{sys.executable} {self.path('asni.py')} {self.path('log')}", "--latency", f"{sys.executable} {self.path('latency.py')}",
                               "--net", "net", "--runs", self.path("runs"), *arguments], capture_output=True, text=True, check=False)

    def test_each_criterion_to_each_budget_once_and_a_table_with_times(self):
        arguments = ("--start", self.path("dense.safetensors"), "--criterion", "l1,thinet", "--budget", "macs=0.5,macs=0.2", "--seed", "1,2")
        done = self.call(*arguments, "--", "--data", "digits")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("log"), encoding="utf-8") as file:
            calls = file.read().splitlines()
        self.assertEqual(len(calls), 8)
        self.assertEqual(sum("--scratch" in call for call in calls), 4, "of l1")
        self.assertEqual([("--unit-scope hidden" in call) == ("thinet" in call) for call in calls], [True] * 8)
        self.assertIn(f"--method structured --init {self.path('dense.safetensors')} --criterion l1 --budget macs=0.5 --scratch --seed 1 --data digits", calls[0])
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if line.startswith("| macs")]
        self.assertEqual([row[:2] for row in rows], [["macs=0.5", "l1"], ["macs=0.5", "thinet"], ["macs=0.5", "scratch (l1's network)"],
                                                     ["macs=0.2", "l1"], ["macs=0.2", "thinet"], ["macs=0.2", "scratch (l1's network)"]])
        self.assertEqual(rows[0][2:], ["50.00 % (50.00, 50.00)", "1, 2", "500", "1,000", "50.000", "2.00", "50.000", "2.00"])
        self.assertIn("one image takes 100.000 ms before pruning", done.stdout)
        self.call(*arguments, "--", "--data", "digits")
        with open(self.path("log"), encoding="utf-8") as file:
            self.assertEqual(len(file.read().splitlines()), 8, "complete runs stay")

    def test_the_page_keeps_what_is_around_the_table(self):
        self.call("--start", self.path("dense.safetensors"), "--criterion", "l1", "--budget", "macs=0.5")
        page = self.path("page.md")
        with open(page, "w", encoding="utf-8") as file:
            file.write("before\n<!-- structured-net -->\nold\n<!-- /structured-net -->\nafter\n")
        self.assertEqual(self.call("--write", page).returncode, 0)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("before\n<!-- structured-net -->\n**net on digits**") and text.endswith("<!-- /structured-net -->\nafter\n") and "old" not in text)
        # Of runs that are no longer there the table keeps what it had.
        os.rename(self.path("runs"), self.path("elsewhere"))
        self.call("--start", self.path("dense.safetensors"), "--criterion", "l2", "--budget", "macs=0.2", "--write", page)
        with open(page, encoding="utf-8") as file:
            again = file.read()
        self.assertTrue(all(line in again for line in text.splitlines()) and "| macs=0.2 | l2 | 20.00 % |" in again, again)
        with open(self.path("dense.safetensors"), "w", encoding="utf-8") as file:
            file.write("other weights")
        self.assertIn("move it away", self.call("--runs", self.path("third"), "--start", self.path("dense.safetensors"), "--criterion", "l2", "--budget", "macs=0.2", "--write", page).stderr)
        self.assertIn("needs one line", self.call("--write", self.path("log")).stderr)
        self.assertIn("has no complete run", self.call("--runs", self.path("none")).stderr)

    def test_runs_from_another_network_need_another_folder(self):
        arguments = ("--start", self.path("dense.safetensors"), "--criterion", "l1", "--budget", "macs=0.5")
        self.call(*arguments)
        with open(self.path("dense.safetensors"), "w", encoding="utf-8") as file:
            file.write("other weights")
        self.assertIn("give another folder", self.call(*arguments).stderr)


if __name__ == "__main__":
    unittest.main()
