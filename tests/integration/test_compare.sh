#!/usr/bin/env bash
# Strategies side by side: every row is there, what has ended is not done
# again, a killed comparison goes on to the same table, and numbers that are
# frozen stay as they are.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

sy domains make all --only glyphs,textures,colours >out
# The first images of each are enough.
python3 - <<'PY'
import glob, gzip, os, struct
for path in glob.glob("all/*/*"):
    to = path.replace("all/", "data/", 1)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    packed = path.endswith(".gz")
    data = (gzip.open if packed else open)(path, "rb").read()
    if data[:2] == b"\0\0":
        dims = list(struct.unpack(">%dI" % data[3], data[4:4 + 4 * data[3]]))
        size = (len(data) - 4 - 4 * len(dims)) // dims[0]
        dims[0] = 300 if "train" in path else 60
        data = (data[:4] + struct.pack(">%dI" % len(dims), *dims) +
                data[4 + 4 * len(dims):4 + 4 * len(dims) + dims[0] * size])
    (gzip.open if packed else open)(to, "wb").write(data)
PY

epochs='--set train.epochs=0.5 --set search_passes=0.5'
section='{"target": 80000, "share": 0.8, "backbone": "0:1", "pretrain": "glyphs",
  "seeds": [1, 2], "rates": [0.02, 0.05], "rate_domains": ["glyphs", "colours"],
  "rate_passes": 0.05, "losses": ["uniform", "abdp"], "random_paths": 2,
  "without": ["colours"]}'
compare() {
    # shellcheck disable=SC2086 # a list of words
    sy compare "$tiny" --data data --quiet $epochs --set "compare=$section" "$@"
}

run 2 sy compare "$tiny" --data data --out no
says err 'needs a section "compare"'

# The whole of it, and what the tables hold.
run 0 compare --out whole --json
cp out whole.json
python3 - <<'PY'
import glob, json, os
table = json.load(open("whole.json"))
def close(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == b if isinstance(a, str) else abs(a - b) < 1e-9
assert close(table, json.load(open("whole/table.json")))
names = ["independent", "single_path_multi_head", "single_path_joint",
         "multi_head_nas", "mpnas"]
rows = {row["strategy"]: row for row in table["rows"]}
assert list(rows) == names, list(rows)
for row in rows.values():
    assert set(row["top1"]) == {"glyphs", "textures", "colours"}
    mean = sum(x["mean"] for x in row["top1"].values()) / 3
    assert abs(mean - row["top1_mean"]["mean"]) < 1e-9
    assert row["madds_mean"]["mean"] > 0 and row["top1_mean"]["std"] >= 0
    two = (row["top1"]["glyphs"]["mean"] + row["top1"]["textures"]["mean"]) / 2
    assert abs(two - row["top1_mean_without"]["mean"]) < 1e-9
    if row["strategy"] != "mpnas":
        ahead = row["mpnas_ahead"]
        wanted = rows["mpnas"]["top1_mean"]["mean"] - row["top1_mean"]["mean"]
        assert abs(ahead["mean"] - wanted) < 1e-9
        assert ahead["low"] <= ahead["mean"] <= ahead["high"]
# Three networks have more numbers than one, one of a frozen path fewest.
params = {name: rows[name]["params"]["mean"] for name in names}
assert params["independent"] > params["mpnas"], params
assert params["single_path_multi_head"] <= params["single_path_joint"], params
assert [row["loss"] for row in table["ablation"]] == ["uniform", "abdp"]
assert "ahead_of_uniform" in table["ablation"][1]
# The weighting that mpnas trains under is not run again.
own = json.load(open("whole/seed1/mpnas/result.json"))
own = own["about"]["config"]["train"].get("weights", {"kind": "uniform"})["kind"]
for row in table["ablation"]:
    mine = row["loss"] == own
    assert os.path.exists("whole/seed1/loss/" + row["loss"]) != mine, row
    assert not mine or row["top1"] == rows["mpnas"]["top1"]
assert own in ("uniform", "abdp"), own
# Every run's time counts once, in however many rows it stands.
spent = sum(json.load(open(path))["seconds"] for path
            in glob.glob("whole/**/result.json", recursive=True))
assert abs(table["seconds"] - spent) < 1e-6, (table["seconds"], spent)
assert table["rate"] in (0.02, 0.05) and table["seeds"] == [1, 2]
assert len(table["random"]["top1"]) == 3
tau = table["random"]["kendall_tau"]
assert set(tau) == {"mean", "glyphs", "textures", "colours"}
taus = [tau[d]["tau"] for d in ("glyphs", "textures", "colours")]
assert abs(sum(taus) / 3 - tau["mean"]) < 1e-9
assert all(-1 <= tau[d]["low"] <= tau[d]["high"] <= 1 for d in tau if d != "mean")

# The rate is the one that held-out images like best.
rates = {}
for rate in ("0.02", "0.05"):
    result = json.load(open("whole/rate/%s/result.json" % rate))
    assert result["about"]["config"]["train"]["use_holdout"] is False
    rates[float(rate)] = sum(d["top1"] for d in result["domains"])
assert rates[table["rate"]] == max(rates.values()), rates
# Every run deals its images in proportion, and has the chosen rate.
mpnas = json.load(open("whole/seed1/mpnas/result.json"))
config = mpnas["about"]["config"]
assert config["train"]["balance_domains"] is False
assert config["train"]["optimiser"]["rate"] == table["rate"]
assert abs(config["search"]["target"] - 64000) < 1e-6
alone = json.load(open("whole/seed1/independent/glyphs/result.json"))
assert alone["about"]["config"]["search"]["target"] == 80000
# One path for all, where that is the strategy.
common = json.load(open("whole/seed1/multi_head_nas/result.json"))
assert len(set(common["paths"].values())) == 1, common["paths"]
PY
says whole/table.md '| single_path_joint |'
says whole/table.md "Kendall's tau"
# Found and random paths, scored twice each.
python3 - <<'PY'
import sqlite3
db = sqlite3.connect("whole/seed1/mpnas/study.sqlite")
rows = db.execute("SELECT kind, count(*) FROM evaluations WHERE kind IN "
                  "('supernet', 'alone') GROUP BY kind ORDER BY kind").fetchall()
assert rows == [("alone", 9), ("supernet", 9)], rows
# Both stages in one file.
steps = dict(db.execute("SELECT label, count(*) FROM steps JOIN runs ON "
                        "runs.id=run GROUP BY label").fetchall())
assert set(steps) == {"search", "train"} and min(steps.values()) > 0, steps
PY

# The frozen path is the one that was trained on glyphs, to the bit.
python3 - <<'PY'
import json, struct
def read(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(n))
        data = f.read()
    head.pop("__metadata__", None)
    return {k: data[v["data_offsets"][0]:v["data_offsets"][1]] for k, v in head.items()}
before = read("whole/seed1/pretrain/model/1/weights.safetensors")
after = read("whole/seed1/single_path_multi_head/model/1/weights.safetensors")
body = [k for k in after if not k.startswith("head.")]
assert len(body) > 10 and all(before[k] == after[k] for k in body)
assert after["head.textures.classifier.weight"] != bytes(len(after["head.textures.classifier.weight"]))
PY

# What has ended stands, and is not done again.
run 2 compare --out whole
says err 'has begun here'
before=$(find whole -name result.json -newer whole.json | wc -l)
run 0 compare --out whole --resume --json
[ "$(find whole -name result.json -newer whole.json | wc -l)" -eq "$before" ] ||
    fail "a run that had ended was done again"
same "a resumed table is the same" "$(cat out)" "$(cat whole.json)"

# A result of something else is refused with the difference.
run 2 compare --out whole --resume --set train.batch=9
says err 'train.batch is 8 there and 9 here'

# Killed at any moment, a comparison goes on to the same numbers.
section='{"target": 80000, "backbone": "0:1", "pretrain": "glyphs"}'
numbers() { # everything but times
    python3 -c 'import json,sys
t = json.load(open(sys.argv[1])); t.pop("seconds"); print(json.dumps(t))' "$1"
}
resume=()
for wait in 0.2 0.5 0.9; do
    compare --out killed "${resume[@]}" --set train.checkpoint_every_s=0 \
        >/dev/null 2>&1 &
    pid=$!
    sleep "$wait"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    resume=(--resume)
done
run 0 compare --out killed --resume --set train.checkpoint_every_s=0
run 0 compare --out straight --set train.checkpoint_every_s=0
same "killed three times, the same table" "$(numbers killed/table.json)" \
    "$(numbers straight/table.json)"

# A domain is added to a network; the others' numbers stay as they are.
run 0 sy train "$tiny" --data data --out m/two --quiet \
    --set 'domains=["glyphs","textures"]' --set 'paths=["0:0","1:0"]'
run 0 sy train "$tiny" --data data --out m/three --quiet --start m/two --freeze
python3 - <<'PY'
import json, struct
def read(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(n))
        data = f.read()
    head.pop("__metadata__", None)
    return {k: data[v["data_offsets"][0]:v["data_offsets"][1]] for k, v in head.items()}
two = read("m/two/1/weights.safetensors")
three = read("m/three/1/weights.safetensors")
assert all(three[k] == v for k, v in two.items()), "a frozen number moved"
assert any(k.startswith("head.colours") for k in three)
start = json.load(open("m/three/1/model.json"))["provenance"]["start"]
assert start["frozen"] is True and len(start["sha256"]) == 64
PY
run 2 sy train "$tiny" --data data --out m/none --freeze
says err '--start MODEL'
