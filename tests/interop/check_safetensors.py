"""Opens a model's weights with the safetensors library and compares them with
what `switchyard inspect --tensors --json` says.

    check_safetensors.py INSPECT.json WEIGHTS.safetensors
"""
import json
import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file


def main():
    inspect_path, weights_path = sys.argv[1:]
    with open(inspect_path, encoding="utf-8") as file:
        described = json.load(file)
    listed = described["tensors"]
    expected = {t["name"]: tuple(t["shape"]) for t in listed}
    assert len(expected) == len(listed), "inspect lists a name twice"
    tensors = load_file(weights_path)
    missing = sorted(set(expected) - set(tensors))
    extra = sorted(set(tensors) - set(expected))
    assert not missing, "not in the file: %s" % missing
    assert not extra, "only in the file: %s" % extra
    for name, tensor in tensors.items():
        assert tensor.dtype == numpy.float32, (name, tensor.dtype)
        assert tensor.shape == expected[name], (name, tensor.shape, expected[name])
        assert numpy.isfinite(tensor).all(), "%s is not finite" % name
    count = sum(tensor.size for tensor in tensors.values())
    assert count == described["params"], (count, described["params"])
    with safe_open(weights_path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata == {"format": "switchyard-model"}, metadata
    variances = [t for n, t in tensors.items() if n.endswith(".var")]
    assert variances and all((v >= 0).all() for v in variances)
    weights = [t for n, t in tensors.items() if n.startswith("block.")]
    assert any(w.std() > 0 for w in weights), "every weight is the same"
    print("%d tensors, %d numbers: names, shapes, float32, finite"
          % (len(tensors), count))


main()
