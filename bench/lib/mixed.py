"""bench/mixed: a stream of requests for ten domains, on two processors.

Ours is one engine with one network, in which every domain has its path and
paths share blocks: it takes whatever waits as one batch, whichever domains
that is. The peer has one ONNX Runtime session a domain, on the file that we
export for it, as servers of one model per domain do; it runs in two processes,
each with half of the domains, so that no lock of Python's lies between them,
and in every setting that can be its best:

    one by one    each request alone, one thread in each process
    intra-op 2    each request alone, one process; two threads in each
                  session, which do not spin (ten sessions' threads would)
    grouped       of the requests that wait those of one domain go together,
                  as a batcher in front of each session would do

Both sides have the same number of requests waiting, drawn from ten equally
likely domains. The peer's processes go on to the next requests without
waiting for each other, which favours it; preparing inputs and handing out
answers is not counted on either side. Neither HTTP nor queues are in it. Of
the peer's settings, the one that does best against us stands first.

    --check compares outputs only: no clock is looked at.
"""
import argparse
import multiprocessing
import tempfile
import time

import common

CONFIGS = ["bench/nets/ten_1M.json", "bench/nets/ten_6M.json"]
SETTINGS = {"one by one": (2, 1, False), "intra-op 2": (1, 2, False),
            "grouped": (2, 1, True)}  # processes, threads of each, grouped
TURN_REQUESTS = 640


def serve_peer(pipe, files, threads, processor, grouped):
    """A peer's process: sessions of its domains; runs the lists it is told."""
    import os
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    sessions = {domain: common.Ort(path, threads, spin=False)
                for domain, path in files.items()}
    shape = next(iter(sessions.values())).shape
    images = common.noise((64, *shape))
    pipe.send(len(sessions))
    while (windows := pipe.recv()) is not None:
        for window in windows:
            mine = [domain for domain in window if domain in sessions]
            if not grouped:
                for domain in mine:
                    sessions[domain].session.run(None, {"image": images[:1]})
                continue
            for domain in set(mine):
                count = mine.count(domain)
                sessions[domain].session.run(None, {"image": images[:count]})
        pipe.send(True)
    pipe.close()


class Peer:
    """One setting of the peer."""

    def __init__(self, setting, files):
        processes, threads, grouped = SETTINGS[setting]
        self.name = setting
        self.domains = list(files)
        self.pipes, self.processes = [], []
        for p in range(processes):
            here, there = multiprocessing.Pipe()
            mine = {d: files[d] for d in self.domains[p::processes]}
            processor = common.PROCESSORS[p] if processes > 1 else None
            process = multiprocessing.Process(
                target=serve_peer, args=(there, mine, threads, processor,
                                         grouped), daemon=True)
            process.start()
            here.recv()
            self.pipes.append(here)
            self.processes.append(process)

    def timed(self, waiting, repeats):
        """Seconds of `waiting` requests, the mean over `repeats`."""
        import numpy
        random = numpy.random.default_rng(2)

        def run():
            windows = [[self.domains[i] for i in random.integers(
                0, len(self.domains), waiting)] for _ in range(repeats)]
            begin = time.perf_counter()
            for pipe in self.pipes:
                pipe.send(windows)
            for pipe in self.pipes:
                pipe.recv()
            return (time.perf_counter() - begin) / repeats
        return run

    def close(self):
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join()


def compare(config, waitings, rounds):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = common.export(config, folder, "--all")
        ours = common.Side("bench_runner", config, 2, "--all")
        try:
            import onnxruntime
        except ImportError as error:
            common.miss("onnxruntime", error)
            return rows
        peers = [Peer(setting, files) for setting in SETTINGS]
        for waiting in waitings:
            repeats = max(1, TURN_REQUESTS // waiting)
            sides = {"ours": ours.timed(waiting, repeats)}
            for peer in peers:
                sides[peer.name] = peer.timed(waiting, repeats)
            times = common.take_turns(sides, rounds)
            rate = {n: [waiting / s for s in times[n]] for n in sides}
            case = (f"{common.name_of(config)} {len(files)} domains, "
                    f"{ours.madds / 1e6:.1f} M, {waiting} waiting")
            of_peers = [common.row(
                case, f"ONNX Runtime {onnxruntime.__version__}, {peer.name}",
                "requests/s", rate["ours"], rate[peer.name])
                for peer in peers]
            rows += sorted(of_peers, key=lambda each: each["ratio"])
        for peer in peers:
            peer.close()
        ours.close()
    return rows


def check(configs):
    """One image of every domain: both sides' outputs are the same."""
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            files = common.export(config, folder, "--all")
            ours = common.Side("bench_runner", config, 2, "--all")
            size = [int(word) for word in ours.ask("shape").split()]
            images = common.noise((len(files), *size))
            want = ours.answer(images)  # image i is for domain i
            ours.close()
            try:
                for i, (domain, path) in enumerate(files.items()):
                    common.agree(f"{common.name_of(config)}.{domain}, "
                                 "ONNX Runtime", want[i:i + 1],
                                 common.Ort(path, 1).answer(images[i:i + 1]))
            except ImportError as error:
                common.miss("onnxruntime", error)


def main():
    parser = argparse.ArgumentParser(
        prog="bench/mixed", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--waiting", type=common.numbers, default=[8, 32],
                        metavar="8,32")
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    options = parser.parse_args()
    if options.check:
        check(options.configs)
        return
    common.pin(2)
    rows = []
    for config in options.configs:
        rows += compare(config, options.waiting, options.rounds)
    common.report(rows, options.json)


if __name__ == "__main__":
    main()
