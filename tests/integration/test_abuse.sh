#!/usr/bin/env bash
# Clients that mean ill, or are broken: while each does its worst, the server
# answers others, and afterwards it holds nothing of theirs. Needs SY_PROGRAM,
# SY_MAKE_MODEL and python3. SY_IDLE=10000 opens more idle connections.
set -u
command -v python3 >/dev/null || exit 77
: "${SY_PROGRAM:?}" "${SY_MAKE_MODEL:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ulimit -n "$(ulimit -Hn)"
"$SY_MAKE_MODEL" "$work/models/net" 3 >/dev/null || exit 1
SY_WORK=$work python3 -u "$(dirname "$0")/abuse.py" || exit 1
