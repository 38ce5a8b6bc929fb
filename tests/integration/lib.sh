# shellcheck shell=bash
# lib.sh - what the integration scripts share; sourced, not run.
#
# Every script gets a temporary folder of its own, $work, which is its current
# folder and goes away at its end, and `sy`, the program.
: "${SY_PROGRAM:?path of the switchyard program}"
: "${SY_SOURCE_DIR:?path of the sources}"
SY_PROGRAM=$(realpath "$SY_PROGRAM")
tiny=$SY_SOURCE_DIR/tests/integration/tiny.json
work=$(mktemp -d)
cleanup() { # scripts with more to clean up call this too
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

sy() { "$SY_PROGRAM" "$@"; }

say() { printf '  %s\n' "$*"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    if [ -s err ]; then
        sed 's/^/    stderr: /' err >&2
    fi
    exit 1
}

# run STATUS COMMAND...: output in the files out and err; the status must match.
run() {
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$status" -eq "$expected" ] ||
        fail "expected status $expected, found $status: $*"
}

# says FILE WORDS: the file holds these words.
says() {
    grep -qF -- "$2" "$1" || fail "expected \"$2\" in: $(cat "$1")"
}

# The SHA-256 of the weights of a version's folder.
weights() { sha256sum <"$1/weights.safetensors"; }

same() { # WHAT A B
    [ "$2" = "$3" ] || fail "$1: $2 is not $3"
    say "$1"
}

# wait_for FILE: until it is there.
wait_for() {
    local i
    for i in $(seq 6000); do
        [ -e "$1" ] && return
        sleep 0.01
    done
    fail "$1 did not come into being in a minute"
}
