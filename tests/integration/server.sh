# shellcheck shell=bash
# server.sh - for scripts that start servers in the background; sourced, not
# run. $server is the one that runs, 0: none; its log stands in the file log.
: "${SY_MAKE_MODEL:?}"
# shellcheck source=tests/integration/lib.sh
. "$SY_SOURCE_DIR/tests/integration/lib.sh"
server=0

# Ends whatever runs, however it takes it.
drop_server() {
    [ "$server" -eq 0 ] || kill "$server" 2>/dev/null || true
    wait # for all of them; says nothing of how they ended
    server=0
}
trap 'drop_server; cleanup' EXIT

# Ends our server, which must say that all was well: a sanitizer's last word
# is in its status.
stop_server() {
    kill "$server"
    wait "$server" || fail "the server ended with $?: $(cat log)"
    server=0
}

# await_address FILE: $url becomes the address that ends its first line.
await_address() {
    for _ in $(seq 400); do
        url=$(sed -n 's/.*\(http:[^ ]*\)$/\1/p' "$1")
        [ -n "$url" ] && return
        sleep 0.05
    done
    fail "no server: $(cat log)"
}

# told EXPRESSION: Python's view of the document r in the file out.
told() {
    python3 -c "import json; r = json.load(open('out')); assert $1, r" ||
        fail "expected $1 in $(cat out)"
}
