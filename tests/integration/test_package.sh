#!/usr/bin/env bash
# The packages: what is in them, that the unit is sound, that manual pages and
# help agree, and that a program can be built with the library. Needs cpack,
# dpkg-deb and a build without sanitizers.
set -u
: "${SY_PROGRAM:?}" "${SY_SOURCE_DIR:?}" "${SY_BUILD_DIR:?}" "${SY_MAKE_MODEL:?}"
command -v cpack >/dev/null && command -v dpkg-deb >/dev/null &&
    command -v dpkg-shlibdeps >/dev/null && [ -z "${SY_SANITIZED:-}" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

cpack --config "$SY_BUILD_DIR/CPackConfig.cmake" -B "$work/packages" \
    >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
server=$(echo "$work"/packages/switchyard_*.deb)
dev=$(echo "$work"/packages/libswitchyard-dev_*.deb)
root=$work/root
mkdir "$root"
dpkg-deb -x "$server" "$root" && dpkg-deb -x "$dev" "$root" || exit 1

for file in usr/bin/switchyard usr/lib/systemd/system/switchyard.service \
    usr/lib/systemd/system/switchyard.socket usr/lib/sysusers.d/switchyard.conf \
    usr/share/man/man1/switchyard-serve.1 etc/switchyard/server.json \
    usr/include/switchyard/runtime/executor/executor.h; do
    [ -f "$root/$file" ] || fail "$file is in no package"
done
[ -e "$root/usr/local" ] && fail "something is in /usr/local"
dpkg-deb -f "$server" Depends | grep -q libmicrohttpd || fail "no dependencies"
[ "$(dpkg-deb --ctrl-tarfile "$server" | tar -xO ./conffiles)" = \
    /etc/switchyard/server.json ] || fail "the configuration is no conffile"

# The program from the package runs, with the configuration that comes along.
"$SY_MAKE_MODEL" "$work/models/net" 2 >/dev/null || exit 1
"$root/usr/bin/switchyard" serve --check "$work/models" --config \
    "$root/etc/switchyard/server.json" >/dev/null || fail "the packaged program"

# The unit. Where it looks for the program there may be none yet.
if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/bin/switchyard|$root/usr/bin/switchyard|" \
        "$root/usr/lib/systemd/system/switchyard.service" \
        >"$work/switchyard.service"
    cp "$root/usr/lib/systemd/system/switchyard.socket" "$work"
    said=$(systemd-analyze verify --man=no "$work/switchyard.service" \
        "$work/switchyard.socket" 2>&1 | grep -F switchyard)
    [ -z "$said" ] || fail "systemd-analyze verify: $said"
fi

# Help and manual page have the same options; each command has a page.
options() { grep -oE "$1" | sed -E "s/$2//" | sort; }
for page in "$root"/usr/share/man/man1/*.1; do
    command=${page##*/switchyard-}
    command=${command%.1}
    help=$("$SY_PROGRAM" help "$command" | options '^  --[a-z-]+' '^  --')
    man=$(options '^\.It Fl \\-[a-z-]+' '^\.It Fl \\-' <"$page")
    [ -n "$help" ] && [ "$help" = "$man" ] || fail "help and page of $command"
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W error "$page" || fail "mandoc: $page"
    fi
done
"$SY_PROGRAM" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
    while read -r command; do
        [ -f "$root/usr/share/man/man1/switchyard-$command.1" ] ||
            echo "$command"
    done >"$work/missing"
[ -s "$work/missing" ] && fail "no page for: $(cat "$work/missing")"

# A program of somebody else's.
cat >"$work/use.c" <<'PROGRAM'
#include <runtime/network/path.h>
#include <runtime/base/status.h>
#include <stdio.h>
int main(void)
{
    puts(sy_status_text(SY_BUSY));
    return 0;
}
PROGRAM
pc=$(dirname "$(find "$root" -name switchyard.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs switchyard)
# shellcheck disable=SC2086 # a list of words
${CC:-cc} -o "$work/use" "$work/use.c" $flags && [ "$("$work/use")" = busy ] ||
    fail "a program with pkg-config"
mkdir "$work/app"
cp "$work/use.c" "$work/app"
cat >"$work/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(use C)
find_package(switchyard REQUIRED)
add_executable(use use.c)
target_link_libraries(use switchyard::switchyard)
CMAKE
PKG_CONFIG_PATH=$pc cmake -S "$work/app" -B "$work/app/build" \
    -Dswitchyard_DIR="$(dirname "$(find "$root" -name switchyardConfig.cmake)")" \
    >"$work/log" 2>&1 && cmake --build "$work/app/build" >>"$work/log" 2>&1 &&
    [ "$("$work/app/build/use")" = busy ] || {
    fail "a program with find_package"
    tail -5 "$work/log"
}

[ "$failures" = 0 ] && echo "all good"
exit "$((failures > 0))"
