#!/usr/bin/env bash
# Golden transcripts: requests of the protocols as they go over the wire, and
# the answers as they came when golden.txt was recorded.
# Needs SY_PROGRAM, SY_MAKE_MODEL and python3. SY_GOLDEN=record writes the
# answers anew; read the difference before you keep it.
set -u
: "${SY_PROGRAM:?}" "${SY_MAKE_MODEL:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SY_MAKE_MODEL" "$work/models/net" 3 >/dev/null || exit 1
SY_WORK=$work python3 -u "$(dirname "$0")/golden.py" || exit 1
