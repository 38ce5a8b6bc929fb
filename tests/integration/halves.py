"""Compares predictions with full weights and with weights of half the width.

    halves.py FULL.json HALF.json

Probabilities move, by less than LIMIT; an answer changes only where two
classes were closer than that. Trained networks move by 0.0006 to 0.0015
(docs/performance.md).
"""
import json
import sys

LIMIT = 0.002


def images(path):
    with open(path) as file:
        told = json.load(file)
    return told.get("images", told) if isinstance(told, dict) else told


full, half = map(images, sys.argv[1:])
assert len(full) == len(half) >= 1000, (len(full), len(half))
moved, changed = 0.0, 0
for i, (a, b) in enumerate(zip(full, half)):
    before = {t["label"]: t["probability"] for t in a["top"]}
    after = {t["label"]: t["probability"] for t in b["top"]}
    both = before.keys() & after.keys()
    assert both, i
    moved = max([moved] + [abs(before[k] - after[k]) for k in both])
    if a["label"] != b["label"]:
        changed += 1
        assert a["label"] in after and b["label"] in before, i
        assert before[a["label"]] - before[b["label"]] < LIMIT, (i, a, b)
assert 0 < moved < LIMIT, moved
print("  half the width: %d of %d answers change, probabilities by up to %.1e"
      % (changed, len(full), moved))
