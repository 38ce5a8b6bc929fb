"""Exports every expert of a model, and asks ONNX and ONNX Runtime about it.

    check_onnx.py PROGRAM TOOLS MODEL [MODEL...]

For each expert of each model: onnx.checker accepts the file, with shapes
inferred; opset, metadata, inputs and outputs are what docs/onnx.md says; no
norm is left in the graph; and ONNX Runtime's probabilities are within 1e-5 of
ours on random images, one at a time and five at once, on the floats that both
are given (TOOLS/run_floats), and for a PNG of random pixels, which
`switchyard predict` normalises and Python does after the docs.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy
import onnx
import onnxruntime

LIMIT = 1e-5


def png(pixels):
    """The bytes of a PNG of [H, W, 3] uint8."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(
            ">I", zlib.crc32(body))
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options,
                                        providers=["CPUExecutionProvider"])


def check_file(path, domain, expert):
    """The file as onnx reads it; returns labels and input height and width."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8, model.ir_version
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    meta = {p.key: p.value for p in model.metadata_props}
    assert meta["domain"] == domain and meta["expert"] == expert, meta
    assert meta["normalisation"] == "(x/255)*2-1", meta
    assert meta["normalisation"] in model.doc_string, model.doc_string
    assert meta["snapshot"] in model.doc_string, model.doc_string
    names = [n.name for n in model.graph.node]
    assert all(names) and len(set(names)) == len(names), "names are not unique"
    kinds = {n.op_type for n in model.graph.node}
    assert "BatchNormalization" not in kinds
    shapes = {}
    for value in list(model.graph.input) + list(model.graph.output):
        dims = value.type.tensor_type.shape.dim
        assert dims[0].dim_param == "N", value
        shapes[value.name] = [d.dim_value for d in dims[1:]]
    labels = json.loads(meta["labels"])
    assert set(shapes) == {"image", "logits", "probabilities"}, shapes
    assert shapes["logits"] == shapes["probabilities"] == [len(labels)]
    assert shapes["image"][0] == 3, shapes
    return labels, shapes["image"][1:], kinds


def ours(tools, model, domain, expert, images, classes):
    """Logits and probabilities for [n, 3, H, W]."""
    raw = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1)).tobytes()
    out = subprocess.run([tools + "/run_floats", model, domain, expert],
                         input=raw, stdout=subprocess.PIPE, check=True).stdout
    answers = numpy.frombuffer(out, numpy.float32)
    answers = answers.reshape(len(images), 2, classes)
    return answers[:, 0], answers[:, 1]


def check_floats(session, tools, model, domain, expert, size, classes):
    """Greatest distance of probabilities on random floats; batch 1 and 5."""
    random = numpy.random.default_rng(7)
    shape = [6, 3] + size
    images = random.uniform(-1, 1, shape).astype(numpy.float32)
    logits, probabilities = ours(tools, model, domain, expert, images, classes)
    assert abs(logits).max() > 1e-2, "logits that say nothing"
    worst = 0.0
    for part in (slice(0, 1), slice(1, 6)):
        got = session.run(["logits", "probabilities"], {"image": images[part]})
        scale = max(1.0, abs(logits[part]).max())
        assert abs(got[0] - logits[part]).max() <= LIMIT * scale, (domain, expert)
        worst = max(worst, abs(got[1] - probabilities[part]).max())
    assert worst <= LIMIT, "%s.%s: probabilities differ by %g" % (
        domain, expert, worst)
    return worst


def check_picture(session, program, model, domain, size, labels, work):
    """From the bytes of a picture to the answer, as in docs/onnx.md."""
    random = numpy.random.default_rng(8)
    pixels = random.integers(0, 256, size + [3]).astype(numpy.uint8)
    with open(work + "/x.png", "wb") as file:
        file.write(png(pixels))
    out = subprocess.run([program, "predict", model, "--domain", domain,
                          work + "/x.png", "--json"],
                         stdout=subprocess.PIPE, check=True).stdout
    image = (pixels.astype(numpy.float32) / 255) * 2 - 1
    image = image.transpose(2, 0, 1)[None]
    got = session.run(["probabilities"], {"image": image})[0][0]
    theirs = sorted(got, reverse=True)
    for rank, row in enumerate(json.loads(out)[0]["top"]):
        assert abs(theirs[rank] - row["probability"]) <= LIMIT, (row, theirs)
        if labels.count(row["label"]) == 1:
            p = got[labels.index(row["label"])]
            assert abs(p - row["probability"]) <= LIMIT, (row, p)


def main():
    program, tools, *models = sys.argv[1:]
    count, worst, kinds = 0, 0.0, set()
    for model in models:
        out = subprocess.run([program, "inspect", model, "--json"],
                             stdout=subprocess.PIPE, check=True).stdout
        described = json.loads(out)
        with tempfile.TemporaryDirectory() as work:
            path = work + "/expert.onnx"
            done = set()
            for expert in described["experts"]:
                domain, name = expert["domain"], expert["name"]
                subprocess.run([program, "export", model, "--domain", domain,
                                "--expert", name, "--out", path],
                               stdout=subprocess.DEVNULL, check=True)
                labels, size, used = check_file(path, domain, name)
                session = open_session(path)
                worst = max(worst, check_floats(session, tools, model, domain,
                                                name, size, len(labels)))
                kinds |= used
                count += 1
                if domain not in done:  # its route is its first expert
                    check_picture(session, program, model, domain, size,
                                  labels, work)
                    done.add(domain)
            assert os.listdir(work), "nothing was exported"
    print("%d experts: checked, and within %.1e of ours (limit %g); %s"
          % (count, worst, LIMIT, " ".join(sorted(kinds))))


main()
