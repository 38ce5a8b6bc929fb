"""The rare-class task of bench/routes: one class of a domain against the rest.

The training folder has all images of the class and of the others, as detectors
are trained; of the test images one in fifty is of the class, as they come.
Detection is counted on all test images of the class, which a second folder
holds alone: an image is detected by a stage that does not reject it, so by the
experts that ran for it. Multiply-adds are those of the stream of one in fifty.

Three experts behind a common first layer, the early ones of a fifth and a
third of the last one's multiply-adds. Thresholds by the rule of stated
detection (`reject`), on the third of the training images that are held out.
"""
import gzip
import json
import os
import struct

from study import interval, say

DOMAIN, CLASS, ONE_IN = "mnist", 8, 50
DETECTION = 0.99
REST = "rest"
PATHS = {"e0": "0:0:0:0:0:0:0:0:0:0:0:0",
         "e1": "0:4:0:0:0:0:0:0:0:0:0:0",
         "main": "0:4:4:3:5:5:5:2:5:5:5:0"}
SETS = {"domains": ["rare"], "train.holdout": 0.33, "train.routes.kind":
        "cascade", "train.routes.exit": "reject", "train.routes.background":
        REST, "train.routes.detection": DETECTION, "train.routes.experts":
        list(PATHS), "train.augment.flip": [], "train_passes": 10,
        "train.balance_classes": True, "train.distil": 0}


def read_idx(path):
    """(shape, bytes) of an IDX file of bytes."""
    packed = os.path.exists(path + ".gz")
    with gzip.open(path + ".gz") if packed else open(path, "rb") as file:
        data = file.read()
    sides = data[3]
    shape = struct.unpack(f">{sides}I", data[4:4 + 4 * sides])
    return shape, data[4 + 4 * sides:]


def write_idx(path, shape, data):
    with open(path, "wb") as file:
        file.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape),
                               *shape))
        file.write(data)


def read_part(folder, prefixes):
    """Images and labels of one part, whatever its files are called."""
    for prefix in prefixes:
        for sides in (3, 4):
            images = f"{folder}/{prefix}-images-idx{sides}-ubyte"
            if os.path.exists(images) or os.path.exists(images + ".gz"):
                shape, pixels = read_idx(images)
                _, labels = read_idx(f"{folder}/{prefix}-labels-idx1-ubyte")
                size = len(pixels) // shape[0]
                return shape[1:], [pixels[i * size:(i + 1) * size]
                                   for i in range(shape[0])], labels
    raise SystemExit(f"{folder}: no IDX files of {prefixes}")


def write_part(folder, prefix, shape, images, labels):
    write_idx(f"{folder}/{prefix}-images-idx{len(shape) + 1}-ubyte",
              (len(images),) + tuple(shape), b"".join(images))
    write_idx(f"{folder}/{prefix}-labels-idx1-ubyte", (len(labels),),
              bytes(labels))


def make_folders(study):
    """The streams `mix` and `only` of the task, each a data folder."""
    source = os.path.join(study.data, DOMAIN)
    shape, train, train_labels = read_part(source, ["train"])
    _, test, test_labels = read_part(source, ["test", "t10k"])
    there = [image for image, label in zip(test, test_labels)
             if label == CLASS]
    rest = [image for image, label in zip(test, test_labels)
            if label != CLASS]
    few = there[:round(len(rest) / (ONE_IN - 1))]
    for name, images, labels in (
            ("mix", rest + few, [0] * len(rest) + [1] * len(few)),
            ("only", there, [1] * len(there))):
        folder = os.path.dirname(study.path("rare", name, "rare", "x"))
        write_part(folder, "train", shape, train,
                   [int(label == CLASS) for label in train_labels])
        write_part(folder, "test", shape, images, labels)
        with open(f"{folder}/labels.txt", "w", encoding="utf-8") as file:
            file.write(f"{REST}\n{CLASS}\n")
    return {"there": len(there), "mix": len(rest) + len(few)}


def train(study, args):
    paths = study.path("rare", "paths.json")
    with open(paths, "w", encoding="utf-8") as file:
        json.dump({"domains": {"rare": {"experts": [
            {"name": name, "path": path} for name, path in PATHS.items()]}}},
            file)
    sets = SETS | ({"train_passes": 3} if args.short else {})
    data, study.data = study.data, study.path("rare", "mix")
    try:
        return study.train("rare", "configs/five-routes.json", sets, "--paths",
                           paths)
    finally:
        study.data = data


def run(study, args, goals):
    counts = study.once("rare/folders", {
        "data": study.inside(study.data), "domain": DOMAIN, "class": CLASS,
        "one in": ONE_IN}, lambda: make_folders(study))
    model = train(study, args)

    def ask(stream, *more):
        name = "rare/" + "-".join((stream,) + more[1:])
        return study.evaluated(name, model, "--data",
                               study.path("rare", stream), *more)["domains"][0]
    only, mix = ask("only"), ask("mix")
    last = ask("mix", "--expert", "main")
    stages = only["experts"]
    print(f"\nclass {CLASS} of {DOMAIN} against the rest, 1 in {ONE_IN}: "
          f"{counts['there']} test images of it, {counts['mix']} in the stream")
    reached = only["n"]
    for stage, after in zip(stages, stages[1:]):
        low, high = interval(after["ran"], reached)
        print(f"        {stage['name']} lets {after['ran']} of {reached} pass: "
              f"{after['ran'] / reached:.4f} [{low:.4f}, {high:.4f}]")
        goals.add(f"reject cascade: upper end of the detection of "
                  f"{stage['name']}", f"stated {DETECTION} within its 95 % "
                  "interval", high, DETECTION, False, "share")
        reached = after["ran"]
    if len(stages) < 2:
        say("the route is one expert: no stage rejects")
    goals.add("reject cascade: MAdds over its last stage's", "at most 0.3",
              mix["madds_mean"] / last["madds_mean"], 0.3, True, "ratio")
    print(f"        top-1 on the stream {mix['top1']:.4f}, the last stage "
          f"alone {last['top1']:.4f}; of the class {only['top1']:.4f}")
