#!/usr/bin/env python3
"""Trains every method at several sparsities, each in a run folder of its own, and writes a table and a plot of accuracy over sparsity for each network.

    eng/leaderboard.sh [--net NAME,...] [--method NAME,...] [--sparsity S,...] [--seed N,...] [--recipes DIR] [--runs DIR] [--write PAGE.md] [--name NAME] [-- FLAGS OF asni]

A run that is complete is not trained again, one that was stopped is resumed: the same call goes on where the last one ended, and a call with other methods,
sparsities, networks or seeds adds to what is there. The flags after -- (data, epochs, threads, ...) belong to the folder of runs: other flags need another folder.
--recipes names a folder of recipes NET-METHOD.yaml, such as recipes/mnist: each method trains by its own, and those without one are left out.
--write puts the tables between the page's <!-- NAME --> and <!-- /NAME -->, the plots beside it as NAME-NET.svg, and the numbers of every run into NAME.tsv there. What that file has of runs that are no longer in the folder
stays in the tables. NAME is leaderboard, with recipes leaderboard-recipes, or what --name says. Without --write the tables are printed. --published names the file of accuracies that others have published (default: published.tsv beside this file). Exit code 0: every run that was asked for is complete.
"""
import argparse
import csv
import io
import json
import math
import os
import re
import shlex
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench", "peers"))
import chart
from gpu_validate import read, replace, table

# What is known of a run, beside what it trained.
NUMBERS = ("sparsity", "effective_sparsity", "live_macs", "top1", "best", "epochs", "images_per_second", "all_seconds", "test_images")
# Start from a network that is given to them.
NEED_A_START = ("ispasp", "retrain", "sglp", "structured")
# Have a sparsity of their own, and need convolutions.
BY_RULE = ("ssc",)
# What a method cannot do without, or whose defaults are for SGD: flags that come after those of the call.
SGD = ("--optimizer", "sgd", "--lr", "0.1")
FLAGS_OF = {"str": ("--optimizer", "momentum", "--lr", "0.01"), "iht": SGD, "proximal": SGD, "lobster": SGD, "admm": SGD}
# Without batch-norm, a deep network that starts sparse must be drawn for its live inputs, or its logits and gradients vanish.
WITHOUT_NORM = ("conv6",)
START_SPARSE = ("set", "rigl", "itop", "snfs", "granet")
# Have no sparsity to choose.
WITHOUT_SPARSITY = ("dense", "srste", *BY_RULE)
CONTROLS = ("ticket", "reinit", "shuffle", "invert", "initialsigns", "randomsigns", "layermagnitude", "networkmagnitude", "scratch")


def methods_of(asni):
    """The names in the table that `asni methods` prints."""
    text = subprocess.run([*asni, "methods"], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^\|\s*([a-z]\w*)\s*\|", text, flags=re.M)
    return [name for name in names if name not in ("method", *NEED_A_START, *BY_RULE)]


def is_complete(folder):
    text = read(os.path.join(folder, "summary.json"))
    try:
        return json.loads(text).get("complete") is True
    except ValueError:
        return False


def flags_for(net, method, flags):
    """The call's flags, and where the call says nothing of them the method's own optimizer and rate, and what it needs on this network."""
    rate = () if {"--optimizer", "--lr"} & set(flags) else FLAGS_OF.get(method, ())
    start = ("--fan-in", "live") if net in WITHOUT_NORM and method in START_SPARSE and "--fan-in" not in flags else ()
    return [*flags, *rate, *start]


def run(command, log):
    """Runs it to its end; Ctrl-C reaches it too, and it saves what it has reached before this goes on."""
    with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def recipe_for(recipes, net, method):
    return os.path.join(recipes, f"{net}-{method}.yaml")


def train(asni, folder, what, seed, sparsity, flags):
    """Whether the run is complete afterwards.

    what: the arguments that say what is trained.
    """
    if is_complete(folder):
        return True
    # Without networks or checkpoints nothing was reached; asni says so if there is something that it cannot continue.
    started = os.path.isdir(os.path.join(folder, "checkpoints"))
    command = [*asni, "--resume", folder] if started else [
        *asni, *what, "--seed", seed, *(["--sparsity", sparsity] if sparsity else []), *flags, "--out", folder]
    print(shlex.join(command), flush=True)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".log", "a", encoding="utf-8") as log:
        run(command, log)
    return is_complete(folder)


def result_of(folder):
    """The numbers of the network that the run delivered, of its last phase that is no control, and what its phases up to there took."""
    summary = json.loads(read(os.path.join(folder, "summary.json")))
    phases = {name: p for name, p in summary.items() if isinstance(p, dict) and "kept" in p and name not in CONTROLS}
    epochs = [e for e in map(json.loads, read(os.path.join(folder, "metrics.jsonl")).splitlines()) if e["phase"] in phases]
    name, last = list(phases.items())[-1]
    # Of the epochs that have no more weights than what was delivered.
    best = max((e["test_top1"] for e in epochs if e["phase"] == name and e["kept"] <= last["kept"]), default=last["top1"])
    return {**last, "best": best, "weights": summary["weights"], "data": summary["data"], "test_images": summary["test_images"],
            "all_seconds": sum(p["seconds"] for p in phases.values()), "epochs": len(epochs),
            # Over all of them, each with as many images.
            "images_per_second": len(epochs) / sum(1 / e["images_per_second"] for e in epochs)}


def results_in(runs):
    """{network: {method: {sparsity asked for, 0 for none: {seed: result}}}} of all complete runs in the folder."""
    found = {}
    for net in sorted(os.listdir(runs)) if os.path.isdir(runs) else []:
        for name in sorted(os.listdir(os.path.join(runs, net))) if os.path.isdir(os.path.join(runs, net)) else []:
            parts = re.fullmatch(r"(\w+)-(?:([\d.e-]+)-)?seed(\d+)", name)
            folder = os.path.join(runs, net, name)
            if parts and is_complete(folder):
                add(found, net, parts[1], float(parts[2] or 0), int(parts[3]), result_of(folder))
    return found


def add(found, net, method, asked, seed, result):
    found.setdefault(net, {}).setdefault(method, {}).setdefault(asked, {})[seed] = result


def load_rows(path):
    """What save_rows wrote, a dictionary a row; nothing where there is no file."""
    with open(path, encoding="utf-8", newline="") if os.path.exists(path) else io.StringIO() as file:
        return list(csv.DictReader(file, delimiter="\t", strict=True))


def save_rows(path, rows):
    """Tab-separated; the first row has the columns' names."""
    replace(path, "".join("\t".join(map(str, row)) + "\n" for row in rows).encode())


def load_table(path):
    """The settings and the results that save_table wrote; None and nothing where there is no file."""
    settings, found = None, {}
    for row in load_rows(path):
        settings = {"flags": shlex.split(row["flags"]), "recipes": row["recipes"] or None}
        add(found, row["net"], row["method"], float(row["asked"]), int(row["seed"]), {"data": row["data"], **{key: float(row[key]) for key in NUMBERS}})
    return settings, found


def save_table(path, results, settings):
    """A row a run: asked is the sparsity that was asked for, 0 for none; sparsities, top1 and best are fractions, of the test set's images."""
    rows = [["net", "method", "asked", "seed", *NUMBERS, "data", "recipes", "flags"]]
    for net, methods in results.items():
        for method in sorted(methods):
            for asked in sorted(methods[method]):
                for seed, run in sorted(methods[method][asked].items()):
                    rows.append([net, method, f"{asked!r}", seed, *(f"{run[key]:.10g}" for key in NUMBERS), run["data"], settings["recipes"] or "", shlex.join(settings["flags"])])
    save_rows(path, rows)


def merge(before, results):
    """Adds the results to those of before."""
    for net, methods in results.items():
        for method, by_sparsity in methods.items():
            for asked, seeds in by_sparsity.items():
                for seed, result in seeds.items():
                    add(before, net, method, asked, seed, result)
    return {net: before[net] for net in sorted(before)}


def percent(fraction):
    return f"{100 * fraction:.2f} %"


def mean(results, key):
    return statistics.mean(r[key] for r in results.values())


def accuracy_of(seeds):
    """The mean, and each seed's where there are more."""
    each = [percent(seeds[s]["top1"])[:-2] for s in sorted(seeds)]
    return percent(mean(seeds, "top1")) + (f" ({', '.join(each)})" if len(each) > 1 else "")


def overview_of(methods):
    """A row a method with its mean accuracy at each sparsity: those without a sparsity first, then the best at the second sparsity."""
    sparsities = sorted({s for by_sparsity in methods.values() for s in by_sparsity})
    asked = [s for s in sparsities if s]
    order = asked[1:2] + asked
    yield ["method", *(f">{100 * s:.4g} %" for s in sparsities)]
    for method in sorted(methods, key=lambda m: [0 not in methods[m], *(-mean(methods[m][s], "top1") if s in methods[m] else 1 for s in order), m]):
        yield [method, *(percent(mean(methods[method][s], "top1")) if s in methods[method] else "" for s in sparsities)]


def rows_at(methods, sparsity, published):
    """A row a method, the most accurate first."""
    found = {method: by_sparsity[sparsity] for method, by_sparsity in methods.items() if sparsity in by_sparsity}
    for method, seeds in sorted(found.items(), key=lambda item: (-mean(item[1], "top1"), item[0])):
        yield [method, percent(mean(seeds, "sparsity")), percent(mean(seeds, "effective_sparsity")), f"{mean(seeds, 'live_macs'):,.0f}", accuracy_of(seeds),
               percent(mean(seeds, "best")), published.get((method, sparsity), ""), ", ".join(map(str, sorted(seeds))), f"{mean(seeds, 'epochs'):.0f}",
               f"{mean(seeds, 'images_per_second'):,.0f}", f"{mean(seeds, 'all_seconds'):.0f}"]


def published_for(net, methods, published, sources):
    """{(method, sparsity asked for): text}: each published accuracy at the asked sparsity with the nearest share of kept weights, if that is within a factor
    of 2, with its number in sources, to which it adds."""
    found = {}
    with open(published, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            asked = methods.get(row["method"], {})
            if row["net"] != net or not asked:
                continue
            sparsity = float(row["sparsity"])
            nearest = min(asked, key=lambda s: abs(math.log((1 - s) / (1 - sparsity))))
            if abs(math.log((1 - nearest) / (1 - sparsity))) > math.log(2):
                continue
            if row["source"] not in sources:
                sources.append(row["source"])
            where = "" if math.isclose(sparsity, nearest) else f" at {100 * sparsity:.4g} %"
            found.setdefault((row["method"], nearest), []).append(f"{100 * float(row['top1']):.4g} %{where} [{sources.index(row['source']) + 1}]")
    return {key: "; ".join(texts) for key, texts in found.items()}


def lines_of(methods):
    """The curves of the plot: {method: [(density, accuracy in %), ...]}."""
    return {method: sorted((1 - mean(seeds, "sparsity"), 100 * mean(seeds, "top1")) for seeds in by_sparsity.values()) for method, by_sparsity in methods.items()}


def title_of(net, methods):
    some = next(iter(next(iter(next(iter(methods.values())).values())).values()))
    return f"{net} on {some['data']}, {some['test_images']:,.0f} test images"


def methods_by_own_flags(results, flags):
    """{what methods had beside the call's flags: which methods, with the network where others did without}."""
    found = {}
    for net, methods in results.items():
        for method in sorted(methods):
            rate, all_ = (shlex.join(flags_for(n, method, flags)[len(flags):]) for n in (None, net))
            if all_:
                found.setdefault(all_, {})[f"`{method}`" if all_ == rate else f"`{method}` on {net}"] = None
    return {own: ", ".join(names) for own, names in found.items()}


def markdown(results, settings, plots, published):
    flags, recipes = settings["flags"], settings["recipes"]
    lines = [f"Each method by its recipe in `{recipes}`."] if recipes else []
    lines += [f"Flags beside {'recipe' if recipes else 'method'}, sparsity and seed: `{shlex.join(flags)}`."] if flags else []
    own = {} if recipes else methods_by_own_flags(results, flags)
    lines += ["", f"Of their own: {'; '.join(f'`{words}` for {names}' for words, names in own.items())}."] if own else []
    sources = []
    for net, methods in results.items():
        beside = published_for(net, methods, published, sources)
        overview = list(overview_of(methods))
        lines += ["", f"**{title_of(net, methods)}**: mean top-1 by sparsity", "", *table(overview[0], overview[1:])]
        lines += ["", f"![Accuracy of {net} over sparsity]({plots[net]})"] if net in plots else []
        head = ["method", ">sparsity", ">effective", ">MACs", ">top-1", ">best epoch", "published", ">seeds", ">epochs", ">images/s", ">seconds"]
        for sparsity in sorted({s for by_sparsity in methods.values() for s in by_sparsity}):
            lines += ["", f"{net}, {100 * sparsity:.4g} % sparsity:" if sparsity else f"{net}, all weights:", "", *table(head, rows_at(methods, sparsity, beside))]
    lines += ["", "Published accuracies are of other networks' training, on the whole test set:", "", *(f"{i}. {source}" for i, source in enumerate(sources, 1))] if sources else []
    return "\n".join(lines).strip() + "\n"


def table_beside(page, name):
    return os.path.join(os.path.dirname(page), name + ".tsv")


def write_page(page, name, results, settings, published):
    """Tables, plots and the file of runs."""
    plots = {net: f"{name}-{net}.svg" for net in results}
    text, count = re.subn(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: m[1] + markdown(results, settings, plots, published) + m[2], read(page), flags=re.S)
    if count != 1:
        sys.exit(f"leaderboard.py: {page} needs one line <!-- {name} --> with a line <!-- /{name} --> after it.")
    save_table(table_beside(page, name), results, settings)
    for net, methods in results.items():
        plot = chart.draw_accuracy(f"Top-1 accuracy of {title_of(net, methods)}", lines_of(methods))
        replace(os.path.join(os.path.dirname(page), plots[net]), plot.encode())
    replace(page, text.encode())


def keep_settings(runs, flags, recipes, keep):
    """The flags and recipes that all runs of a folder share; those of the call must be these. They are kept with the first call that trains."""
    path, given = os.path.join(runs, "settings.json"), {"flags": flags, "recipes": recipes}
    if os.path.exists(path):
        before = json.loads(read(path))
        for what, was, now in ("flags", shlex.join(before["flags"]), shlex.join(flags)), ("recipes", before["recipes"], recipes):
            if now and was != now:
                sys.exit(f"leaderboard.py: the runs in {runs} have the {what} '{was or ''}'; give another folder for '{now}'.")
        return before
    if keep:
        os.makedirs(runs, exist_ok=True)
        replace(path, json.dumps(given).encode())
    return given


def train_all(asni, runs, options, settings):
    """The folders of the runs that are not complete afterwards."""
    failed = []
    # Seed by seed, so that a call that is stopped has every method.
    for seed, net in ((s, n) for s in options.seed.split(",") for n in options.net.split(",")):
        for method in options.method.split(",") if options.method else methods_of(asni):
            recipe = settings["recipes"] and recipe_for(settings["recipes"], net, method)
            if recipe and not os.path.exists(recipe):
                continue
            # At the sparsity that is asked for, also where the recipe learns one.
            learned = ["--finish", "exact"] if recipe and re.search(r"^finish:\s*learned", read(recipe), flags=re.M) else []
            what = ["--recipe", recipe, *learned] if recipe else ["--net", net, "--method", method]
            own_flags = settings["flags"] if recipe else flags_for(net, method, settings["flags"])
            for sparsity in [None] if method in WITHOUT_SPARSITY else options.sparsity.split(","):
                folder = os.path.join(runs, net, "-".join(filter(None, [method, sparsity, f"seed{seed}"])))
                if not train(asni, folder, what, seed, sparsity, own_flags):
                    failed.append(folder)
    return failed


def parse(parser):
    """The script's own options, and after -- the flags of asni."""
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    return parser.parse_args(sys.argv[1:at]), sys.argv[at + 1:]


def end(failed):
    """Tells of the runs that are not complete, and exits."""
    for folder in failed:
        print(f"not complete: {folder} (see {folder}.log)", file=sys.stderr)
    sys.exit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asni", default="asni", help="the command that runs asni")
    parser.add_argument("--net", default="lenet300", help="networks, with commas between them")
    parser.add_argument("--method", help="methods (default: all that start from a new network)")
    parser.add_argument("--sparsity", default="0.9,0.95,0.98,0.99")
    parser.add_argument("--seed", default="1,2,3")
    parser.add_argument("--recipes", help="a folder of recipes NET-METHOD.yaml: those methods, each by its own")
    parser.add_argument("--runs", default="runs/leaderboard", help="folder of the run folders")
    parser.add_argument("--write", help="page to put the tables into (default: print them)")
    parser.add_argument("--name", help="of the tables in the page (default: leaderboard, or leaderboard-recipes)")
    parser.add_argument("--published", default=os.path.join(HERE, "published.tsv"), help="tab-separated: net, method, sparsity, top1 (fractions), source")
    parser.add_argument("--only-write", action="store_true", help="train nothing")
    options, flags = parse(parser)
    asni, runs = shlex.split(options.asni), os.path.abspath(options.runs)
    settings = keep_settings(runs, flags, options.recipes, keep=False)
    name = options.name or ("leaderboard-recipes" if settings["recipes"] else "leaderboard")
    before, known = load_table(table_beside(options.write, name)) if options.write else (None, {})
    # Said before anything is trained.
    if before and before != settings and (flags or os.path.exists(runs) or not options.only_write):
        sys.exit(f"leaderboard.py: {table_beside(options.write, name)} is of other flags or recipes; give another --name.")
    if not options.only_write:
        keep_settings(runs, flags, options.recipes, keep=True)
    failed = [] if options.only_write else train_all(asni, runs, options, settings)
    results = merge(known, results_in(runs))
    if not results:
        sys.exit(f"leaderboard.py: {runs} has no complete run.")
    if options.write:
        write_page(options.write, name, results, before or settings, options.published)
    else:
        print(markdown(results, settings, {}, options.published))
    end(failed)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("leaderboard.py: stopped; the same call goes on from here.")
