#!/usr/bin/env bash
# Training through the program: the same bits whatever happens on the way.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

train() { sy train "$tiny" --data data --quiet "$@"; }

sy domains make data --only glyphs,textures,colours >out

# The same bits from the same seed, whatever the number of threads.
run 0 train --out m/first --threads 1 --json
python3 - <<'PY'
import json
report = json.load(open("out"))
assert report["version"] == 1 and report["steps"] == 45, report
assert [d["name"] for d in report["domains"]] == ["glyphs", "textures", "colours"]
assert all(0 <= d["valid_top1"] <= 1 for d in report["domains"]), report
PY
[ ! -s err ] || fail "--quiet is not quiet"
first=$(weights m/first/1)
run 0 train --out m/first --threads 1
same "a second training makes version 2, with the same bits" \
    "$(weights m/first/2)" "$first"
[ "$(find m/first -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ] ||
    fail "more than two versions: $(ls -A m/first)"
run 0 train --out m/two --threads 2
same "two threads give the bits of one" "$(weights m/two/1)" "$first"
run 0 train --out m/three --threads 3
same "three threads give the bits of one" "$(weights m/three/1)" "$first"
run 0 train --out m/seed --seed 2
[ "$(weights m/seed/1)" != "$first" ] || fail "the seed changes nothing"

# A longer run, to be interrupted.
long=(--set train.epochs=6 --set train.checkpoint_every_s=0.05)
run 0 train --out m/long "${long[@]}"
whole=$(weights m/long/1)

# interrupt SIGNAL FILE WAIT ARGS...: signals a run some time after FILE exists.
interrupt() {
    local signal=$1 file=$2 pid status=0
    sleep_s=$3
    shift 3
    "$SY_PROGRAM" train "$tiny" --data data --quiet "$@" >out 2>err &
    pid=$!
    wait_for "$file"
    sleep "$sleep_s"
    kill "-$signal" "$pid"
    wait "$pid" 2>/dev/null || status=$?
    echo "$status" >status
}

interrupt INT m/int/.train 0.2 --out m/int "${long[@]}"
[ "$(cat status)" -eq 1 ] || fail "SIGINT: status $(cat status)"
says err "--resume"
[ -e m/int/.train/checkpoint.safetensors ] || fail "SIGINT left no checkpoint"
[ ! -e m/int/1 ] || fail "SIGINT left a version"
say "SIGINT leaves a checkpoint and says how to go on"

before=$(sha256sum m/int/.train/checkpoint.safetensors)
run 2 train --out m/int "${long[@]}" --resume --set train.batch=9
says err "another run (config.train.batch is 8 there and 9 here)"
run 2 train --out m/int "${long[@]}" --resume --set 'paths=["1:0"]'
says err "another run (config.paths is "
cat >paths.json <<'JSON'
{"domains": {
  "glyphs": {"experts": [{"name": "main", "path": "0:1"}]},
  "textures": {"experts": [{"name": "main", "path": "1:1"}]},
  "colours": {"experts": [{"name": "main", "path": "0:2"}]}}}
JSON
run 2 train --out m/int "${long[@]}" --resume --paths paths.json
says err "another run (paths.colours.main is \"l0b0:l1b1\" there and \"l0b0:l1b2\" here"
same "a changed configuration or path is refused, the checkpoint stays" \
    "$(sha256sum m/int/.train/checkpoint.safetensors)" "$before"

run 0 train --out m/int "${long[@]}" --resume --threads 2
same "resumed after SIGINT: the bits of the whole run" \
    "$(weights m/int/1)" "$whole"
[ ! -e m/int/.train ] || fail "the checkpoint stays after the end"
run 2 train --out m/int "${long[@]}" --resume
says err "no checkpoint"

interrupt KILL m/kill/.train/checkpoint.safetensors 0.1 --out m/kill "${long[@]}"
[ "$(cat status)" -eq 137 ] || fail "kill -9: status $(cat status)"
[ ! -e m/kill/1 ] || fail "kill -9 left a version"
run 0 train --out m/kill "${long[@]}" --resume
same "resumed after kill -9: the bits of the whole run" \
    "$(weights m/kill/1)" "$whole"
[ ! -e m/kill/.train ] || fail "something of kill -9 stays: $(ls -A m/kill/.train)"

# A root gate finds domains, a gate chooses experts, the same bits each time.
cat >two.json <<'JSON'
{"domains": {
  "glyphs": {"experts": [{"name": "small", "path": "1:2"},
                         {"name": "main", "path": "0:0"}]},
  "textures": {"experts": [{"name": "main", "path": "0:1"}]},
  "colours": {"experts": [{"name": "main", "path": "0:2"}]}}}
JSON
gates=(--paths two.json --set 'train.root={"passes":6,"images":400}'
    --set train.routes.kind=gate --set train.routes.gate.passes=2
    --set train.distil=0.5)
run 0 train --out m/gates "${gates[@]}" --threads 1
says err "root gate: finds the domain of"
run 0 train --out m/gates "${gates[@]}" --threads 3
same "gates have the same bits with any number of threads" \
    "$(weights m/gates/1)" "$(weights m/gates/2)"
run 0 sy eval m/gates --data data --foreign glyphs --json
python3 - <<'PY'
import json
report = json.load(open("out"))
root = report["root"]
assert root["domains"] == ["glyphs", "textures", "colours"], root
assert [row["known"] for row in root["rows"]] == [True] * 4, root
for row in root["rows"]:
    assert sum(row["taken_for"]) + row["abstained"] == row["n"] == 1000, row
assert 0.5 < root["balanced_accuracy"] <= 1, root
PY
say "eval tells what the root gate confuses"
run 0 sy eval m/gates --data data --reencode-jpeg 5 --batch 1 --each --json
mv out jpeg.json
run 0 sy eval m/gates --data data --expert main --json
python3 - <<'PY'
import json
report, alone = json.load(open("jpeg.json")), json.load(open("out"))
for row, other in zip(report["domains"], alone["domains"]):
    assert len(row["right"]) == row["n"], row
    assert row["right"].count("1") == round(row["top1"] * row["n"]), row
    assert [e["name"] for e in other["experts"]] == ["main"], other
    assert "right" not in other
PY
say "eval asks one expert alone, and the root gate through a JPEG"
run 2 sy eval m/first --data data --foreign glyphs
says err "--foreign: " && says err "has no root gate"
run 2 sy eval m/first --data data --reencode-jpeg 75
says err "--reencode-jpeg: "
run 2 sy eval m/gates --data data --expert nobody
says err 'domain "glyphs" has no expert "nobody"'
# Only glyphs has it: not the others' routes under its name.
run 2 sy eval m/gates --data data --expert small
says err 'domain "textures" has no expert "small"'
run 0 sy eval m/gates --data data --expert small --domain glyphs --json
python3 - <<'PY'
import json
row, = json.load(open("out"))["domains"]
assert [e["name"] for e in row["experts"]] == ["small"], row
PY
run 2 sy eval m/gates --data data --expert small --domain textures
says err 'domain "textures" has no expert "small"'
say "eval refuses an expert that an evaluated domain does not have"
