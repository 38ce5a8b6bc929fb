#!/usr/bin/env bash
# Operating the server: configuration file, --check, reload, socket
# activation, notification, and stopping under load, which loses nothing.
# Needs SY_PROGRAM, SY_MAKE_MODEL and python3. SY_DRAINS=20 stops it more often.
set -u
command -v python3 >/dev/null || exit 77
: "${SY_PROGRAM:?}" "${SY_MAKE_MODEL:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SY_MAKE_MODEL" "$work/models/net" 3 >/dev/null || exit 1
SY_WORK=$work python3 -u "$(dirname "$0")/operate.py" || exit 1
