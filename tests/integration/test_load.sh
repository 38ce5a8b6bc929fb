#!/usr/bin/env bash
# `switchyard load` against our server, and against one that misbehaves. Only
# counts, and times that a slow machine makes longer, are looked at.
set -eu
# shellcheck source=tests/integration/server.sh
. "$SY_SOURCE_DIR/tests/integration/server.sh"

say "our server: all three ways to send"
"$SY_MAKE_MODEL" models/net 1 >/dev/null
: >listen
"$SY_PROGRAM" serve models --port 0 >listen 2>log &
server=$!
await_address listen
for way in binary json image; do
    run 0 sy load "$url" --send $way --clients 3 --requests 60 --inputs 4 \
        --warmup 0 --timeout 60 --json
    told 'r["sent"] == r["done"] == 60 and r["failures"] == 0'
    told 'r["answered"] == 12 and r["top1"] is None and r["loop"] == "closed"'
    told 'sum(d["done"] for d in r["domains"]) == 60'
    told 'r["connections"] <= 3 and r["latency_us"]["p50"] > 0'
done
run 0 sy load "$url" --rate 200 --arrivals fixed --requests 40 --warmup 0 \
    --timeout 60 --domain d1=3 --domain d0 --datatype FP32
says out "open loop, 200 requests/s"
says out "always the same bits"

say "what cannot be asked for"
run 2 sy load "$url" --domain nosuch
says err 'no domain "nosuch"'
run 2 sy load "$url" --domain d0=0
run 2 sy load "$url" --network nosuch --requests 1
run 2 sy load "$url" --rate fast
says err "--rate"
run 2 sy load "$url" --send pigeon
run 2 sy load ftp://127.0.0.1
run 2 sy load "$url" --header nocolon
stop_server
run 1 sy load "$url" --requests 1
says err "nobody answers there"

say "a server that misbehaves"
cat >bad.py <<'PY'
import http.server, json, os, sys, time
mode = sys.argv[1]
count = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet
    def log_message(self, *_): pass
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.reply(200, json.dumps(
            {"networks": [{"name": "n"}], "input": [2, 2, 3],
             "domains": [{"name": "d", "labels": ["x", "y"]}]}).encode())
    def do_POST(self):
        global count
        self.rfile.read(int(self.headers["Content-Length"]))
        count += 1
        if mode == "stall" and count == 10:
            time.sleep(0.6)
        if mode == "refuse" and count % 2:
            return self.reply(503, b"{}")
        if mode == "broken" and count % 2:
            return self.reply(500, b"{}")
        if mode == "leave" and count == 5:
            self.close_connection = True
            return
        data = [0.5, 0.25 if mode == "drift" and count > 5 else 0.125]
        self.reply(200, json.dumps(
            {"parameters": {"snapshot": "1"}, "outputs": [{"data": data}]},
            separators=(",", ":")).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("http://127.0.0.1:%d" % server.server_address[1], flush=True)
server.serve_forever()
PY
# bad MODE STATUS OPTION...
bad() {
    local mode=$1 status=$2
    shift 2
    : >listen # the one before must not be found
    python3 bad.py "$mode" >listen 2>log &
    server=$!
    await_address listen
    run "$status" sy load "$url" --send json --inputs 1 --warmup 0 \
        --timeout 60 --json "$@"
    drop_server
}
bad drift 1 --clients 1 --requests 20
told 'r["failed"]["other_bits"] == 15 and r["done"] == 5'
bad refuse 0 --clients 1 --requests 20
told 'r["refused"] == 10 and r["done"] == 10 and r["failures"] == 0'
bad broken 1 --clients 1 --requests 20
told 'r["failed"]["status"] == {"500": 10} and r["done"] == 10'
# One connection that the server ends without an answer: sent once more.
bad leave 0 --clients 1 --requests 20
told 'r["done"] == 20 and r["connections"] == 2'
# A stop of 0.6 s is felt by all that were due meanwhile, not by one alone:
# of 100 due in a second, on one connection, some 50 wait 0.1 s and more.
bad stall 0 --clients 1 --rate 100 --arrivals fixed --requests 100
told 'r["done"] == 100 and r["latency_us"]["max"] > 5e5'
told 'r["latency_us"]["p90"] > 1e5'
