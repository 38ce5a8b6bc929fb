#!/usr/bin/env bash
# Training and serving agree: every test image of a grey and of an RGB domain
# through eval, predict, HTTP JSON (bytes and floats), HTTP binary and PNG
# upload gives the same bits. Weights of half the width change what is all but
# a tie and nothing else. Needs SY_DUMP_IMAGES, curl and python3.
set -u
command -v python3 >/dev/null || exit 77
: "${SY_DUMP_IMAGES:?path of dump_images}"
# shellcheck source=tests/integration/lib.sh
. "$SY_SOURCE_DIR/tests/integration/lib.sh"
server=0
stop() {
    [ "$server" = 0 ] || kill "$server" 2>/dev/null
    cleanup
}
trap stop EXIT

run 0 sy domains make data --only glyphs,textures,colours
# Long enough that answers differ from one image to the next.
run 0 sy train "$tiny" --data data --out models/tiny --quiet \
    --set train.epochs=2
"$SY_PROGRAM" serve models --port 0 >served 2>log &
server=$!
for _ in $(seq 600); do
    url=$(sed -n 's/^listening on //p' served)
    [ -n "$url" ] && curl -sf -o /dev/null "$url/v2/health/ready" && break
    sleep 0.05
done

agree() { # DOMAIN CHANNELS
    mkdir "images-$1"
    run 0 "$SY_DUMP_IMAGES" data "$1" 16 16 "images-$1"
    run 0 sy eval models/tiny --data data --domain "$1" --json
    mv out "eval-$1.json"
    # In the order of their numbers; predict writes one entry for each.
    (cd "images-$1" && ls -- *.png | sort -n) | sed "s|^|images-$1/|" >files
    run 0 xargs -a files "$SY_PROGRAM" predict models/tiny --domain "$1" --json
    mv out "predict-$1.json"
    python3 "$SY_SOURCE_DIR/tests/integration/agree.py" "$url" "$1" "$2" ||
        fail "the ways to ask about $1 disagree"
    say "$1 agrees"
    run 0 xargs -a files "$SY_PROGRAM" predict models/tiny --domain "$1" \
        --half-weights --json
    python3 "$SY_SOURCE_DIR/tests/integration/halves.py" "predict-$1.json" \
        out || fail "weights of half the width change answers of $1"
}
agree glyphs 1
agree colours 3
