"""bench/training: images a second of a step against PyTorch.

Forward, backward and the SGD step on the network of a configuration's first
path, 2 threads, batch 64; PyTorch with channels-last memory, its best
setting. Sides take turns; rates are medians, ratios the median of pairs.
"""
import argparse
import json
import os
import statistics
import time

import common

BATCH, THREADS = 64, 2


def build_torch(config):
    """The first path's network; the kinds of block that bench/nets use."""
    import torch
    from torch import nn
    net = json.load(open(config, encoding="utf-8"))
    spec = net["network"]
    path = [int(i) for i in net["paths"][0].split(":")]

    def act(name):
        return {"hswish": nn.Hardswish, "relu": nn.ReLU,
                "none": nn.Identity}[name]()

    def conv(cin, cout, kernel=1, stride=1, groups=1, activation="none"):
        return nn.Sequential(
            nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups,
                      bias=False), nn.BatchNorm2d(cout), act(activation))

    def divisible(width):
        rounded = max(8, int(width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * width else rounded

    class Squeeze(nn.Module):
        def __init__(self, channels):
            super().__init__()
            hidden = divisible(channels / 4)
            self.body = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1),
                nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Hardsigmoid())

        def forward(self, x):
            return x * self.body(x)

    class Bottleneck(nn.Module):
        def __init__(self, block, cin, cout, stride):
            super().__init__()
            if block["kind"] != "mbconv":
                raise SystemExit(f"no {block['kind']} block in the peer")
            width = block.get("expanded") or divisible(
                block.get("expansion", 4) * cin)
            wider = block["expanded"] != cin if block.get("expanded") \
                else block.get("expansion", 4) > 1
            kernel, name = block.get("kernel", 3), block.get("act", "hswish")
            parts = [conv(cin, width, activation=name)] if wider else []
            parts.append(conv(width, width, kernel, stride, width, name))
            if block.get("se"):
                parts.append(Squeeze(width))
            parts.append(conv(width, cout))
            self.body = nn.Sequential(*parts)
            self.residual = stride == 1 and cin == cout

        def forward(self, x):
            y = self.body(x)
            return x + y if self.residual else y

    stem, head = spec["stem"], spec["head"]
    channels = stem["channels"]
    parts = [conv(3, channels, stem.get("kernel", 3), stem.get("stride", 1),
                  activation=stem.get("act", "hswish"))]
    for layer, index in zip(spec["layers"], path):
        parts.append(Bottleneck(layer["blocks"][index], channels,
                                layer["channels"], layer["stride"]))
        channels = layer["channels"]
    parts += [conv(channels, head["width"], activation=head.get("act",
                                                                "hswish")),
              nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    width = head["width"]
    if head.get("hidden"):
        parts += [nn.Linear(width, head["hidden"]),
                  act(head.get("act", "hswish"))]
        width = head["hidden"]
    parts.append(nn.Linear(width, 10))
    model = nn.Sequential(*parts).to(memory_format=torch.channels_last)
    return torch, model, spec["input"]


def torch_side(config):
    torch, model, size = build_torch(config)
    torch.set_num_threads(THREADS)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9,
                                nesterov=True, weight_decay=1e-4)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    images = torch.rand(BATCH, 3, size["height"], size["width"]).to(
        memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10

    def run():
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss(model(images), labels).backward()
        optimiser.step()
        return time.perf_counter() - begin
    return f"PyTorch {torch.__version__}", run


def main():
    parser = argparse.ArgumentParser(prog="bench/training",
                                     description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("configs", nargs="*",
                        default=["bench/nets/mbv3s32_6M.json"])
    options = parser.parse_args()
    common.pin(THREADS)
    rows = []
    for config in options.configs:
        ours = common.Runner(config, THREADS)
        sides = {"ours": lambda: ours.seconds("train", BATCH, 1)}
        try:
            peer, run = torch_side(config)
            sides[peer] = run
        except ImportError:
            print("missing peer: PyTorch (apt-get install python3-torch)")
            peer = None
        times = common.take_turns(sides, options.rounds)
        rate = {name: [BATCH / s for s in all_] for name, all_ in
                times.items()}
        name = os.path.splitext(os.path.basename(config))[0]
        rows.append({
            "case": f"{name} {ours.madds / 1e6:.1f} M, batch {BATCH}, "
                    f"{THREADS} threads",
            "peer": peer or "none", "unit": "images/s",
            "ours": statistics.median(rate["ours"]),
            "theirs": statistics.median(rate[peer]) if peer else 0.0,
            "ratio": common.paired(rate["ours"], rate[peer]) if peer else 0.0,
            "ours_p95": common.p95(rate["ours"]),
            "theirs_p95": common.p95(rate[peer]) if peer else 0.0})
        ours.close()
    common.report(rows, options.json)


if __name__ == "__main__":
    main()
