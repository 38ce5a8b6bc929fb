# Sourced by bench/inference and bench/training: a release build and a
# throw-away Python environment with the peers, versions pinned. A peer that
# cannot be had is said by the driver, not passed over.

bench_build() {
    # shellcheck source=scripts/lib/setup.sh
    . scripts/lib/setup.sh
    sy_build release
}

# bench_python REQUIREMENT...: prints the environment's interpreter.
bench_python() {
    local folder=build/bench-peers
    if [ ! -x "$folder/bin/python" ]; then
        /usr/bin/python3 -m venv --system-site-packages "$folder" >&2
    fi
    local requirement
    for requirement in "$@"; do
        "$folder/bin/pip" install --quiet --disable-pip-version-check \
            "$requirement" >&2 || echo "not to be had: $requirement" >&2
    done
    echo "$folder/bin/python"
}
