"""bench/training: images a second of a step against PyTorch.

Forward, backward and the SGD step on the network of a configuration's first
path, 2 threads, batch 64; PyTorch with channels-last memory, its best
setting. Sides take turns; rates are medians, ratios the median of pairs.

    --check compares the losses of some steps from the same numbers: no clock
    is looked at.
"""
import argparse
import json
import os
import tempfile

import common

BATCH, THREADS, RATE = 64, 2, 0.2


def build_torch(config):
    """The first path's network, and [(our unit, our name, module)] of every
    layer with weights; the kinds of block that bench/nets use."""
    import torch
    from torch import nn
    net = json.load(open(config, encoding="utf-8"))
    spec = net["network"]
    path = [int(i) for i in net["paths"][0].split(":")]
    layers = []

    def act(name):
        return {"hswish": nn.Hardswish, "relu": nn.ReLU,
                "none": nn.Identity}[name]()

    def conv(unit, name, cin, cout, kernel=1, stride=1, groups=1,
             activation="none"):
        parts = nn.Sequential(
            nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups,
                      bias=False), nn.BatchNorm2d(cout, eps=1e-3),
            act(activation))
        layers.append((unit, name, parts[0]))
        layers.append((unit, name, parts[1]))
        return parts

    def divisible(width):
        rounded = max(8, int(width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * width else rounded

    class Squeeze(nn.Module):
        def __init__(self, unit, channels):
            super().__init__()
            hidden = divisible(channels / 4)
            self.body = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1),
                nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Hardsigmoid())
            layers.append((unit, "se.reduce", self.body[1]))
            layers.append((unit, "se.expand", self.body[3]))

        def forward(self, x):
            return x * self.body(x)

    class Bottleneck(nn.Module):
        def __init__(self, unit, block, cin, cout, stride):
            super().__init__()
            if block["kind"] != "mbconv":
                raise SystemExit(f"no {block['kind']} block in the peer")
            width = block.get("expanded") or divisible(
                block.get("expansion", 4) * cin)
            wider = block["expanded"] != cin if block.get("expanded") \
                else block.get("expansion", 4) > 1
            kernel, name = block.get("kernel", 3), block.get("act", "hswish")
            parts = [conv(unit, "expand", cin, width, activation=name)] \
                if wider else []
            parts.append(conv(unit, "depthwise", width, width, kernel, stride,
                              width, name))
            if block.get("se"):
                parts.append(Squeeze(unit, width))
            parts.append(conv(unit, "project", width, cout))
            self.body = nn.Sequential(*parts)
            self.residual = stride == 1 and cin == cout

        def forward(self, x):
            y = self.body(x)
            return x + y if self.residual else y

    def dense(unit, name, cin, cout):
        layers.append((unit, name, nn.Linear(cin, cout)))
        return layers[-1][2]

    stem, head = spec["stem"], spec["head"]
    channels = stem["channels"]
    parts = [conv("stem", "conv", 3, channels, stem.get("kernel", 3),
                  stem.get("stride", 1), activation=stem.get("act", "hswish"))]
    for number, (layer, index) in enumerate(zip(spec["layers"], path)):
        parts.append(Bottleneck(f"l{number}b{index}", layer["blocks"][index],
                                channels, layer["channels"], layer["stride"]))
        channels = layer["channels"]
    parts += [conv("trunk", "conv", channels, head["width"],
                   activation=head.get("act", "hswish")),
              nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    width = head["width"]
    if head.get("hidden"):
        parts += [dense("trunk", "hidden", width, head["hidden"]),
                  act(head.get("act", "hswish"))]
        width = head["hidden"]
    parts.append(dense(net["domains"][0], "classifier", width, common.CLASSES))
    model = nn.Sequential(*parts).to(memory_format=torch.channels_last)
    return torch, model, layers, spec["input"]


def read_safetensors(path):
    """{name: array} of a file of float32."""
    import numpy
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, about in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            tensors[name] = numpy.frombuffer(
                data[start + begin:start + end], numpy.float32).reshape(
                    about["shape"])
    return tensors


def copy_weights(torch, layers, tensors):
    """Our numbers into the peer's layers; every one of ours is used."""
    norms = {tuple(name.split(".", 2)[2].rsplit(".", 1)): array
             for name, array in tensors.items() if name.startswith("norm.")}
    used = 0
    for unit, name, module in layers:
        values = {}
        if isinstance(module, torch.nn.BatchNorm2d):
            for key, ours in (("weight", "scale"), ("bias", "bias"),
                              ("running_mean", "mean"), ("running_var", "var")):
                values[key] = norms[f"{unit}.{name}", ours]
        else:
            for key in ("weight", "bias"):
                if getattr(module, key) is not None:
                    kind = "head" if name == "classifier" else "block"
                    values[key] = tensors[f"{kind}.{unit}.{name}.{key}"]
            weight = values["weight"]
            if weight.ndim == 3:  # [h][w][C] of a depthwise one
                weight = weight[:, :, None, :]
            if weight.ndim == 4:  # [h][w][in][out]
                values["weight"] = weight.transpose(3, 2, 0, 1)
            else:
                values["weight"] = weight.T.reshape(module.weight.shape)
        with torch.no_grad():
            for key, value in values.items():
                getattr(module, key).copy_(torch.from_numpy(value.copy()))
        used += len(values)
    if used != len(tensors):
        raise SystemExit(f"{used} tensors copied of {len(tensors)}")


class Torch:
    """The peer: a step as ours, channels last."""

    def __init__(self, config):
        self.torch, self.model, self.layers, self.size = build_torch(config)
        torch = self.torch
        torch.set_num_threads(THREADS)
        weights = [p for p in self.model.parameters() if p.dim() > 1]
        others = [p for p in self.model.parameters() if p.dim() == 1]
        self.optimiser = torch.optim.SGD(
            [{"params": weights, "weight_decay": 1e-4}, {"params": others}],
            lr=1e-3, momentum=0.9, nesterov=True)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        self.name = f"PyTorch {torch.__version__}"

    def step(self, images, rate):
        """The loss of a step on images that are channels-last already."""
        labels = self.torch.arange(len(images)) % common.CLASSES
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.model(images), labels)
        loss.backward()
        self.optimiser.step()
        return loss

    def images(self, array):
        """[N, H, W, C] of numpy; the memory stays as it is."""
        return self.torch.from_numpy(array).permute(0, 3, 1, 2)

    def timed(self):
        images = self.images(common.noise(
            (BATCH, self.size["height"], self.size["width"], 3)))
        return common.clocked(lambda: self.step(images, 1e-3), 1)


def check(configs):
    """From the same numbers, five steps give the same losses."""
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "repository", "net")
            ours = common.Side("bench_runner", config, THREADS, "--save", model)
            peer = open_peer(config)
            if peer is None:
                ours.close()
                return
            copy_weights(peer.torch, peer.layers, read_safetensors(
                os.path.join(model, "1", "weights.safetensors")))
            size = [int(word) for word in ours.ask("shape").split()]
            images = common.noise((20, *size))
            losses = []
            for _ in range(5):
                mine = float(ours.told("loss", images, RATE)[0])
                theirs = float(peer.step(peer.images(images), RATE))
                losses.append(mine)
                if abs(mine - theirs) > 1e-3 * mine:
                    raise SystemExit(f"{config}: losses {mine}, {theirs}")
            ours.close()
            if abs(losses[-1] - losses[0]) < 1e-2 * losses[0]:
                raise SystemExit(f"{config}: the steps change nothing")
            print(f"{common.name_of(config)}, {peer.name}: losses of five "
                  "steps agree: " + " ".join(f"{x:.4f}" for x in losses))


def open_peer(config):
    try:
        return Torch(config)
    except ImportError:
        common.miss("PyTorch", "Debian's python3-torch")
        return None


def compare(config, rounds):
    ours = common.Side("bench_runner", config, THREADS)
    sides = {"ours": lambda: ours.seconds("train", BATCH, 1)}
    peer = open_peer(config)
    if peer is not None:
        sides[peer.name] = peer.timed()
    sides["peak"] = ours.peak
    times = common.take_turns(sides, rounds)
    case = (f"{common.name_of(config)} {ours.madds / 1e6:.1f} M, "
            f"batch {BATCH}, {THREADS} threads")
    rate = {n: [BATCH / s for s in times[n]] for n in times}
    rows = []
    if peer is not None:
        rows.append(common.row(case, peer.name, "images/s", rate["ours"],
                               rate[peer.name]))
    # A step is counted as three forward passes.
    flops = [6.0 * ours.madds * each / 1e9 for each in rate["ours"]]
    peak = [THREADS * each for each in times["peak"]]
    rows.append(common.row(case, "multiply-add peak", "GFLOP/s", flops, peak))
    ours.close()
    return rows


def main():
    parser = argparse.ArgumentParser(
        prog="bench/training", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("configs", nargs="*",
                        default=["bench/nets/mbv3s32_6M.json"])
    options = parser.parse_args()
    common.pin(THREADS)
    if options.check:
        check(options.configs)
        return
    rows = []
    for config in options.configs:
        rows += compare(config, options.rounds)
    common.report(rows, options.json)


if __name__ == "__main__":
    main()
