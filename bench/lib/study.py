"""Long jobs that go on where they were stopped, and what their numbers mean.

A step is a file in the study's folder: it is written when the step is done,
and a step whose file is there is not done again. Trainings and searches resume
from their own checkpoints.
"""
import itertools
import json
import math
import os
import subprocess
import sys

import common

MARK = "result.json"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Study:
    def __init__(self, out, data, threads):
        self.out, self.data, self.threads = out, data, threads
        os.makedirs(out, exist_ok=True)

    def path(self, *names):
        path = os.path.join(self.out, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def once(self, name, make):
        """What `make` gave when it was called first, kept as JSON."""
        path = self.path(name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        made = make()
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(made, file)
        os.replace(path + ".new", path)
        return made

    def call(self, *words, parse=False):
        command = [f"{common.BUILD}/switchyard"] + [str(word) for word in words]
        say("$ " + " ".join(command))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: status {done.returncode}")
        return json.loads(done.stdout) if parse else None

    def search(self, run, config, sets):
        """The paths.json of a search."""
        run = self.path(run)
        found = os.path.join(run, "paths.json")
        if not os.path.exists(found):
            self.job("search", config, run, sets,
                     os.path.join(run, "checkpoint.safetensors"))
        return found

    def train(self, model, config, sets, *more):
        """A model's folder; trained once."""
        model = self.path("models", model)
        if not os.path.exists(os.path.join(model, "1", "model.json")):
            self.job("train", config, model, sets,
                     os.path.join(model, ".train", "checkpoint.safetensors"),
                     *more)
        return model

    def job(self, what, config, out, sets, checkpoint, *more):
        words = [what, config, "--data", self.data, "--out", out]
        words += ["--threads", self.threads] + list(more)
        for key, value in sets.items():
            words += ["--set", f"{key}={json.dumps(value)}"]
        if os.path.exists(checkpoint):
            words.append("--resume")
        self.call(*words)

    def evaluate(self, model, *more):
        """Accuracy, calibration, MAdds, and time of one image alone."""
        words = ["eval", model, "--json", "--threads", 1, "--batch", 1]
        if "--data" not in more:
            words += ["--data", self.data]
        return self.call(*words, *more, parse=True)


def by_name(evaluated):
    return {row["name"]: row for row in evaluated["domains"]}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sign_flip(differences):
    """One-sided p of the mean above 0: over all ways to flip signs (Fisher)."""
    found = sum(differences)
    size = len(differences)
    if size > 18:
        raise ValueError("too many pairs for all flips")
    as_large = sum(
        sum(s * d for s, d in zip(signs, differences)) >= found - 1e-12
        for signs in itertools.product((1, -1), repeat=size))
    return as_large / 2 ** size


def binomial_tail(n, k, p):
    """P(Bin(n, p) >= k)."""
    if k <= 0:
        return 1.0
    terms = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
             + i * math.log(p) + (n - i) * math.log1p(-p)
             for i in range(k, n + 1)]
    top = max(terms)
    return min(1.0, math.exp(top) * sum(math.exp(t - top) for t in terms))


def mcnemar(better, worse):
    """One-sided exact p that as many more are better by chance."""
    return binomial_tail(better + worse, better, 0.5)


def interval(hits, n, delta=0.05):
    """Clopper and Pearson's interval of a share, by bisection."""
    def solve(rises):
        low, high = 1e-12, 1 - 1e-12
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (low, middle) if rises(middle) else (middle, high)
        return (low + high) / 2
    low = 0.0 if hits == 0 else solve(
        lambda p: binomial_tail(n, hits, p) > delta / 2)
    high = 1.0 if hits == n else solve(
        lambda p: 1 - binomial_tail(n, hits + 1, p) < delta / 2)
    return low, high
