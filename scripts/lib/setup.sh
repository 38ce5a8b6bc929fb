# Sourced by scripts/demo and scripts/test: everything a fresh Debian 12 or
# Ubuntu 24.04 needs, then a configured and built tree.

# The packages, and what each is for (README.md has the reasons).
sy_packages=(
    build-essential cmake ninja-build pkg-config
    libjansson-dev libsodium-dev libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev
    zlib1g-dev libpng-dev libjpeg-dev libzip-dev libprotobuf-c-dev
    protobuf-c-compiler libsqlite3-dev libopenblas0-pthread
    check libsubunit-dev curl ca-certificates python3-venv)

sy_say() { printf '== %s\n' "$*"; }

sy_missing_packages() {
    local package
    for package in "${sy_packages[@]}"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null |
            grep -q 'install ok installed' || printf '%s ' "$package"
    done
}

# Installs what is missing, or says what somebody else has to install.
sy_install() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        local tool absent=()
        for tool in cc cmake ninja pkg-config curl python3 protoc-c; do
            command -v "$tool" >/dev/null || absent+=("$tool")
        done
        local module
        for module in jansson libsodium libmicrohttpd gnutls libcurl zlib libpng \
            libjpeg libzip libprotobuf-c sqlite3 check; do
            pkg-config --exists "$module" 2>/dev/null || absent+=("$module")
        done
        if [ ${#absent[@]} -gt 0 ]; then
            echo "This system has no apt-get. Please install: ${absent[*]}" >&2
            echo "(On Debian 12 and Ubuntu 24.04 this script does it itself;" \
                "there the packages are: ${sy_packages[*]})" >&2
            exit 2
        fi
        return
    fi
    local missing
    missing=$(sy_missing_packages)
    [ -n "$missing" ] || return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Neither root nor sudo. Please install: $missing" >&2
            exit 2
        fi
        as_root=(sudo)
    fi
    sy_say "installing: $missing"
    "${as_root[@]}" apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null
}

# sy_build PRESET: configures and builds; quiet unless it fails.
sy_build() {
    local preset=$1 log
    log=$(mktemp)
    sy_say "building preset $preset"
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; } \
        >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
