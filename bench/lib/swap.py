"""bench/swap: what clients notice of swapped packs, which is to be nothing.

32 clients (`switchyard load`) over the ten domains of a network with random
weights, in a closed loop or, with --share, in an open one at that share of
what the closed loop reached, in windows of equal length that take turns: one
with swaps one after another, one without.
Swaps are of two kinds: a pack that is staged is promoted and rolled back in
turn (--swaps of them, one every --pause milliseconds), or packs are staged and
promoted in turn (--stages of them, which costs the processor time that
checking a pack takes).
The two packs set all ten domains and answer otherwise on everything, so an
answer can only be of the snapshot that it names.

    failed      of all requests: refused, another status, other bits than the
                snapshot had before, or the same bits from two snapshots
    p99         median over the pairs of windows, with swaps over without
    publish     the exchange of what is served, the slowest of all swaps
    memory      resident after all swaps over resident after the first eight,
                each with some load, by when every buffer has been used
    shadow      one domain at 100 %: blocks and multiply-adds run more, against
                those of the candidate's whole route, and p99 of the other
                domains, in windows that take turns with staged ones

    --check swaps a few times and looks at answers: no clock is looked at.
"""
import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import common

CLIENTS = 32
DOMAINS = 10
NET = "net"


class Swapper:
    """Stages and promotes the packs in turn, on one connection: what asking
    costs is taken from the server on the same cores."""

    def __init__(self, url, packs):
        self.path = f"/v1/networks/{NET}/packs"
        self.connection = http.client.HTTPConnection(url.split("//")[1],
                                                     timeout=120)
        self.packs = []
        for path in packs:
            with open(path, "rb") as file:
                self.packs.append(file.read())
        self.count = 0
        self.stage_us = []
        self.held, self.promoted, self.pause_s = None, False, 0.0
        self.stop, self.failure = threading.Event(), None

    def ask(self, rest, body):
        self.connection.request("POST", self.path + rest, body)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{rest}: {reply.status}: {text.decode()}")
        return json.loads(text)

    def swap(self):
        staged = self.ask("", self.packs[self.count % len(self.packs)])
        done = self.ask(f"/{staged['id']}/promote", b"")
        assert done["phase"] == "promoted", done
        self.stage_us.append(staged["stage_us"])
        self.count += 1

    def hold(self):
        """Stages the next pack, which flip then promotes and rolls back."""
        self.held = self.ask("", self.packs[self.count % len(self.packs)])
        self.promoted = False

    def flip(self):
        act = "rollback" if self.promoted else "promote"
        done = self.ask(f"/{self.held['id']}/{act}", b"")
        assert done["phase"] in ("promoted", "rolled_back"), done
        self.promoted = not self.promoted
        self.count += 1
        time.sleep(self.pause_s)

    def run(self, step):
        try:
            while not self.stop.is_set():
                step()
        except Exception as failure:  # raised again by `during`
            self.failure = failure

    def during(self, work, step):
        """What `work` returns, with swaps meanwhile."""
        self.stop.clear()
        thread = threading.Thread(target=self.run, args=(step,))
        thread.start()
        try:
            return work()
        finally:
            self.stop.set()
            thread.join()
            if self.failure is not None:
                raise self.failure


def metrics(url):
    """The page as {name with labels: value}."""
    text = urllib.request.urlopen(f"{url}/metrics", timeout=20).read().decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines()
             if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def load(url, seconds, seed, rate=0.0):
    command = [f"{common.BUILD}/switchyard", "load", url, "--clients",
               str(CLIENTS), "--seconds", str(seconds), "--warmup", "0.3",
               "--inputs", "16", "--seed", str(seed), "--timeout", "60",
               "--json"]
    if rate > 0.0:
        command += ["--rate", f"{rate:.1f}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def make(folder, config):
    """A repository with the network, two packs over all its domains, and one
    over the first."""
    tools = f"{common.BUILD}/tests"
    with open(config, encoding="utf-8") as file:
        network = json.load(file)["network"]
    with open(f"{folder}/spec.json", "w", encoding="utf-8") as file:
        json.dump(network, file)
    model = f"{folder}/models/{NET}"
    subprocess.run([f"{tools}/make_model", model, "1", f"{folder}/spec.json",
                    str(DOMAINS)], check=True, stdout=subprocess.DEVNULL)
    every = [f"d{d}" for d in range(DOMAINS)]
    packs = []
    for seed, domains in ((1, every), (2, every), (3, ["d0"])):
        packs.append(f"{folder}/{seed}.pack")
        subprocess.run([f"{tools}/make_pack", model, packs[-1], str(seed),
                        "0.5"] + domains, check=True,
                       stdout=subprocess.DEVNULL)
    return packs


def serve(folder):
    server = subprocess.Popen(
        [f"{common.BUILD}/switchyard", "serve", f"{folder}/models", "--port",
         "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = server.stdout.readline().strip().split()[-1]
    for _ in range(400):
        try:
            urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5).read()
            return server, url
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not become ready")


def count_failed(answer):
    return answer["failures"] + answer["refused"] + answer["alike"]


def measure(url, swapper, step, swaps, window, rate):
    """Pairs of windows until that many swaps: (p99 with, without)..., failed
    and all requests."""
    pairs, failed, done = [], 0, 0
    start = swapper.count
    while swapper.count - start < swaps:
        seed = len(pairs)
        both = {}
        for with_swaps in ((True, False) if seed % 2 else (False, True)):
            def work():
                return load(url, window, seed, rate)
            answer = swapper.during(work, step) if with_swaps else work()
            both[with_swaps] = answer["latency_us"]["p99"]
            failed += count_failed(answer)
            done += answer["done"]
        pairs.append((both[True], both[False]))
        common.say(f"p99 {both[True]:.0f} us with swaps, {both[False]:.0f} "
                   f"without; {swapper.count - start} swaps")
    return pairs, failed, done


def row(case, peer, unit, ours, theirs, ratio=None):
    ratio = ours / theirs if ratio is None else ratio
    return {"case": case, "peer": peer, "unit": unit, "ours": ours,
            "theirs": theirs, "ratio": ratio, "ours_p95": ours,
            "theirs_p95": theirs}


def others_p99(answer):
    """p99 of the domains that are not on trial, the median of them."""
    return statistics.median(d["latency_us"]["p99"] for d in answer["domains"]
                             if d["name"] != "d0")


def measure_shadow(url, swapper, pack, pairs, window, rate):
    """Rows of a candidate for d0 that runs beside what is served."""
    with open(pack, "rb") as file:
        ident = swapper.ask("", file.read())["id"]
    times, failed = [], 0
    never = json.dumps({"percent": 100, "rules": {"rollback": False}}).encode()
    for seed in range(pairs):
        both = {}
        for shadow in ((True, False) if seed % 2 else (False, True)):
            percent = never if shadow else b'{"percent": 0}'
            swapper.ask(f"/{ident}/shadow", percent)
            answer = load(url, window, 1000 + seed, rate)
            both[shadow] = others_p99(answer)
            failed += count_failed(answer)
        times.append((both[True], both[False]))
    swap = swapper.ask(f"/{ident}/rollback", b"")
    trial = swap["domains"][0]["trial"]
    extra, whole = trial["madds"]["extra"], trial["madds"]["next"]
    common.say(f"shadow: {trial['pairs']} pairs, {trial['extra_blocks']} "
               f"blocks more, {failed} failed")
    ratio = statistics.median(a / b for a, b in times)
    return [
        row(f"multiply-adds of {trial['pairs']} pairs",
            "the candidate's whole route", "MAdds", extra, whole),
        row("p99 of other domains, one in shadow", "none in shadow", "us",
            statistics.median(a for a, _ in times),
            statistics.median(b for _, b in times), ratio),
    ]


def p99_row(kind, pairs):
    return row(f"p99, {kind}", "the same load without", "us",
               statistics.median(pair[0] for pair in pairs),
               statistics.median(pair[1] for pair in pairs),
               statistics.median(pair[0] / pair[1] for pair in pairs))


def rows_of(url, failed, done, before, swapper):
    after = metrics(url)
    publish = after["switchyard_swap_publish_max_seconds"] * 1e6
    rss = "process_resident_memory_bytes"
    count = swapper.count
    stage = statistics.median(swapper.stage_us)
    slow = common.p95(swapper.stage_us)
    return [
        row(f"failed of {done} requests, {count} swaps", "none", "requests",
            failed, 0, failed),
        row("slowest publish step", "the goal", "us", publish, 100.0),
        row(f"memory after {count} swaps", "after eight", "MiB",
            after[rss] / 2**20, before[rss] / 2**20),
        row("staging, median", "its 95th percentile", "us", stage, slow),
    ]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", nargs="?", default="bench/nets/ten_1M.json")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--stages", type=int, default=20)
    parser.add_argument("--pause", type=float, default=100.0,
                        help="milliseconds from one promotion or rollback to "
                        "the next")
    parser.add_argument("--window", type=float, default=4.0)
    parser.add_argument("--share", type=float, default=0.0)
    parser.add_argument("--shadows", type=int, default=3,
                        help="pairs of windows for the shadow")
    options = parser.parse_args()
    swaps, window = options.swaps, options.window
    if options.check:
        swaps, window, options.stages = 6, 1.0, 2
    with tempfile.TemporaryDirectory() as folder:
        packs = make(folder, options.config)
        server, url = serve(folder)
        try:
            swapper = Swapper(url, packs[:2])
            for i in range(2 if options.check else 8):
                swapper.swap()
                load(url, 0.2, 100 + i)
            rate = load(url, 1.0, 99)["rate"] * options.share
            before = metrics(url)
            swapper.hold()
            swapper.pause_s = options.pause / 1e3
            flips = measure(url, swapper, swapper.flip, swaps, window, rate)
            if not swapper.promoted:
                swapper.flip()  # the next may then be staged
            stages = measure(url, swapper, swapper.swap, options.stages,
                             window, rate)
            failed, done = flips[1] + stages[1], flips[2] + stages[2]
            rows = [p99_row("promoted and rolled back", flips[0]),
                    p99_row("staged and promoted", stages[0])]
            rows += rows_of(url, failed, done, before, swapper)
            rows += measure_shadow(url, swapper, packs[2],
                                   1 if options.check else options.shadows,
                                   window, rate)
        finally:
            server.terminate()
            server.wait()
    if options.check:
        if failed or not done:
            raise SystemExit(f"{failed} of {done} requests failed")
        print(f"swap: {swapper.count} swaps, {done} requests, none failed")
        return
    common.report(rows, options.json)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    main()
