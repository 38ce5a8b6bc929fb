"""bench/inference: ours against ONNX Runtime and OpenVINO.

Both sides run the same numbers: our runner writes its network as a model,
`switchyard export` makes the ONNX file. Sides take turns, pinned to the same
processors; times are medians, ratios the median of paired rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import common

CONFIGS = ["bench/nets/mbv3s32_1M.json", "bench/nets/mbv3s32_6M.json",
           "bench/nets/mbv3s32_30M.json", "bench/nets/mbv3s224.json",
           "configs/first.json"]


def ort_side(path, threads):
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape

    def make(batch):
        image = numpy.random.default_rng(1).uniform(
            -1, 1, (batch, *shape[1:])).astype(numpy.float32)
        return lambda: session.run(None, {"image": image})
    return f"ONNX Runtime {onnxruntime.__version__}", make


def openvino_side(path, threads):
    import numpy
    import openvino
    core = openvino.Core()
    model = core.read_model(path)
    shape = model.inputs[0].partial_shape
    side = [shape[i].get_length() for i in (1, 2, 3)]

    def make(batch):
        fixed = core.read_model(path)
        fixed.reshape([batch, *side])
        compiled = core.compile_model(
            fixed, "CPU", {"INFERENCE_NUM_THREADS": threads,
                           "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
        image = numpy.random.default_rng(1).uniform(
            -1, 1, (batch, *side)).astype(numpy.float32)
        request = compiled.create_infer_request()
        return lambda: request.infer({0: image})
    return f"OpenVINO {openvino.__version__.split('-')[0]}", make


def timed(call, repeats):
    def run():
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - begin) / repeats
    return run


def export(config, folder):
    """The runner's network as an ONNX file."""
    model = os.path.join(folder, "repository", "net")
    common.Runner(config, 1, save=model).close()
    domain = subprocess.run(
        [f"{common.RELEASE}/switchyard", "inspect", model, "--json"],
        check=True, capture_output=True, text=True).stdout
    name = json.loads(domain)["domains"][0]["name"]
    path = os.path.join(folder, "net.onnx")
    subprocess.run([f"{common.RELEASE}/switchyard", "export", model,
                    "--domain", name, "--out", path], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def compare(config, threads, batches, rounds):
    name = os.path.splitext(os.path.basename(config))[0]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = export(config, folder)
        ours = common.Runner(config, threads)
        peers = []
        for side in (ort_side, openvino_side):
            try:
                peers.append(side(path, threads))
            except ImportError as error:
                print(f"missing peer: {error}")
        for batch in batches:
            repeats = max(1, int(2e9 / (ours.madds * batch)))
            sides = {"ours": lambda: ours.seconds("infer", batch, repeats)}
            for peer, make in peers:
                sides[peer] = timed(make(batch), repeats)
            times = common.take_turns(sides, rounds)
            for peer, _ in peers:
                rows.append({
                    "case": f"{name} {ours.madds / 1e6:.1f} M, batch {batch}, "
                            f"{threads} threads",
                    "peer": peer, "unit": "us",
                    "ours": statistics.median(times["ours"]) * 1e6,
                    "theirs": statistics.median(times[peer]) * 1e6,
                    "ratio": common.paired(times["ours"], times[peer]),
                    "ours_p95": common.p95(times["ours"]) * 1e6,
                    "theirs_p95": common.p95(times[peer]) * 1e6,
                    "kernels": ours.backend})
        ours.close()
    return rows


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(prog="bench/inference",
                                     description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=numbers, default=[1, 2],
                        metavar="1,2")
    parser.add_argument("--batches", type=numbers, default=[1, 8, 32],
                        metavar="1,8,32")
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    options = parser.parse_args()
    processors = os.sched_getaffinity(0)
    rows = []
    for threads in options.threads:
        os.sched_setaffinity(0, processors)
        common.pin(threads)
        for config in options.configs:
            rows += compare(config, threads, options.batches, options.rounds)
    common.report(rows, options.json)


if __name__ == "__main__":
    main()
