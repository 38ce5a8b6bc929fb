"""bench/inference: ours against XNNPACK, ONNX Runtime and OpenVINO.

All sides run the same numbers: our runner writes its network as a model,
`switchyard export` makes the ONNX file, bench_xnnpack builds the same network
from the same seed. Sides take turns, pinned to the same processors; times are
medians, ratios the median of paired rounds. Beside them: the share of the
multiply-add peak, measured in the same turns; the same with our weights of
late layers in half the width, which rounds them; two threads against one; and
a fresh process's first request, on a path that has never run.

    --check compares outputs only: no clock is looked at.
"""
import argparse
import tempfile

import common

CONFIGS = ["bench/nets/mbv3s32_1M.json", "bench/nets/mbv3s32_6M.json",
           "bench/nets/mbv3s32_30M.json", "bench/nets/mbv3s224.json",
           "configs/first.json"]
TURN_MADDS = 1e9  # a turn lasts as long as these take, some 20 ms
COLD_GOAL_S, COLD_PROCESSES = 0.005, 15


def open_peers(config, path, threads):
    peers = []
    if common.Xnnpack.here():
        peers.append(common.Xnnpack(config, threads))
    else:
        common.miss("XNNPACK", "Debian's libxnnpack-dev, libpthreadpool-dev")
    for kind, package in ((common.Ort, "onnxruntime"),
                          (common.Openvino, "openvino")):
        try:
            peers.append(kind(path, threads))
        except ImportError as error:
            common.miss(package, error)
    return peers


def close_peers(peers):
    for peer in peers:
        if isinstance(peer, common.Side):
            peer.close()


def compare(config, threads, batches, rounds):
    """Rows of one network on so many threads."""
    common.pin(threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path, = common.export(config, folder).values()
        ours = common.Side("bench_runner", config, threads)
        half = common.Side("bench_runner", config, threads, "--half-weights")
        peers = open_peers(config, path, threads)
        for batch in batches:
            flops = 2.0 * ours.madds * batch
            repeats = max(1, int(2 * TURN_MADDS / flops))
            sides = {"peak": ours.peak, "ours": ours.timed(batch, repeats),
                     "half": half.timed(batch, repeats)}
            for peer in peers:
                sides[peer.name] = peer.timed(batch, repeats)
            times = common.take_turns(sides, rounds)
            case = (f"{common.name_of(config)} {ours.madds / 1e6:.1f} M, "
                    f"batch {batch}, {threads} thread" + "s" * (threads > 1))
            peak = [threads * each for each in times["peak"]]

            def rate(name):
                return [flops / 1e9 / s for s in times[name]]
            for peer in peers:
                rows.append(common.row(
                    case, peer.name, "us", times["ours"], times[peer.name],
                    1e6, theirs_share=common.paired(rate(peer.name), peak)))
            rows.append(common.row(case, "multiply-add peak", "GFLOP/s",
                                   rate("ours"), peak))
            case += ", half"
            for peer in peers:
                rows.append(common.row(case, peer.name, "us", times["half"],
                                       times[peer.name], 1e6))
            rows.append(common.row(case, "multiply-add peak", "GFLOP/s",
                                   rate("half"), peak))
        close_peers(peers)
        half.close()
        ours.close()
    return rows


def compare_threads(config, batch, rounds):
    """Images a second of two threads against one."""
    sides, open_sides = {}, []
    for threads in (1, 2):
        common.pin(threads)
        side = common.Side("bench_runner", config, threads)
        repeats = max(1, int(2 * TURN_MADDS / (side.madds * batch)))
        open_sides.append(side)
        sides[threads] = side.timed(batch, repeats)
    times = common.take_turns(sides, rounds)
    rate = {n: [batch / s for s in times[n]] for n in sides}
    case = f"{common.name_of(config)} batch {batch}, 2 threads"
    for side in open_sides:
        side.close()
    return common.row(case, "ours, 1 thread", "images/s", rate[2], rate[1])


def first_request(config):
    """A fresh process's first request after the snapshot is built."""
    common.pin(1)
    seconds, peer_seconds, rows = [], [], []
    name = common.name_of(config)
    for _ in range(COLD_PROCESSES):
        side = common.Side("bench_runner", config, 1)
        seconds.append(side.seconds("infer", 1, 1))
        side.close()
    rows.append(common.row(f"{name} first request", "5 ms, the goal", "us",
                           seconds, COLD_GOAL_S, 1e6))
    with tempfile.TemporaryDirectory() as folder:
        path, = common.export(config, folder).values()
        try:
            for _ in range(COLD_PROCESSES):
                session = common.Ort(path, 1)
                peer_seconds.append(session.timed(1, 1)())
            rows.append(common.row(f"{name} first request", session.name +
                                   ", new session", "us", seconds,
                                   peer_seconds, 1e6))
        except ImportError as error:
            common.miss("onnxruntime", error)
    return rows


def check(configs):
    """Every side gives the same outputs, in batches as alone."""
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            path, = common.export(config, folder).values()
            ours = common.Side("bench_runner", config, 2)
            half = common.Side("bench_runner", config, 2, "--half-weights")
            peers = open_peers(config, path, 1)
            size = [int(word) for word in ours.ask("shape").split()]
            images = common.noise((5, *size))
            want = ours.answer(images)
            for i in range(5):
                if (ours.answer(images[i:i + 1]) != want[i]).any():
                    raise SystemExit(f"{config}: image {i} depends on its "
                                     "batch")
            for peer in peers:
                what = f"{common.name_of(config)}, {peer.name}"
                common.agree(what, want, peer.answer(images))
            common.agree(f"{common.name_of(config)}, half weights", want,
                         half.answer(images), limit=2.5e-3)
            close_peers(peers)
            half.close()
            ours.close()


def main():
    parser = argparse.ArgumentParser(
        prog="bench/inference", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=common.numbers, default=[1, 2],
                        metavar="1,2")
    parser.add_argument("--batches", type=common.numbers, default=[1, 8, 32],
                        metavar="1,8,32")
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    options = parser.parse_args()
    if options.check:
        check(options.configs)
        return
    rows = []
    for config in options.configs:
        for threads in options.threads:
            rows += compare(config, threads, options.batches, options.rounds)
        if 2 in options.threads:
            for batch in options.batches[-1:]:
                rows.append(compare_threads(config, batch, options.rounds))
        rows += first_request(config)
    kernels = common.Side("bench_runner", options.configs[0], 1)
    common.report(rows, options.json, kernels=kernels.backend)
    kernels.close()


if __name__ == "__main__":
    main()
