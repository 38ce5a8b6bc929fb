"""bench/routes: what routes give on real data, from trained networks.

    five      configs/five-routes.json, for each seed: a search with three
              targets, one network of its fifteen paths, and on the same
              weights a cascade (of `e0` and `main`), an ensemble and a gate;
              each against its experts alone, on the test images
    root      ten domains on one path, and two root gates on the same weights
    rare      one class of a domain against the rest, 1 in 50: a cascade whose
              early stages may only reject (lib/routes_rare.py)
    overhead  bench_routing

A route is held against the cheapest single expert that costs at least as much
as it does, of e0, e1 and main, so never against a cheaper one; where it costs
more than all of them, against the dearest. What is tested by chance has the
domain as its unit (mean over seeds, signs flipped), and the images of one seed
(McNemar), of which the worst seed counts.

Every training is a step that is done once (lib/study.py). Times are taken
anew in each call, one image at a time on one thread, in rounds in which the
sides take turns: leave the machine alone then. The rows of --json have a goal
as `theirs`.

About 35 minutes of search and training for a seed of `five` on two cores, 20
for `root`, 5 for `rare`; --models FILE takes another network of the ten
domains ({"model": MODEL, "paths": FILE}).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import common
import routes_check
import routes_rare
from study import Study, by_name, mcnemar, mean, say, sign_flip

EXPERTS = ["e0", "e1", "main"]
FOREIGN = ["fonts", "quickdraw", "bloodcells"]
JPEG = 75
# Multiply-adds: cells^2 x 4 numbers x 16 channels x hidden + hidden x 11.
GATES = {"1 %": {"cells": 4, "hidden": 56}, "3 %": {"cells": 4, "hidden": 176}}
FREEZE = {"train_passes": 0.001, "train.distil": 0}
# One path of the space of configs/ten.json, that of its `compare`.
TEN_PATH = "0:1:0:1:3:3:0:0:3:3:0:0"


class Goals:
    """What was found, beside what was to be reached."""

    def __init__(self):
        self.rows = []

    def add(self, case, goal, found, limit, at_most, unit):
        met = found <= limit if at_most else found >= limit
        self.rows.append({"case": case, "peer": f"goal: {goal}", "unit": unit,
                          "ours": found, "theirs": limit,
                          "ratio": found / limit if limit else 0.0})
        print(f"{'met   ' if met else 'MISSED'}  {case}: {found:.4g} {unit} "
              f"({goal})")


def five_sets(args, seed):
    sets = {"seed": seed}
    if args.short:
        sets |= {"domains": ["mnist", "gtsrb"], "search_passes": 1,
                 "train_passes": 2, "train.routes.epsilon": 0.05}
    return sets


def train_five(study, args, seed):
    """The models of one seed: {kind: folder}."""
    config, sets = "configs/five-routes.json", five_sets(args, seed)
    paths = study.search(f"five-{seed}/search", config, sets)
    base = study.train(f"five-{seed}", config, sets, "--paths", paths)
    models = {"cascade": base}
    for kind, more in (("ensemble", {"train.routes.members": 3}),
                       ("gate", {"train.routes.gate.fit": "cheapest"})):
        again = sets | FREEZE | more | {"train.routes.kind": kind,
                                        "train.routes.experts": EXPERTS}
        models[kind] = study.train(f"five-{seed}-{kind}", config, again,
                                   "--paths", paths, "--start", base,
                                   "--freeze")
    return models


def score_five(study, models, seed):
    """Accuracies and MAdds: they do not change, so they are kept."""
    sides = {kind: [model] for kind, model in models.items()}
    sides |= {name: [models["cascade"], "--expert", name] for name in EXPERTS}
    about = {side: " ".join(map(study.inside, words))
             for side, words in sides.items()}
    about["data"] = study.inside(study.data)
    return study.once(f"five-{seed}/scores", about, lambda: {
        side: by_name(study.evaluate(*words, "--each"))
        for side, words in sides.items()})


def time_five(study, models, rounds):
    """Microseconds of an image, by side and domain: medians over rounds."""
    base = models["cascade"]
    sides = {"cascade": [base], "gate": [models["gate"]],
             "main": [base, "--expert", "main"]}
    us = {side: {} for side in sides}
    for _ in range(rounds):
        for side, words in sides.items():
            for name, row in by_name(study.evaluate(*words)).items():
                us[side].setdefault(name, []).append(row["us_mean"])
    return {side: {name: statistics.median(values)
                   for name, values in rows.items()}
            for side, rows in us.items()}


def opponent(scores, kind, name):
    """The single expert that a route is held against: the cheapest that costs
    at least as much as the route does, so that the comparison never favours the
    route; the dearest where the route costs more than any of them."""
    def cost_of(side):
        return scores[side][name]["madds_mean"]
    experts = sorted(EXPERTS, key=cost_of)
    for expert in experts:
        if cost_of(expert) >= cost_of(kind):
            return expert
    return experts[-1]


def ended_first(row):
    """The share of images that the first stage alone answered."""
    first = row["experts"][0]
    alone = len(row["experts"]) == 1
    return 0.0 if alone else first["answered"] / row["n"]


def made_worse(row, last):
    """The share that the last expert answers rightly and the route wrongly:
    what a cascade's promise is about."""
    return mean(theirs > ours
                for ours, theirs in zip(row["right"], last["right"]))


def print_kind(kind, seeds, us):
    print(f"\n{kind}, seed by seed")
    print(f"{'domain':<12}{'seed':>5}{'top-1':>8}{'main':>8}{'MAdds':>7}"
          f"{'time':>7}{'first':>8}{'single':>8}{'top-1':>8}{'MAdds':>7}")
    for seed, scores in seeds.items():
        for name, row in scores[kind].items():
            main = scores["main"][name]
            other = opponent(scores, kind, name)
            single = scores[other][name]
            ratio = us[seed][kind][name] / us[seed]["main"][name]
            print(f"{name:<12}{seed:>5}{row['top1']:>8.4f}{main['top1']:>8.4f}"
                  f"{row['madds_mean'] / main['madds_mean']:>7.3f}{ratio:>7.3f}"
                  f"{100 * ended_first(row):>7.1f}%{other:>8}"
                  f"{single['top1']:>8.4f}"
                  f"{single['madds_mean'] / row['madds_mean']:>7.3f}")


def against_single(seeds, kind):
    """What the route is ahead by: {domain: mean over the seeds}, and of each
    seed how many images it answers better and worse. Seeds share their domains
    and their test images, so what is independent are domains in the first and,
    within a seed, images in the second."""
    gains, images = {}, []
    for scores in seeds.values():
        better = worse = 0
        for name, row in scores[kind].items():
            single = scores[opponent(scores, kind, name)][name]
            gains.setdefault(name, []).append(row["top1"] - single["top1"])
            for ours, theirs in zip(row["right"], single["right"]):
                better += ours > theirs
                worse += ours < theirs
        images.append((better, worse))
    return {name: mean(values) for name, values in gains.items()}, images


def judge_single(goals, seeds, kind):
    """The route against single experts that cost no less."""
    gains, images = against_single(seeds, kind)
    goals.add(f"{kind}: above the cheapest single expert that costs no less",
              "above 0, mean", 100 * mean(gains.values()), 1e-9, False,
              "points")
    if len(gains) <= 18:
        goals.add(f"{kind}: that by chance, {len(gains)} domains, means over "
                  "seeds, signs flipped", "at most 0.05",
                  sign_flip(list(gains.values())), 0.05, True, "p")
    print("        images better and worse, by seed: "
          + ", ".join(f"{better} and {worse}" for better, worse in images))
    goals.add(f"{kind}: that by chance, images, McNemar, the worst of "
              f"{len(images)} seeds", "at most 0.05",
              max(mcnemar(*counts) for counts in images), 0.05, True, "p")


def judge_kind(goals, seeds, us, kind, epsilon):
    """The goals of a cascade or a gate."""
    every = [(seed, name) for seed in seeds for name in seeds[seed][kind]]

    def of(side, key):
        return mean(seeds[s][side][n][key] for s, n in every)
    goals.add(f"{kind}: below the largest expert", "at most 0.2 points, mean",
              100 * (of("main", "top1") - of(kind, "top1")), 0.2, True,
              "points")
    goals.add(f"{kind}: MAdds over the largest's", "at most 0.45",
              of(kind, "madds_mean") / of("main", "madds_mean"), 0.45, True,
              "ratio")
    goals.add(f"{kind}: time over the largest's, batch 1", "at most 0.55",
              mean(us[s][kind][n] for s, n in every) /
              mean(us[s]["main"][n] for s, n in every), 0.55, True, "ratio")
    judge_single(goals, seeds, kind)
    names = sorted({name for _, name in every})
    parted = sum(0.1 <= mean(ended_first(seeds[s][kind][name]) for s in seeds)
                 <= 0.9 for name in names)
    if kind == "cascade":
        goals.add(f"{kind}: domains of {len(names)} where 10 to 90 % end at "
                  "the first stage", "at least 3", parted, 3, False, "domains")
        lost = [made_worse(seeds[s][kind][n], seeds[s]["main"][n])
                for s, n in every]
        print("        made worse, by domain and seed: "
              + ", ".join(f"{share:.4f}" for share in lost))
        goals.add(f"cascade: promises (at most {epsilon} made worse, with "
                  "probability 0.9) that hold on test images", "at least 0.9",
                  mean(share <= epsilon for share in lost), 0.9, False,
                  "share")


def judge_ensemble(goals, seeds):
    def nll(side):
        return mean(row["nll"] for scores in seeds.values()
                    for row in scores[side].values())
    best = min(nll(expert) for expert in EXPERTS)
    goals.add("ensemble: mean NLL over its best member's", "below 1",
              nll("ensemble") / best, 1 - 1e-9, True, "ratio")
    members = [len(row["experts"]) for scores in seeds.values()
               for row in scores["ensemble"].values()]
    print(f"        members of {len(members)} ensembles: "
          f"{', '.join(str(m) for m in members)}")


def run_five(study, args, goals):
    seeds, us = {}, {}
    for seed in args.seeds:
        models = train_five(study, args, seed)
        seeds[seed] = score_five(study, models, seed)
        us[seed] = time_five(study, models, 1 if args.short else 5)
    epsilon = five_sets(args, 1).get("train.routes.epsilon", 0.01)
    for kind in ("cascade", "gate"):
        print_kind(kind, seeds, us)
        judge_kind(goals, seeds, us, kind, epsilon)
    judge_ensemble(goals, seeds)


def ten_model(study, args):
    """A network of the ten domains, and the options that name its paths."""
    if args.models:
        with open(args.models, encoding="utf-8") as file:
            given = json.load(file)
        return given["model"], ["--paths", given["paths"]], {}
    sets = {"paths": [TEN_PATH]}
    if args.short:
        sets |= {"domains": ["mnist", "gtsrb", "eurosat"], "train_passes": 1}
    return study.train("ten", "configs/ten.json", sets), [], sets


def root_gate(study, base, paths, sets, size):
    name = "ten-root-" + size.split()[0]
    again = sets | {"train_passes": 0.001, "train.root": GATES[size]}
    return study.train(name, "configs/ten.json", again, *paths, "--start",
                       base, "--freeze")


def judge_root(goals, size, plain, again):
    root = plain["root"]
    madds = mean(row["madds_mean"] for row in plain["domains"])
    known = [row for row in root["rows"] if row["known"]]
    foreign = [row for row in root["rows"] if not row["known"]]
    print(f"\nroot gate of {root['madds']} MAdds: taken for (rows: what they "
          "are)")
    for row in root["rows"]:
        taken = {name: count for name, count
                 in zip(root["domains"], row["taken_for"])
                 if count and name != row["name"]}
        print(f"  {row['name']:<14}{row['n']:>6}  top-1 {row['top1']:.4f}  "
              f"abstained {row['abstained']}  others {taken}")
    share = float(size.split()[0]) / 100
    goals.add(f"root gate {size}: MAdds over a path's", f"at most {share}",
              root["madds"] / madds, share, True, "ratio")
    goals.add(f"root gate {size}: balanced accuracy",
              "at least " + ("97 %" if share < 0.02 else "99 %"),
              100 * root["balanced_accuracy"], 97 if share < 0.02 else 99,
              False, "%")
    print(f"        after one JPEG of quality {JPEG} for all: "
          f"{100 * again['root']['balanced_accuracy']:.2f} %")
    print("        end to end without the domain: top-1 "
          f"{mean(row['top1'] for row in known):.4f}, with it "
          f"{mean(row['top1'] for row in plain['domains']):.4f}")
    print("        abstained on known domains: " + format(
        100 * mean(row["abstained"] / row["n"] for row in known), ".2f") + " %")
    for row in foreign:
        goals.add(f"root gate {size}: abstains on {row['name']}",
                  "at least 70 %", 100 * row["abstained"] / row["n"], 70,
                  False, "%")


def run_root(study, args, goals):
    base, paths, sets = ten_model(study, args)
    foreign = [word for name in FOREIGN for word in ("--foreign", name)]
    for size in GATES:
        model = root_gate(study, base, paths, sets, size)
        name = os.path.basename(model)
        plain = study.evaluated(name, model, *foreign)
        again = study.evaluated(name + "-jpeg", model, "--reencode-jpeg",
                                str(JPEG))
        judge_root(goals, size, plain, again)


def run_overhead(_study, args, goals):
    command = [f"{common.BUILD}/bench/bench_routing", "--json", "--rounds",
               "50" if args.short else "800"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    print("\nbench_routing")
    for row in json.loads(done.stdout)["rows"]:
        goals.add(f"{row['case']}: time over the same experts named",
                  "at most 1.05", row["ratio"], 1.05, True, "ratio")
        if row["case"] == "cascade that ends at its first stage, batch 1":
            goals.add(f"{row['case']}: more than its first stage",
                      "below 20 us", row["ours"] - row["theirs"], 20, True,
                      "us")


PARTS = {"five": run_five, "root": run_root, "rare": routes_rare.run,
         "overhead": run_overhead}


def main():
    parser = argparse.ArgumentParser(
        prog="bench/routes", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true",
                        help="few domains and passes: shows that all of it "
                        "works, the numbers mean nothing")
    parser.add_argument("--check", action="store_true",
                        help="statistics and verdicts on made-up numbers")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seeds", default="")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--out", default="")
    parser.add_argument("--models", default="")
    parser.add_argument("--threads", type=int, default=0,
                        help="of a training; 0: as many as there are")
    args = parser.parse_args()
    if args.check:
        routes_check.check(sys.modules[__name__])
        return
    args.seeds = [int(seed) for seed in
                  (args.seeds or ("1" if args.short else "1,2,3")).split(",")]
    out = args.out or ("runs/routes-short" if args.short else "runs/routes")
    study, goals = Study(out, args.data, args.threads), Goals()
    sys.stdout.reconfigure(line_buffering=True)
    stdout = sys.stdout
    if args.json:
        sys.stdout = sys.stderr
    for part in args.only.split(","):
        say(f"== {part}")
        PARTS[part](study, args, goals)
    sys.stdout = stdout
    if args.json:
        print(json.dumps({"machine": common.machine(), "rows": goals.rows}))


if __name__ == "__main__":
    main()
