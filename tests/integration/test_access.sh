#!/usr/bin/env bash
# Access and observation: TLS and its rotation, client certificates, keys,
# rates, the access log, and metrics that a parser reads. Needs SY_PROGRAM,
# SY_MAKE_MODEL, python3 and openssl (to make certificates).
set -u
command -v python3 >/dev/null && command -v openssl >/dev/null || exit 77
: "${SY_PROGRAM:?}" "${SY_MAKE_MODEL:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SY_MAKE_MODEL" "$work/models/net" 3 >/dev/null || exit 1

# certificate NAME ISSUER SUBJECT: NAME.pem and NAME.key.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$3" 2>/dev/null &&
        printf 'subjectAltName=IP:127.0.0.1' >"$work/ext" &&
        openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey \
            "$work/$2.key" -days 2 -extfile "$work/ext" -out "$work/$1.pem" \
            2>/dev/null
}
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$work/$1.key" -out "$work/$1.pem" -days 2 -subj "/CN=$1" \
        2>/dev/null
}
authority ca && authority stranger && certificate one ca first &&
    certificate two ca second && certificate client ca a-client &&
    certificate foe stranger a-foe || exit 1
SY_WORK=$work python3 -u "$(dirname "$0")/access.py" || exit 1
