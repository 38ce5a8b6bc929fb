#!/usr/bin/env bash
# Hot swap end to end: the command, swaps under load, a canary that turns bad,
# and kill -9. No time is asserted; bench/swap measures. SY_KILLS=50 and
# SY_SWAPS=1000 ask for more of it.
set -eu
: "${SY_MAKE_PACK:?}"
# shellcheck source=tests/integration/server.sh
. "$SY_SOURCE_DIR/tests/integration/server.sh"
[ -z "${SY_SANITIZED:-}" ] && few=1 share=6 || few=4 share=100 # they are slow
kills=${SY_KILLS:-$((12 / few))}
swaps=${SY_SWAPS:-$((40 / few))}
[ "$swaps" -le 100 ] || share=100 # a second each, where staging rests
driver=$SY_SOURCE_DIR/tests/integration/swaps.py

start_server() { # ARGUMENT...
    : >listen
    "$SY_PROGRAM" serve models --port 0 --pack-share "$share" "$@" >listen 2>log &
    server=$!
    await_address listen
    for _ in $(seq 400); do
        curl -fs "$url/v2/health/ready" >ready 2>err && return
        sleep 0.05
    done
    fail "not ready: $(cat log)"
}

"$SY_MAKE_MODEL" models/net 1 "" 10 >/dev/null
domains=$(seq -f d%.0f 0 9)
# shellcheck disable=SC2086 # a list of words
one=$("$SY_MAKE_PACK" models/net one.pack 1 0.5 $domains)
# shellcheck disable=SC2086
two=$("$SY_MAKE_PACK" models/net two.pack 2 0.5 $domains)
like=$("$SY_MAKE_PACK" models/net like.pack 3 0.000001 d3)
"$SY_MAKE_PACK" models/net late.pack 4 0.3 d4 >/dev/null
[ "$one" != "$two" ] || fail "two packs of one id"
start_server

say "a dry run tells bytes, and keeps nothing"
run 0 sy swap "$url" one.pack --dry-run --json
told 'r["bytes"]["new"] > 0 and r["bytes"]["shared"] > 0'
told 'r["probes"]["count"] > 0 and r["phase"] == "staged"'
told "r['id'] == '$one' and r['served'] == '1' and r['next'] == '1+$one'"
[ ! -e models/net/packs ] && [ ! -e models/net/CURRENT ] ||
    fail "a dry run left something behind"

say "bad packs are refused with the reason"
head -c 1000 one.pack >cut.pack
run 2 sy swap "$url" cut.pack
run 22 curl -fs --data-binary @cut.pack "$url/v1/networks/net/packs"
"$SY_MAKE_MODEL" other/net 7 "" 10 >/dev/null
"$SY_MAKE_PACK" other/net other.pack 1 0.5 d0 >/dev/null
run 2 sy swap "$url" other.pack
python3 - <<'END'
data = bytearray(open("one.pack", "rb").read())
data[len(data) // 2] ^= 1
open("flipped.pack", "wb").write(data)
END
run 22 curl -fs --data-binary @flipped.pack "$url/v1/networks/net/packs"
run 2 sy swap "$url" one.pack --shadow 101
run 2 sy swap "$url" one.pack --rule min_samples
run 2 sy swap "$url" "$one" --network net

say "a promotion that cannot be written changes nothing"
run 0 sy swap "$url" one.pack
says err "pack $one for net: 1 -> 1+$one"
mkdir models/net/CURRENT
run 2 sy swap "$url" "$one" --network net --promote
says err "CURRENT"
run 0 curl -fs "$url/v1/networks/net"
told 'r["snapshot"] == "1"'
rmdir models/net/CURRENT
run 0 sy swap "$url" one.pack --promote
run 0 sy swap "$url" one.pack --rollback
run 0 sy swap "$url" one.pack --drop

say "shadow, canary and promotion in one command, under load"
"$SY_PROGRAM" load "$url" --clients 4 --requests 1000000000 --inputs 4 --warmup 0 \
    --timeout 60 --json >load 2>load.err &
load=$!
run 0 sy swap "$url" like.pack --shadow 100 --canary 50 --promote \
    --rule min_samples=30 --rule max_time_ratio=1000
says err "agreement 1.0000"
says err "$like: promoted"
run 0 sy swap "$url" like.pack --rollback
run 0 sy swap "$url" "$like" --network net --promote --json
told "r['phase'] == 'promoted' and r['publish_us'] > 0"
python3 "$driver" turns "$url" "$swaps" one.pack two.pack >turns 2>err ||
    fail "swaps in turn"
kill -INT "$load"
wait "$load" || fail "requests failed while packs were swapped: $(cat load)"
cp load out
told 'r["failures"] == 0 and r["refused"] == 0 and r["done"] > 0'
told 'r["failed"]["other_bits"] == 0'
run 0 curl -fs "$url/metrics"
says out 'switchyard_swaps_total{result="promoted"} '$((swaps + 3))
says out 'switchyard_swap_publish_duration_seconds_count'

say "a canary that turns bad is rolled back by its rules"
run 0 python3 "$driver" late "$url" late.pack
says out "images agreed"

say "after a restart the same is served, and can be rolled back"
curl -fs "$url/v1/networks/net" | python3 -c \
    'import json,sys; print(json.load(sys.stdin)["snapshot"])' >before
stop_server
start_server
curl -fs "$url/v1/networks/net" | python3 -c \
    'import json,sys; print(json.load(sys.stdin)["snapshot"])' >after
same "the snapshot after a restart" "$(cat before)" "$(cat after)"
last=$(sed 's/.*+//' after)
run 0 sy swap "$url" "$last" --network net --rollback --json
told "r['phase'] == 'rolled_back'"
curl -fs "$url/v1/networks/net" | python3 -c \
    'import json,sys; print(json.load(sys.stdin)["snapshot"])' >back
[ "$(cat back)" != "$(cat after)" ] || fail "still serving $(cat back)"
stop_server

say "with keys, a pack that is not signed is refused"
printf 'switchyard-public-key %064d\n' 1 >keys
start_server --pack-keys keys
run 22 curl -fs --data-binary @two.pack "$url/v1/networks/net/packs"
run 2 sy swap "$url" two.pack --json
stop_server

say "kill -9 at $kills random moments"
run 0 python3 "$driver" kills "$SY_PROGRAM" models "$kills" 1 one.pack two.pack
cat out
