"""bench/http --ten: a server of ten domains: its start, an idle request, one
domain flooded beside nine quiet ones, deadlines under load.

Loopback; `switchyard load` on one processor, the server with one HTTP thread
and one compute thread on the other.

1. From the start of the process until every domain has answered once.
2. What an idle server adds to a request: queue, wake and encode, by its own
   histograms, over requests one after another.
3. The p99 of nine domains at a tenth of what the closed loop reached, alone
   and while the tenth domain is sent one and a half times all of that.
4. Of requests admitted at 70 % with a deadline of 20 ms, those that met it.
"""
import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import common
from serving import Server, post

CONFIG = "bench/nets/ten_1M.json"
DEADLINE_MS = 20


def serve(repository, *more):
    return Server("ours", [f"{common.BUILD}/switchyard", "serve", repository,
                           "--port", "0", "--threads", "1", "--http-threads",
                           "1", *more])


def metric(server, name):
    page = server.get("/metrics").decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)[1])


def start_ms(repository, domains, body):
    """From the process's start until each domain has answered."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [f"{common.BUILD}/switchyard", "serve", repository, "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = process.stdout.readline().split("listening on ", 1)[1].strip()
    for domain in domains:
        while True:
            try:
                post(url, f"/v2/models/net.{domain}/infer", body, {})
                break
            except urllib.error.HTTPError:
                time.sleep(0.001)
    spent = time.monotonic() - begin
    process.terminate()
    process.wait()
    return spent * 1e3


def idle_row(server, seconds):
    name = "switchyard_phase_duration_seconds"

    def totals():
        return {phase: [metric(server, f'{name}_{what}{{phase="{phase}"}}')
                        for what in ("sum", "count")]
                for phase in ("parse", "queue", "compute", "wake", "encode")}
    before = totals()
    server.load("--seconds", str(seconds), "--clients", "1", "--send",
                "binary")
    after = totals()
    mean = {phase: (after[phase][0] - before[phase][0]) * 1e6 /
            (after[phase][1] - before[phase][1]) for phase in before}
    added = mean["queue"] + mean["wake"] + mean["encode"]
    return common.row("idle server: queue + wake + encode", "50 us, goal",
                      "us", [added], 50.0,
                      **{f"{phase}_us": us for phase, us in mean.items()})


def fair_rows(server, domains, seconds, rate):
    """Nine domains, alone and beside the flooded tenth."""
    flooded, *quiet = domains
    few = ["--seconds", str(seconds), "--rate", str(0.1 * rate), "--clients",
           "64", "--send", "binary"]
    for domain in quiet:
        few += ["--domain", domain]
    alone = server.load(*few)
    flood = threading.Thread(target=lambda: flooded_found.update(server.load(
        "--seconds", str(seconds + 1), "--rate", str(1.5 * rate), "--clients",
        "512", "--send", "binary", "--domain", flooded)))
    flooded_found = {}
    flood.start()
    time.sleep(0.5)
    beside = server.load(*few)
    flood.join()
    return [common.row("p99 of nine domains, the tenth flooded", "alone", "us",
                       [beside["latency_us"]["p99"]],
                       [alone["latency_us"]["p99"]], done=beside["done"],
                       refused=beside["refused"],
                       flood_done=flooded_found["done"],
                       flood_refused=flooded_found["refused"]),
            common.row("of their requests, refused", "sent", "requests",
                       [beside["refused"]], [beside["sent"]])]


def deadline_row(server, seconds, rate):
    name = "switchyard_queue_expired_total"
    before = metric(server, name)
    found = server.load("--seconds", str(seconds), "--rate", str(0.7 * rate),
                        "--clients", "512", "--send", "binary")
    expired = metric(server, name) - before
    return common.row(f"deadline of {DEADLINE_MS} ms met at 70 %", "admitted",
                      "requests", [found["done"]], [found["done"] + expired],
                      refused=found["refused"])


def main():
    parser = argparse.ArgumentParser(
        prog="bench/http --ten", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repository = os.path.join(folder, "repository")
        common.Side("bench_runner", CONFIG, 1, "--all", "--save",
                    os.path.join(repository, "net")).close()
        server = serve(repository)
        about = json.loads(server.get("/v1/networks/net"))
        domains = [domain["name"] for domain in about["domains"]]
        assert len(domains) == 10, domains
        size = about["input"][0] * about["input"][1] * about["input"][2]
        body = json.dumps({"inputs": [{
            "name": "image", "shape": [1, *about["input"]], "datatype":
            "UINT8", "data": [i % 256 for i in range(size)]}]}).encode()
        rate = server.load("--seconds", "1", "--clients", "16", "--send",
                           "binary")["rate"]
        rows = [idle_row(server, options.seconds / 2)]
        rows += fair_rows(server, domains, options.seconds, rate)
        server.close()
        late = serve(repository, "--request-timeout-ms", str(DEADLINE_MS))
        rows.append(deadline_row(late, options.seconds, rate))
        late.close()
        rows.append(common.row(
            "start until ten domains answered", "300 ms, goal", "ms",
            [start_ms(repository, domains, body) for _ in range(5)], 300.0))
    common.report(rows, options.json, closed_loop=round(rate))
    for line in rows:
        print({key: value for key, value in line.items() if key not in (
            "unit", "ours_p95", "theirs_p95", "ours", "theirs", "peer")})


if __name__ == "__main__":
    main()
