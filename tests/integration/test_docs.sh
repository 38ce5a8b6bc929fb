#!/usr/bin/env bash
# docs/configuration.md has every key that the program reads, and each shipped
# configuration is accepted.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
page=$SY_SOURCE_DIR/docs/configuration.md

keys=$(sed -n 's/.*"\([a-z0-9_]*\)".*/\1/p' <(
    cat "$SY_SOURCE_DIR"/search/config*.c | tr -d '\n' |
        grep -oE '(sy_json_(opt_)?(int|int64|real|bool|text|choice|array|child)|nas_config_names)\([^,()]*, *"[a-z0-9_]+"|nas_config_by_domain\([^,()]*, *[^,()]*, *"[a-z0-9_]+"'
    tr -d '\n' <"$SY_SOURCE_DIR/runtime/network/spec_json.c" |
        grep -oE 'sy_json_(opt_)?(int|int64|real|bool|text|choice|array|child)\([^,()]*, *"[a-z0-9_]+"'
) | sort -u)
[ "$(wc -w <<<"$keys")" -ge 40 ] || fail "found only these keys: $keys"
for key in $keys; do
    grep -qE "^\| \`([a-z0-9_.]|\[\])*\b$key(\`|\.)" "$page" ||
        fail "docs/configuration.md has no row for \"$key\""
done
say "$(wc -w <<<"$keys") keys have their row"

# Without data a configuration that is in order fails at the first domain.
for file in "$SY_SOURCE_DIR"/configs/*.json; do
    run 2 sy train "$file" --data none --out made/m
    says err "expected a domain's folder"
    says err "none/"
done
say "shipped configurations are accepted"
