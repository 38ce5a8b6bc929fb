# Sourced by the scripts of bench/: a release build, and the peers in
# build/bench-peers, a throw-away environment, with versions pinned. A peer
# that cannot be had is said here and by the driver, not passed over.

# bench_build: the preset whose programs are measured, by name and folder.
bench_build() {
    export SY_BENCH_BUILD=${SY_BENCH_BUILD:-build/release}
    # shellcheck source=scripts/lib/setup.sh
    . scripts/lib/setup.sh
    sy_build "$(basename "$SY_BENCH_BUILD")"
}

# bench_python REQUIREMENT...: prints the environment's interpreter.
bench_python() {
    local folder=build/bench-peers/python
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

# bench_xnnpack: Debian's XNNPACK, unpacked and not installed, where CMake
# looks for it (bench/CMakeLists.txt); leaves its version in SY_XNNPACK.
bench_xnnpack() {
    local folder=build/bench-peers/debian
    local packages=(libxnnpack-dev libxnnpack0 libpthreadpool-dev
        libpthreadpool0 libcpuinfo0)
    if [ ! -e "$folder/version" ]; then
        rm -rf "$folder"
        mkdir -p "$folder/packages"
        if (cd "$folder/packages" &&
            apt-get download "${packages[@]}" >/dev/null 2>&1); then
            local package
            for package in "$folder"/packages/*.deb; do
                dpkg -x "$package" "$folder"
            done
            dpkg-deb -f "$folder"/packages/libxnnpack0_*.deb Version \
                >"$folder/version"
        else
            echo "not to be had: ${packages[*]} (apt-get download)" >&2
            return 0
        fi
    fi
    SY_XNNPACK=$(cat "$folder/version")
    export SY_XNNPACK
}
