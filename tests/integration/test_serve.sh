#!/usr/bin/env bash
# The server from outside: every route, bad input, limits, and a clean stop
# with requests under way. Needs SY_PROGRAM, SY_MAKE_MODEL, curl and python3.
set -u
command -v curl >/dev/null && command -v python3 >/dev/null || exit 77
: "${SY_PROGRAM:?}" "${SY_MAKE_MODEL:?}"
work=$(mktemp -d)
server=0
failures=0

cleanup() {
    [ "$server" -ne 0 ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# launch OPTION...: starts a server on a free port and sets $url. Its patience
# is long, because a sanitizer on a busy machine takes its time.
launch() {
    : >"$work/out"
    "$SY_PROGRAM" serve "$work/models" --port 0 --drain-ms 60000 \
        --request-timeout-ms 600000 "$@" \
        >"$work/out" 2>"$work/log" &
    server=$!
    for _ in $(seq 200); do
        url=$(sed -n 's/^listening on //p' "$work/out")
        [ -n "$url" ] && return
        sleep 0.05
    done
    fail "the server did not start: $(cat "$work/log")"
    exit 1
}

code() {
    curl -s -m 20 -o "$work/body" -w '%{http_code}' --path-as-is "$@"
}

# await PATH: waits until it answers 200.
await() {
    for _ in $(seq 200); do
        [ "$(code "$url$1")" = 200 ] && return
        sleep 0.05
    done
    fail "$1 did not become 200: $(cat "$work/log")"
}

# stop SIGNAL: the server must end with 0.
stop() {
    kill "-$1" "$server"
    wait "$server" || fail "after SIG$1 the server ended with $?"
    server=0
}

# expect STATUS CURL_ARGUMENT...
expect() {
    local wanted=$1 found
    shift
    found=$(code "$@")
    [ "$found" = "$wanted" ] ||
        fail "expected $wanted, found $found: $* -> $(head -c 300 "$work/body")"
    case $wanted in
    4* | 5*) python3 -c 'import json, sys; json.load(sys.stdin)["error"]' \
        <"$work/body" 2>/dev/null || fail "no JSON error from $*" ;;
    esac
}

# expect_raw 'STATUS open|closed' BYTES: sends bytes as they are.
expect_raw() {
    local found
    found=$(
        python3 - "$url" "$2" <<'PY'
import re, socket, sys
host, port = re.match(r"http://(.*):(\d+)", sys.argv[1]).groups()
s = socket.create_connection((host, int(port)), 10)
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin1"))
s.settimeout(5)
got, end = b"", "closed"
try:
    while piece := s.recv(65536):
        got += piece
except TimeoutError:
    end = "open"
first = got.split(b"\r\n")[0].split(b" ")
print(first[1].decode() if len(first) > 1 else "none", end)
PY
    )
    [ "$found" = "$1" ] || fail "expected '$1', found '$found' for $2"
}

# body FILE IMAGES TYPE: a request of that many images for net.d0.
body() {
    python3 - "$work/meta" "$@" <<'PY'
import json, sys
meta, path, images, kind = sys.argv[1:]
_, h, w, c = json.load(open(meta))["inputs"][0]["shape"]
n = int(images)
data = [i * 7 % 256 for i in range(n * h * w * c)]
if kind == "FP32":
    data = [u / 255 for u in data]
json.dump({"id": "t", "inputs": [{"name": "image", "shape": [n, h, w, c],
          "datatype": kind, "data": data}]}, open(path, "w"))
PY
}

picture() {
    python3 - "$1" <<'PY'
import struct, sys, zlib
w = h = 20
rows = b"".join(b"\0" + bytes((x * 13 + y * 7) % 256 for x in range(3 * w))
                for y in range(h))
def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))
open(sys.argv[1], "wb").write(
    b"\x89PNG\r\n\x1a\n" +
    chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
    chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
}

"$SY_MAKE_MODEL" "$work/models/net" 3 >/dev/null || exit 1
mkdir -p "$work/models/empty"
launch --max-body-mib 4 --max-images 4096
await /v2/health/ready
infer=$url/v2/models/net.d0/infer

[ "$(wc -l <"$work/out")" = 1 ] || fail "more than one line on stdout"

# What there is.
for path in /v2 /v2/ /v2/health/live /v2/health/ready /v2/models \
    /v2/models/net /v2/models/net/ready /v2/models/net.d1/versions/1 \
    /v2/models/net.d1/versions/1/ready /v2/models/stats /v2/models/net/stats \
    /v2/models/net.d1/config /v2/models/net.d1/versions/1/stats /v1/networks /v1/networks/net /; do
    expect 200 "$url$path"
done
expect 200 -I "$url/v2"
expect 200 "$url/v2/models/net.d0"
cp "$work/body" "$work/meta"

# Answers: bytes and floats agree, alone and in company.
body "$work/one.json" 1 UINT8
body "$work/float.json" 1 FP32
body "$work/many.json" 40 UINT8
for name in one float many; do
    expect 200 -X POST --data-binary "@$work/$name.json" "$infer"
    cp "$work/body" "$work/$name.reply"
done
python3 - "$work" <<'PY' || fail "answers differ"
import json, sys
one, flt, many = (json.load(open(f"{sys.argv[1]}/{n}.reply"))
                  for n in ("one", "float", "many"))
assert one["id"] == "t" and one["model_version"] == "1"
assert one["outputs"] == flt["outputs"]
k = one["outputs"][1]["shape"][1]
assert many["outputs"][1]["shape"] == [40, k]
assert many["outputs"][1]["data"][:k] == one["outputs"][1]["data"]
assert abs(sum(one["outputs"][0]["data"]) - 1) < 1e-5
PY
expect 400 --data-binary "@$work/one.json" "$url/v2/models/net/infer"

# A picture.
picture "$work/x.png"
expect 200 --data-binary "@$work/x.png" "$url/v1/classify/net.d0"
python3 - "$work/body" <<'PY' || fail "classify's reply"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["domain"] == "d0" and len(r["top"]) == 5 and r["snapshot"] == "1"
assert r["top"][0]["label"] == r["label"]
assert set(r["route"]) == {"experts", "exit", "blocks", "reused", "madds",
                           "us", "decisions"}
assert r["route"]["experts"] == ["e0"] and r["route"]["exit"] == "e0"
PY
expect 200 --data-binary "@$work/x.png" "$url/v1/classify/net?domain=d0"
expect 200 --data-binary "@$work/x.png" "$url/v1/classify/net.d0?max_madds=100000000"
expect 400 --data-binary "@$work/x.png" "$url/v1/classify/net.d0?max_madds=1"
expect 400 --data-binary "@$work/x.png" "$url/v1/classify/net.d0?max_madds=1k"
expect 200 --data-binary "@$work/x.png" "$url/v1/classify/net.d0?deadline_us=9000000"
expect 400 --data-binary "@$work/x.png" "$url/v1/classify/net.d0?deadline_us=soon"
expect 400 --data-binary "@$work/x.png" "$url/v1/classify/net"
expect 400 --data-binary "@$work/one.json" "$url/v1/classify/net.d0"
expect 400 -X POST "$url/v1/classify/net.d0"

# What is not there, and what may not be.
for path in /nope /v2/models/none /v2/models/net.d9 /v2/models/net/versions/7 \
    /v2//models /v2/models/net%2Fd0 /v1/networks/none; do
    expect 404 "$url$path"
done
for path in /v2/models/a%00b /v2/../v2 /v2/%2e%2e /v2/% /v2/%0a; do
    expect 400 "$url$path"
done
expect 405 -X DELETE "$url/v2"
expect 405 -X BREW "$url/v2"
expect 405 "$infer"
curl -s -D - -o /dev/null "$infer" | grep -qi '^Allow: POST' ||
    fail "405 without Allow"

# Bad bodies; the server goes on.
for text in '' '{' '[]' '{}' 'x' '{"inputs":[]}' '{"inputs":[{"data":[1,' \
    '{"inputs":[{"name":"image","shape":[1],"datatype":"UINT8","data":[1]}]}'; do
    expect 400 --data-binary "$text" "$infer"
done
head -c 5000000 /dev/zero >"$work/large"
expect 413 --data-binary "@$work/large" "$infer"
expect 413 -H 'Transfer-Encoding: chunked' --data-binary "@$work/large" "$infer"
expect 404 --data-binary "@$work/x.png" "$url/none"

# Bodies in a coding, in and out; a bomb is stopped at the limit.
expect 501 -H 'Content-Encoding: br' --data-binary "@$work/one.json" "$infer"
expect 400 -H 'Content-Encoding: gzip' --data-binary "@$work/one.json" "$infer"
python3 - "$work" <<'PY'
import gzip, sys, zlib
work = sys.argv[1]
body = open(f"{work}/one.json", "rb").read()
open(f"{work}/one.gzip", "wb").write(gzip.compress(body))
open(f"{work}/one.deflate", "wb").write(zlib.compress(body))
open(f"{work}/bomb.gzip", "wb").write(gzip.compress(bytes(5 << 20)))
PY
for coding in gzip deflate; do
    expect 200 --compressed -H "Accept-Encoding: $coding" \
        -H "Content-Encoding: $coding" --data-binary "@$work/one.$coding" "$infer"
    cmp -s "$work/body" "$work/one.reply" || fail "the answer to $coding differs"
    curl -s -D - -o /dev/null -H "Accept-Encoding: $coding" \
        --data-binary "@$work/one.json" "$infer" |
        grep -qi "^Content-Encoding: $coding" || fail "no $coding came back"
done
expect 413 -H 'Content-Encoding: gzip' --data-binary "@$work/bomb.gzip" "$infer"
curl -s -D - -o /dev/null -H "Accept-Encoding: gzip" "$url/v2" |
    grep -qi "^Content-Encoding" && fail "metadata came compressed"

# Framing that could smuggle.
to='POST /v2/models/net/infer HTTP/1.1\r\nHost: a\r\n'
chunks='Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
expect_raw '400 closed' 'GET /v2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
expect_raw '400 closed' "${to}Content-Length: 3\r\n$chunks"
expect_raw '400 closed' \
    "${to}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
expect_raw '501 closed' "${to}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
expect_raw '400 closed' 'GET /v2 HTTP/1.1\r\n\r\n'
expect_raw '200 closed' 'GET /v2 HTTP/1.0\r\n\r\n'
expect_raw '200 closed' \
    'GET http://a/v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
expect 200 "$url/v2/health/ready"

# Peers that leave in the middle of a request give their places back.
sockets() { find "/proc/$server/fd" -lname 'socket:*' | wc -l; }
before=$(sockets)
python3 - "$url" <<'PY'
import re, socket, sys
host, port = re.match(r"http://(.*):(\d+)", sys.argv[1]).groups()
for _ in range(100):
    s = socket.create_connection((host, int(port)), 10)
    s.sendall(b"POST /v2/models/net/infer HTTP/1.1\r\nHost: a\r\n"
              b"Content-Length: 1000000\r\n\r\n" + bytes(50000))
    s.close()
PY
for _ in $(seq 150); do # within 15 s: the idle timeout is 30
    [ "$(sockets)" -le "$((before + 2))" ] && break
    sleep 0.1
done
[ "$(sockets)" -le "$((before + 2))" ] ||
    fail "peers that left keep $(sockets) sockets, $before before"

# A client that goes away while its request waits frees its place.
body "$work/big.json" 2000 UINT8
python3 - "$url" "$work/big.json" <<'PY' || fail "clients that left keep places"
import http.client, json, re, socket, sys, time
host, port = re.match(r"http://(.*):(\d+)", sys.argv[1]).groups()
body = open(sys.argv[2], "rb").read()
head = (b"POST /v2/models/net.d0/infer HTTP/1.1\r\nHost: a\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body))
clients = [socket.create_connection((host, int(port)), 30) for _ in range(30)]
for s in clients:
    s.sendall(head + body)
for s in clients:
    s.close()
c = http.client.HTTPConnection(host, int(port), timeout=30)
for _ in range(300):
    c.request("GET", "/v1/networks/net")
    if json.load(c.getresponse())["counts"]["queued"] == 0:
        sys.exit()
    time.sleep(0.1)
sys.exit(1)
PY

# A stop with requests under way: every one of them is answered.
body "$work/big.json" 2000 UINT8
for i in 1 2 3 4; do
    curl -s -m 60 -o "$work/stop$i" -w '%{http_code}' --data-binary \
        "@$work/big.json" "$infer" >"$work/code$i" &
    clients[i]=$!
done
sleep 0.25
stop TERM
wait "${clients[@]}"
for i in 1 2 3 4; do
    [ "$(cat "$work/code$i")" = 200 ] ||
        fail "request $i under way at the stop: $(cat "$work/code$i")"
done

# Small limits: a full queue and a passed deadline are 503 or 504.
launch --max-queue 1 --request-timeout-ms 1 --max-batch 1
await /v2/health/ready
infer=$url/v2/models/net.d0/infer
for i in 1 2 3 4 5 6; do
    curl -s -m 60 -o /dev/null -D "$work/head$i" -w '%{http_code}\n' \
        --data-binary "@$work/big.json" "$infer" >"$work/code$i" &
    clients[i]=$!
done
wait "${clients[@]}"
for i in 1 2 3 4 5 6; do
    grep -qE '^(503|504)$' "$work/code$i" ||
        fail "beyond the limits: $(cat "$work/code$i")"
    grep -q '^503' "$work/code$i" && ! grep -qi '^Retry-After' "$work/head$i" &&
        fail "503 without Retry-After"
done
expect 200 "$url/v2/health/ready"
stop INT

# A network that cannot be loaded: alive, not ready, and it says why.
"$SY_MAKE_MODEL" "$work/models/broken" 4 >/dev/null || exit 1
weights=$work/models/broken/1/weights.safetensors
chmod u+w "$weights"
head -c -4 "$weights" >"$work/cut" && cp "$work/cut" "$weights"
launch
await /v2/models/net/ready
expect 200 "$url/v2/health/live"
expect 503 "$url/v2/health/ready"
expect 503 "$url/v2/models/broken/ready"
expect 200 --data-binary "@$work/one.json" "$url/v2/models/net.d0/infer"
stop TERM

# An empty folder is served, with a warning; --json tells the address.
mkdir "$work/none"
"$SY_PROGRAM" serve "$work/none" --port 0 --json >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
    url=$(sed -n 's/^ *"url": "\(.*\)",*$/\1/p' "$work/out")
    [ -n "$url" ] && break
    sleep 0.05
done
expect 503 "$url/v2/health/ready"
stop TERM
grep -q "holds no network" "$work/log" || fail "no word about an empty folder"
python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["url"].endswith(":%d" % d["port"]), d' <"$work/out" || fail "serve --json"

# Wrong use.
"$SY_PROGRAM" serve "$work/nowhere" --port 0 >/dev/null 2>"$work/log"
[ $? != 0 ] || fail "a folder that does not exist"
grep -q nowhere "$work/log" || fail "no word about the folder"

[ "$failures" = 0 ] && echo "all good"
exit "$((failures > 0))"
