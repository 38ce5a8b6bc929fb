#!/usr/bin/env bash
# A search through the program, and the training of what it has found: the same
# bits whatever happens on the way.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

job=(--data data --quiet)
search() { sy search "$tiny" "${job[@]}" "$@"; }
train() { sy train "$tiny" "${job[@]}" --paths "$@"; }

sy domains make data --only glyphs,textures,colours >out

hash_run() { sha256sum <"$1/paths.json" && sha256sum <"$1/checkpoint.safetensors"; }

# The same bits from the same seed, whatever the number of threads.
run 0 search --out r/first --threads 1 --json
python3 - <<'PY'
import json
report = json.load(open("out"))
assert report["steps"] == 135 and report["run"] == "r/first", report
assert 0 <= report["entropy"] <= 1, report
assert report["decided"] == (report["entropy"] <= 0.3), report
paths = json.load(open(report["paths"]))
assert paths["search"]["steps"] == 135, paths
for row in report["domains"]:
    expert, = paths["domains"][row["name"]]["experts"]
    for key in "path", "madds", "params":
        assert expert[key] == row[key], (expert, row)
    assert row["cost"] == row["madds"] and row["target"] == 60000, row
PY
[ ! -s err ] || fail "--quiet is not quiet"
[ -s r/first/report.html ] || fail "no report"
python3 - <<'PY'
import sqlite3
db = sqlite3.connect("file:r/first/study.sqlite?mode=ro", uri=True)
steps, = db.execute("SELECT count(*) FROM steps WHERE loss > 0").fetchone()
assert steps == 3 * 135, steps
scored, = db.execute("SELECT count(DISTINCT step) FROM samples").fetchone()
samples, = db.execute("SELECT count(*) FROM samples").fetchone()
assert 100 <= scored < 135 and samples == scored * 3 * 3, (scored, samples)
PY
first=$(hash_run r/first)
for threads in 2 3; do
    run 0 search --out r/threads --threads "$threads"
    same "$threads threads give the bits of one" "$(hash_run r/threads)" "$first"
done
run 0 search --out r/seed --seed 2
[ "$(hash_run r/seed)" != "$first" ] || fail "the seed changes nothing"

# Longer runs, to be killed at random moments and resumed each time.
long=(--set search_passes=1.5 --set train.checkpoint_every_s=0.02 --set train.epochs=1)
run 0 search --out r/long "${long[@]}"
whole=$(hash_run r/long)
run 0 train r/long/paths.json --out m/long "${long[@]}"
trained=$(weights m/long/1)
python3 - <<'PY'
import json
model = json.load(open("m/long/1/model.json"))
assert model["provenance"]["search"]["config"]["search_passes"] == 1.5
PY

# kill_thrice FILE COMMAND...: killed three times, each after FILE exists and a
# random while, then run to its end.
kill_thrice() {
    local file=$1 i pid
    shift
    for i in 1 2 3; do
        "$SY_PROGRAM" "$@" $([ "$i" -eq 1 ] || echo --resume) >out 2>err &
        pid=$!
        wait_for "$file"
        sleep "0.0$((RANDOM % 10))"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    run 0 sy "$@" --resume
}
kill_thrice r/kill/checkpoint.safetensors \
    search "$tiny" "${job[@]}" --out r/kill "${long[@]}"
same "a search killed three times: paths and weights of the whole run" \
    "$(hash_run r/kill)" "$whole"

# The history of the killed run is that of the whole one, row by row.
python3 - <<'PY'
import sqlite3
def rows(run):
    db = sqlite3.connect(f"file:r/{run}/study.sqlite?mode=ro", uri=True)
    return [db.execute(sql).fetchall() for sql in (
        "SELECT step, domain, loss, accuracy, weight, reward, entropy, cost FROM steps ORDER BY 1, 2",
        "SELECT step, domain, sample, path, accuracy, cost, reward FROM samples ORDER BY 1, 2, 3",
        "SELECT step, domain, kind, path, top1, madds FROM evaluations ORDER BY 1, 2",
        "SELECT label, identity, seed, steps FROM runs")]
whole, killed = rows("long"), rows("kill")
assert whole[0] and whole[1] and whole[2] and len(whole[3]) == 1
assert whole == killed, "a killed run has another history"
PY
grep -q 'id="document">{"title":"tiny"' r/kill/report.html || fail "no report"
run 0 sy report r/first

run 0 search --out r/kill "${long[@]}" --resume
same "a search that has ended is resumed to the same end" \
    "$(hash_run r/kill)" "$whole"

# A training that ends removes its checkpoint: killed while it lasts.
"$SY_PROGRAM" train "$tiny" "${job[@]}" --paths r/long/paths.json \
    --out m/kill "${long[@]}" >out 2>err &
pid=$!
wait_for m/kill/.train/checkpoint.safetensors
kill -KILL "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
[ -e m/kill/1 ] || run 0 train r/long/paths.json --out m/kill "${long[@]}" --resume
same "a training of found paths killed: the weights of the whole run" \
    "$(weights m/kill/1)" "$trained"

# SIGINT writes a checkpoint and says how to go on.
"$SY_PROGRAM" search "$tiny" "${job[@]}" --out r/int "${long[@]}" >out 2>err &
pid=$!
wait_for r/int/checkpoint.safetensors
status=0
kill -INT "$pid" 2>/dev/null || true
wait "$pid" || status=$?
if [ "$status" -ne 0 ]; then
    [ "$status" -eq 1 ] || fail "SIGINT: status $status"
    says err "--resume"
fi
before=$(sha256sum <r/int/checkpoint.safetensors)
run 2 search --out r/int "${long[@]}" --resume --set search.reward_paths=2
says err "another run (config.search.reward_paths is 3 there and 2 here)"
same "a changed configuration is refused, the checkpoint stays" \
    "$(sha256sum <r/int/checkpoint.safetensors)" "$before"

# A full disk: files may have a kilobyte. The checkpoint before it stays.
(
    trap '' XFSZ
    ulimit -f 1
    run 1 search --out r/int "${long[@]}" --resume
    exit 0
)
says err "r/int/"
same "a full disk fails the run and keeps the last checkpoint" \
    "$(sha256sum <r/int/checkpoint.safetensors)" "$before"
run 0 search --out r/int "${long[@]}" --resume
same "resumed after SIGINT and a full disk: the whole run" \
    "$(hash_run r/int)" "$whole"

run 2 search --out r/none --set search.target=20000
says err 'no path of "glyphs" has at most 20000 madds; the cheapest paths have: glyphs 20128, textures 20128, colours 20096'
run 2 search --out r/none --set search=null
says err "search"
[ ! -e r/none ] || fail "a refused search leaves a folder"
say "what cannot be searched is refused before any work"
