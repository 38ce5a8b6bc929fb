#!/usr/bin/env bash
# Domains that are alike find paths that are alike: glyphs and textures, each
# drawn twice with another seed, share more blocks with their twin than with
# the other kind, over three searches.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

# What it says is about results; test_search has a sanitizer look at the code.
[ -z "${SY_SANITIZED:-}" ] || exit 77

for seed in 1 2; do
    sy domains make "made$seed" --seed "$seed" --only glyphs,textures >out
done
mkdir data
for name in glyphs textures; do
    mv "made1/$name" "data/${name}A"
    mv "made2/$name" "data/${name}B"
done

for seed in 1 2 3; do
    run 0 sy search "$(dirname "$tiny")/similar.json" --data data --quiet \
        --out "r/$seed" --seed "$seed"
done
python3 - <<'PY'
import json
within, across = [], []
for seed in 1, 2, 3:
    found = json.load(open("r/%d/paths.json" % seed))["domains"]
    paths = {name: set(enumerate(domain["experts"][0]["path"].split(":")))
             for name, domain in found.items()}
    names = sorted(paths)
    print(seed, {n: found[n]["experts"][0]["path"] for n in names})
    for i, a in enumerate(names):
        for b in names[:i]:
            alike = len(paths[a] & paths[b]) / len(paths[a] | paths[b])
            (within if a[:-1] == b[:-1] else across).append(alike)
mean = lambda values: sum(values) / len(values)
print("within a kind %.2f, across %.2f" % (mean(within), mean(across)))
assert mean(within) > mean(across), (within, across)
PY
