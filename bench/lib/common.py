"""What the comparison drivers share: the sides, taking turns, the table."""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("SY_BENCH_BUILD", "build/release")
CLASSES = 10
missing = []  # peers that are not here, for the report


def say(text):
    print(text, file=sys.stderr)


def miss(peer, how):
    """Says a peer that cannot be compared with, once."""
    text = f"{peer}: {how}"
    if text not in missing:
        missing.append(text)
        say(f"missing peer: {text}")


class Side:
    """One of our programs that keeps a network in memory and takes turns;
    bench/lib/turns.h has its commands."""

    def __init__(self, program, config, threads=1, *more):
        self.path = f"{BUILD}/bench/{program}"
        command = [self.path, config]
        command += ["--threads", str(threads)] + list(more)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        words = self.ask("about").split()
        self.backend, self.madds = words[0], int(words[2])
        self.params = int(words[3])

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{self.path} gave up")
        return answer

    def seconds(self, what, batch, repeats):
        return float(self.ask(f"{what} {batch} {repeats}")) / 1e9

    def timed(self, batch, repeats):
        return lambda: self.seconds("infer", batch, repeats)

    def peak(self):
        """GFLOP/s of one core, in registers."""
        return float(self.ask("peak"))

    def told(self, what, images, *more):
        """`what` of [N, H, W, C] float32, as the words of the answer."""
        with tempfile.NamedTemporaryFile() as file:
            images.tofile(file.name)
            words = [what, file.name, str(len(images))] + list(map(str, more))
            return self.ask(" ".join(words)).split()

    def answer(self, images):
        """Raw outputs for [N, H, W, C] float32."""
        import numpy
        outputs = numpy.array(self.told("answer", images), numpy.float32)
        return outputs.reshape(len(images), CLASSES)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Xnnpack(Side):
    """XNNPACK on the runner's numbers, in a program of ours."""

    def __init__(self, config, threads):
        super().__init__("bench_xnnpack", config, threads)
        self.name = "XNNPACK " + os.environ.get("SY_XNNPACK", "(system's)")

    @staticmethod
    def here():
        return os.path.exists(f"{BUILD}/bench/bench_xnnpack")


class Ort:
    """ONNX Runtime on an exported file."""

    def __init__(self, path, threads, spin=True):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning",
                                         "1" if spin else "0")
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"])
        self.shape = self.session.get_inputs()[0].shape[1:]
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def timed(self, batch, repeats):
        image = noise((batch, *self.shape))
        return clocked(lambda: self.session.run(None, {"image": image}),
                       repeats)

    def answer(self, images):
        return self.session.run(["logits"], {"image": planes(images)})[0]


class Openvino:
    """OpenVINO on an exported file, compiled for each batch size."""

    def __init__(self, path, threads):
        import openvino
        self.core = openvino.Core()
        self.path, self.threads = path, threads
        shape = self.core.read_model(path).inputs[0].partial_shape
        self.shape = [shape[i].get_length() for i in (1, 2, 3)]
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"

    def compiled(self, batch):
        model = self.core.read_model(self.path)
        model.reshape([batch, *self.shape])
        return self.core.compile_model(
            model, "CPU", {"INFERENCE_NUM_THREADS": self.threads,
                           "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})

    def timed(self, batch, repeats):
        request = self.compiled(batch).create_infer_request()
        image = noise((batch, *self.shape))
        return clocked(lambda: request.infer({0: image}), repeats)

    def answer(self, images):
        return self.compiled(len(images))({0: planes(images)})["logits"]


def noise(shape):
    import numpy
    return numpy.random.default_rng(1).uniform(-1, 1, shape).astype(
        numpy.float32)


def planes(images):
    """[N, H, W, C] as ONNX has it: [N, C, H, W]."""
    import numpy
    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))


def clocked(call, repeats):
    """call -> seconds of one call, the mean over `repeats`."""
    def run():
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - begin) / repeats
    return run


def take_turns(sides, rounds):
    """{name: function -> number}; each side once a round, in turn.

    Worker threads of a peer go on spinning for some milliseconds after its
    run, on the processors that the next side needs: each turn begins after a
    pause, with one run that is not counted.
    """
    times = {name: [] for name in sides}
    for name, run in sides.items():  # warm-up, not counted
        run()
    for _ in range(rounds):
        for name, run in sides.items():
            time.sleep(0.03)
            run()
            times[name].append(run())
    return times


def p95(values):
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def paired(ours, theirs):
    """Median over rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def row(case, peer, unit, ours, theirs, scale=1.0, **more):
    """A row of two lists of rounds, or of lists and a number to hold against."""
    if not isinstance(theirs, list):
        theirs = [theirs] * len(ours)
    return {"case": case, "peer": peer, "unit": unit,
            "ours": statistics.median(ours) * scale,
            "theirs": statistics.median(theirs) * scale,
            "ratio": paired(ours, theirs),
            "ours_p95": p95(ours) * scale, "theirs_p95": p95(theirs) * scale,
            **more}


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(),
            "system": platform.platform(),
            "load_at_start": LOAD_AT_START, "missing": missing}


LOAD_AT_START = os.getloadavg()[0]
PROCESSORS = sorted(os.sched_getaffinity(0))


def pin(threads):
    """This process, and children that it starts from now on, on the first
    `threads` processors."""
    os.sched_setaffinity(0, set(PROCESSORS[:threads]))


def export(config, folder, *more):
    """{domain: ONNX file} of the runner's network, in its order."""
    model = os.path.join(folder, "repository", "net")
    Side("bench_runner", config, 1, "--save", model, *more).close()
    described = subprocess.run(
        [f"{BUILD}/switchyard", "inspect", model, "--json"],
        check=True, capture_output=True, text=True).stdout
    files = {}
    for domain in json.loads(described)["domains"]:
        name = domain["name"]
        files[name] = os.path.join(folder, name + ".onnx")
        subprocess.run([f"{BUILD}/switchyard", "export", model,
                        "--domain", name, "--out", files[name]], check=True,
                       stdout=subprocess.DEVNULL)
    return files


def name_of(config):
    return os.path.splitext(os.path.basename(config))[0]


def agree(what, ours, theirs, limit=1e-4):
    """Fails unless two sides' raw outputs are the same network's."""
    size = abs(ours).max()
    distance = abs(ours - theirs).max() / size
    if not (size > 1e-4 and distance <= limit):
        raise SystemExit(f"{what}: outputs differ by {distance:g} of the "
                         f"largest, {size:g} (limit {limit:g})")
    print(f"{what}: outputs agree within {distance:.1e} of the largest")


def numbers(text):
    return [int(word) for word in text.split(",")]


def report(rows, as_json, **more):
    about = {**machine(), **more}
    if as_json:
        json.dump({"machine": about, "rows": rows}, sys.stdout, indent=2)
        print()
        return
    print("; ".join(f"{key} {value}" for key, value in about.items()
                    if value != []))
    print(f'{"case":42} {"peer":34} {"unit":10} {"ours":>10} {"theirs":>10} '
          f'{"ratio":>7}  p95 ours/theirs')
    for line in rows:
        print(f'{line["case"]:42} {line["peer"]:34} {line["unit"]:10} '
              f'{line["ours"]:10.1f} {line["theirs"]:10.1f} '
              f'{line["ratio"]:7.3f}  {line["ours_p95"]:.1f} / '
              f'{line["theirs_p95"]:.1f}')
