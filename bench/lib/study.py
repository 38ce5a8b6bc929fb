"""Long jobs that go on where they were stopped, and what their numbers mean.

A step is a file in the study's folder: it is written when the step is done,
and a step whose file is there is not done again. Trainings and searches resume
from their own checkpoints. With each stands what it was made of (options, the
configuration, the data, models): a step of the same name but of something else
is refused with the first difference.
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


def difference(before, now, place=""):
    """The first one of two JSON values, in words; None: they are the same."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in list(before) + [key for key in now if key not in before]:
            found = difference(before.get(key), now.get(key),
                               f"{place}.{key}" if place else str(key))
            if found:
                return found
        return None
    if before == now:
        return None
    return f"{place} is {json.dumps(before)} there and {json.dumps(now)} here"


class Study:
    def __init__(self, out, data, threads):
        self.out, self.data, self.threads = out, data, threads
        os.makedirs(out, exist_ok=True)

    def path(self, *names):
        path = os.path.join(self.out, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def inside(self, value):
        """A word of a command, the same wherever the study's folder lies."""
        word = str(value)
        within = word == self.out or word.startswith(self.out + os.sep)
        return "OUT" + word[len(self.out):] if within else word

    def save(self, path, value):
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(path + ".new", path)

    def refuse_other(self, path, before, now):
        """Ends the program where a step was made of something else."""
        found = difference(before, json.loads(json.dumps(now)))
        if found:
            raise SystemExit(f"{path}: made of something else: {found}; "
                             "another --out begins anew")

    def once(self, name, about, make):
        """What `make` gave when it was called first, kept as JSON; `about`
        says what it is made of."""
        path = self.path(name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            if isinstance(kept, dict) and kept.keys() == {"of", "made"}:
                self.refuse_other(path, kept["of"], about)
                return kept["made"]
            say(f"{path}: does not tell what it is made of; once more")
        made = make()
        self.save(path, {"of": about, "made": made})
        return made

    def claim(self, name, about, begun, done):
        """Whether a training or search is yet to be done, and is this one."""
        path = self.path(name + ".of.json")
        if not os.path.exists(path) and done:
            say(f"{path}: is missing: what is there is taken for this step")
        elif os.path.exists(path) and (begun or done):
            with open(path, encoding="utf-8") as file:
                self.refuse_other(path, json.load(file), about)
        else:
            self.save(path, about)
        return not done

    def call(self, *words, parse=False):
        command = [f"{common.BUILD}/switchyard"] + [str(word) for word in words]
        say("$ " + " ".join(command))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: status {done.returncode}")
        return json.loads(done.stdout) if parse else None

    def search(self, run, config, sets):
        """The paths.json of a search."""
        folder = self.path(run)
        found = os.path.join(folder, "paths.json")
        checkpoint = os.path.join(folder, "checkpoint.safetensors")
        if self.claim(run, self.about(config, sets),
                      os.path.exists(checkpoint), os.path.exists(found)):
            self.job("search", config, folder, sets, checkpoint)
        return found

    def train(self, model, config, sets, *more):
        """A model's folder; trained once."""
        folder = self.path("models", model)
        done = os.path.join(folder, "1", "model.json")
        checkpoint = os.path.join(folder, ".train", "checkpoint.safetensors")
        if self.claim(os.path.join("models", model),
                      self.about(config, sets, *more),
                      os.path.exists(checkpoint), os.path.exists(done)):
            self.job("train", config, folder, sets, checkpoint, *more)
        return folder

    def about(self, config, sets, *more):
        """What a training or search is made of."""
        with open(config, encoding="utf-8") as file:
            return {"config": json.load(file), "sets": sets,
                    "data": self.inside(self.data),
                    "words": " ".join(map(self.inside, more))}

    def job(self, what, config, out, sets, checkpoint, *more):
        words = [what, config, "--data", self.data, "--out", out]
        words += (["--threads", self.threads] if self.threads else [])
        words += list(more)
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

    def evaluated(self, name, model, *more):
        """The same, done once."""
        about = {"words": " ".join(map(self.inside, (model,) + more)),
                 "data": self.inside(self.data)}
        return self.once(name, about, lambda: self.evaluate(model, *more))


def by_name(evaluated):
    return {row["name"]: row for row in evaluated["domains"]}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sign_flip(differences):
    """One-sided p of the mean above 0: over all ways to flip signs (Fisher).
    The differences must be independent of each other."""
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
    """One-sided exact p that as many more are better by chance, of images that
    are each asked once."""
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
