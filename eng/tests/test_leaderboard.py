"""What eng/leaderboard.py trains, leaves alone, resumes and writes, with a stand-in for asni: python3 -m unittest discover -s eng/tests"""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "leaderboard.py")

# Notes each call; stops the first run of snip before its end.
ASNI = textwrap.dedent("""
    import json, os, sys
    log, arguments = sys.argv[1], sys.argv[2:]
    if arguments == ["methods"]:
        print("| method | what it does |\\n|---+---|\\n| dense | a |\\n| retrain | b |\\n| rigl | c |\\n| snip | d |\\n|      | more of d |")
        sys.exit()
    open(log, "a").write(" ".join(arguments) + "\\n")
    resumed = arguments[0] == "--resume"
    folder = arguments[1] if resumed else arguments[arguments.index("--out") + 1]
    if "snip" in folder and not resumed:
        os.makedirs(folder + "/checkpoints")
        sys.exit(1)
    os.makedirs(folder, exist_ok=True)
    sparsity = 0 if "dense" in folder else float(os.path.basename(folder).split("-")[1])
    phase = {"top1": 0.99 - sparsity / 10, "sparsity": sparsity, "effective_sparsity": (1 + sparsity) / 2, "kept": 5, "macs": 10, "live_macs": 1000, "seconds": 2}
    with open(folder + "/metrics.jsonl", "w") as file:
        for name, speed in ("first", 100), ("first", 300), ("ticket", 7):
            file.write(json.dumps({"phase": name, "images_per_second": speed, "kept": 5, "test_top1": 0.995}) + "\\n")
    json.dump({"data": "digits", "test_images": 500, "weights": 10, "first": phase, "ticket": {**phase, "top1": 0.1}, "complete": True}, open(folder + "/summary.json", "w"))
""")


class Leaderboard(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.asni, self.log = os.path.join(self.folder.name, "asni.py"), os.path.join(self.folder.name, "log")
        with open(self.asni, "w", encoding="utf-8") as file:
            file.write(ASNI)

    def tearDown(self):
        self.folder.cleanup()

    def call(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, "--asni", f"{sys.executable} {self.asni} {self.log}", "--runs", os.path.join(self.folder.name, "runs"), *arguments],
                              capture_output=True, text=True, check=False)

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def calls(self):
        return self.read(self.log).splitlines()

    def test_what_is_complete_stays_and_what_was_stopped_is_resumed(self):
        first = self.call("--sparsity", "0.9,0.95", "--seed", "1", "--", "--epochs", "3")
        self.assertEqual(first.returncode, 1, first.stderr)
        self.assertEqual(first.stderr.count("not complete"), 2)
        self.assertEqual(len(self.calls()), 5, "dense once, rigl and snip twice; retrain needs a network")
        self.assertTrue(all("--epochs 3" in call for call in self.calls()))
        second = self.call("--sparsity", "0.9,0.95", "--seed", "1", "--", "--epochs", "3")
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertEqual([call.split()[0] for call in self.calls()[5:]], ["--resume", "--resume"])
        self.call("--sparsity", "0.9", "--method", "rigl", "--seed", "2")
        self.assertEqual(len(self.calls()), 8, "one more seed, with the folder's flags")
        self.assertIn("--epochs 3", self.calls()[-1])

    def test_other_flags_need_another_folder(self):
        self.call("--method", "dense", "--seed", "1", "--", "--epochs", "3")
        refused = self.call("--method", "dense", "--seed", "1", "--", "--epochs", "4")
        self.assertIn("give another folder", refused.stderr)
        self.assertEqual(refused.returncode, 1)

    def test_each_method_by_its_own_recipe(self):
        recipes = os.path.join(self.folder.name, "recipes")
        os.makedirs(recipes)
        with open(os.path.join(recipes, "lenet300-rigl.yaml"), "w", encoding="utf-8"):
            pass
        done = self.call("--sparsity", "0.9", "--seed", "1", "--recipes", recipes, "--", "--threads", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([call[:call.index(" --out")] for call in self.calls()], [f"--recipe {recipes}/lenet300-rigl.yaml --seed 1 --sparsity 0.9 --threads 1"])
        self.assertIn(f"Each method by its recipe in `{recipes}`.", done.stdout)
        self.assertIn("give another folder", self.call("--recipes", "others").stderr)

    def test_flags_that_a_method_needs_on_a_network_are_given_and_told(self):
        done = self.call("--net", "conv6,vgg16", "--method", "rigl", "--sparsity", "0.98", "--seed", "1")
        self.assertEqual((done.returncode, ["--fan-in live" in call for call in self.calls()]), (0, [True, False]), done.stderr)
        self.assertIn("Of their own: `--fan-in live` for `rigl` on conv6.", done.stdout)
        self.call("--net", "conv6", "--method", "granet", "--sparsity", "0.98", "--seed", "1")
        self.assertIn("--fan-in live", self.calls()[-1])
        self.call("--net", "conv6", "--method", "rigl", "--sparsity", "0.9", "--seed", "1", "--runs", os.path.join(self.folder.name, "other"), "--", "--fan-in", "all")
        self.assertNotIn("--fan-in live", self.calls()[-1], "the call says otherwise")

    def test_the_page_has_a_table_and_a_plot(self):
        page = os.path.join(self.folder.name, "page.md")
        with open(page, "w", encoding="utf-8") as file:
            file.write("before\n<!-- leaderboard -->\nold\n<!-- /leaderboard -->\nafter\n")
        done = self.call("--method", "dense,rigl", "--sparsity", "0.9,0.95", "--seed", "1,2", "--write", page)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.read(page)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n") and "old" not in text)
        self.assertIn("| rigl | 90.00 % | 95.00 % | 1,000 | 90.00 % (90.00, 90.00) | 99.50 % |  | 1, 2 | 2 | 150 | 2 |", text, "controls do not count")
        self.assertIn("| dense | 0.00 % | 50.00 % |", text)
        self.assertIn("| dense | 99.00 % |  |  |\n| rigl |  | 90.00 % | 89.50 % |", text)
        plot = xml.etree.ElementTree.parse(os.path.join(self.folder.name, "leaderboard-lenet300.svg"))
        self.assertIn("rigl", [e.text for e in plot.iter("{http://www.w3.org/2000/svg}text")])

    def test_runs_that_are_gone_stay_in_the_tables(self):
        page, runs = os.path.join(self.folder.name, "page.md"), os.path.join(self.folder.name, "runs")
        with open(page, "w", encoding="utf-8") as file:
            file.write("<!-- small -->\n<!-- /small -->\n")
        write = ["--method", "rigl", "--sparsity", "0.9", "--name", "small", "--write", page]
        self.call(*write, "--seed", "1", "--", "--epochs", "3")
        shutil.rmtree(runs)
        done = self.call(*write, "--seed", "2", "--", "--epochs", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| rigl | 90.00 % | 95.00 % | 1,000 | 90.00 % (90.00, 90.00) |", self.read(page))
        shutil.rmtree(runs)
        before = self.read(page)
        self.assertEqual(self.call("--only-write", "--name", "small", "--write", page).returncode, 0)
        self.assertEqual(self.read(page), before, "all of it from the file")
        refused = self.call(*write, "--seed", "3", "--", "--epochs", "4")
        self.assertIn("small.tsv is of other flags", refused.stderr)
        self.assertEqual((refused.returncode, self.read(page), len(self.calls())), (1, before, 2), "and nothing was trained")
        self.assertIn("small.tsv is of other flags", self.call(*write, "--seed", "3").stderr, "no flags are others too")
        self.assertFalse(os.path.exists(runs))
        missing = self.call("--only-write", "--name", "other", "--write", page)
        self.assertIn("has no complete run", missing.stderr)
        self.assertEqual((missing.returncode, self.read(page)), (1, before))

    def test_published_accuracies_stand_at_the_nearest_sparsity_with_their_sources(self):
        rows = [("lenet300", "rigl", "0.95", "0.981"), ("lenet300", "rigl", "0.96", "0.98"),
                ("lenet300", "rigl", "0.85", "0.985"), ("lenet300", "rigl", "0.7", "0.99"), ("conv6", "rigl", "0.95", "0.5"), ("lenet300", "set", "0.95", "0.6")]
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", dir=self.folder.name, encoding="utf-8", delete=False) as file:
            file.write("net\tmethod\tsparsity\ttop1\tsource\n" + "".join("\t".join([*row, f"source {row[2]}"]) + "\n" for row in rows))
        done = self.call("--method", "rigl", "--sparsity", "0.9,0.95", "--seed", "1", "--published", file.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| 89.50 % | 99.50 % | 98.1 % [1]; 98 % at 96 % [2] |", done.stdout)
        self.assertIn("| 90.00 % | 99.50 % | 98.5 % at 85 % [3] |", done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if "source " in line], ["1. source 0.95", "2. source 0.96", "3. source 0.85"])

    def test_the_published_accuracies_are_whole(self):
        with open(os.path.join(HERE, "..", "published.tsv"), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", strict=True))
        self.assertGreater(len(rows), 30)
        for row in rows:
            self.assertEqual(set(row), {"net", "method", "sparsity", "top1", "source"}, row)
            self.assertTrue(0 <= float(row["sparsity"]) < 1 and 0.5 < float(row["top1"]) < 1 and row["source"], row)
        self.assertEqual(len({(row["net"], row["method"], row["sparsity"], row["source"]) for row in rows}), len(rows), "each once")


if __name__ == "__main__":
    unittest.main()
