"""bench/http: requests a second, and tails, of the server over HTTP.

Loopback, connections that stay open, `switchyard load` on one processor and
the server under test on the other, with one HTTP thread and one compute thread.

1. CPU microseconds of a request, from the server process's own clock, in a
   closed loop of 16 clients. Ours is held against the sum of its parts, each
   measured alone in the same run: t_http, a libmicrohttpd server set up as ours
   whose empty handler is suspended and resumed as ours is; t_parse, our parser
   on the body; t_compute, the executor on the batch size that formed. `ratio`
   is (1 / ours) / (1 / sum): the share of the parts' speed that is left.
2. An empty handler that answers inline against nginx (`return 200`).
3. The same network in ONNX Runtime behind uvicorn: requests a second and p99.
4. Tails in an open loop of Poisson arrivals: p99 at 70 % of what the closed
   loop reached, against 1.5 times that of the empty handler at the same rate
   plus twice the compute time, in pairs; then 150 %: p99 of what is accepted,
   the share that is refused, and memory.

    --check sends a few requests to each and compares answers: no clock is
    looked at.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import common

CLIENTS = 16
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process that prints "listening on URL", or takes a port."""

    def __init__(self, name, command, url=None):
        self.name = name
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0,
                                                    {common.PROCESSORS[0]}))
        self.url = url
        while self.url is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"{name} does not start: {command}")
            if "listening on " in line:
                self.url = line.split("listening on ", 1)[1].strip()
        for _ in range(200):
            try:
                self.get("/v2/health/ready")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} does not become ready")

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=20).read()

    def pids(self):
        """The process and its children: nginx has a worker."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [pid] + [int(word) for word in file.read().split()]

    def cpu_s(self):
        seconds = 0.0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
        return seconds

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def load(self, *options):
        """What `switchyard load` found, on the other processor; and the CPU
        microseconds that each answered request cost the server."""
        before = self.cpu_s()
        run = subprocess.run(
            [f"{common.BUILD}/switchyard", "load", self.url, "--json",
             "--warmup", "0.3", *options], stdout=subprocess.PIPE, text=True,
            check=False, preexec_fn=lambda: os.sched_setaffinity(
                0, {common.PROCESSORS[-1]}))
        if not run.stdout:
            raise SystemExit(f"load on {self.name} failed")
        found = json.loads(run.stdout)
        # The warm-up's requests cost CPU as well.
        length = found["seconds"] / (found["seconds"] + 0.3)
        found["cpu_us"] = (self.cpu_s() - before) * length / max(
            1, found["done"] + found["refused"]) * 1e6
        return found

    def close(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, path, body, headers):
    request = urllib.request.Request(url + path, data=body, headers=headers)
    return urllib.request.urlopen(request, timeout=20).read()


def request_body(shape, pixels):
    """A request in JSON; without pixels, the head of a binary one."""
    image = {"name": "image", "shape": [1, *shape], "datatype": "UINT8"}
    output = {"name": "probabilities"}
    if pixels is None:
        size = shape[0] * shape[1] * shape[2]
        image["parameters"] = {"binary_data_size": size}
        output["parameters"] = {"binary_data": True}
    else:
        image["data"] = pixels.ravel().tolist()
    return json.dumps({"inputs": [image], "outputs": [output]}).encode()


class Bench:
    """All servers, on one network."""

    def __init__(self, config, folder):
        import numpy
        self.folder = folder
        self.onnx, = common.export(config, folder).values()
        self.repository = os.path.join(folder, "repository")
        self.servers = {}
        ours = self.add("ours", [
            f"{common.BUILD}/switchyard", "serve", self.repository, "--port",
            "0", "--threads", "1", "--http-threads", "1"])
        about = json.loads(ours.get("/v1/networks/net"))
        self.shape = about["input"]
        self.domain = about["domains"][0]["name"]
        about["networks"] = [{"name": "net"}]
        self.description = self.write("description", json.dumps(about))
        self.pixels = numpy.random.default_rng(3).integers(
            0, 256, self.shape).astype(numpy.uint8)
        self.path = f"/v2/models/net.{self.domain}/infer"
        self.body = request_body(self.shape, self.pixels)
        canned = self.write("answer", json.dumps(
            {"parameters": {"snapshot": "1"}, "outputs": [
                {"data": json.loads(self.ask("ours"))["outputs"][0]["data"]}]},
            separators=(",", ":")))
        # What ours answers to a binary request, byte for byte.
        head = request_body(self.shape, None)
        self.binary = self.write("binary", post(
            ours.url, self.path, head + self.pixels.tobytes(),
            {"Inference-Header-Content-Length": str(len(head))}))
        empty = [f"{common.BUILD}/bench/bench_http", "empty", self.description,
                 canned, self.binary]
        self.add("empty", empty)
        self.add("inline", empty + ["--inline"])
        self.add_nginx(canned)
        self.add_python()

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str)
                       else content)
        return path

    def add(self, name, command, url=None):
        self.servers[name] = Server(name, command, url)
        return self.servers[name]

    def add_nginx(self, canned):
        program = shutil.which("nginx") or shutil.which(
            "nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            common.miss("nginx", "Debian's nginx-light")
            return
        port = free_port()

        def text(path):
            return open(path, encoding="utf-8").read().replace("'", "\\'")
        small = json.dumps({"networks": [{"name": "net"}], "input": self.shape,
                            "domains": [{"name": self.domain, "labels":
                                         [str(i) for i in range(10)]}]})
        config = self.write("nginx.conf", f"""
            worker_processes 1; daemon off; master_process off;
            pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; keepalive_requests 1000000000;
                client_body_temp_path {self.folder}/nginx.body;
                proxy_temp_path {self.folder}/nginx.proxy;
                fastcgi_temp_path {self.folder}/nginx.fastcgi;
                uwsgi_temp_path {self.folder}/nginx.uwsgi;
                scgi_temp_path {self.folder}/nginx.scgi;
                server {{
                    listen 127.0.0.1:{port};
                    location /v2/models/ {{ return 200 '{text(canned)}'; }}
                    location / {{ return 200 '{small}'; }}
                }}
            }}""")
        version = subprocess.run([program, "-v"], capture_output=True,
                                 text=True, check=True).stderr
        server = self.add("nginx", [program, "-c", config, "-e",
                                    f"{self.folder}/nginx.log"],
                          f"http://127.0.0.1:{port}")
        server.name = version.split(":", 1)[1].strip()

    def add_python(self):
        try:
            import onnxruntime
            import uvicorn
        except ImportError as error:
            common.miss("the Python server", error)
            return
        server = self.add("python", [
            sys.executable, "bench/lib/pyserver.py", self.onnx,
            self.description, str(free_port())])
        server.name = (f"ONNX Runtime {onnxruntime.__version__} behind "
                       f"uvicorn {uvicorn.__version__}")

    def ask(self, name):
        return post(self.servers[name].url, self.path, self.body,
                    {"Content-Type": "application/json"})

    def close(self):
        for server in self.servers.values():
            server.close()


def check(bench):
    import numpy
    data = {name: json.loads(bench.ask(name))["outputs"][0]["data"]
            for name in bench.servers}
    for name in bench.servers:
        for form in ("binary", "json"):
            if form == "binary" and name == "nginx":
                continue  # its answer is a fixed JSON
            found = bench.servers[name].load(
                "--requests", "40", "--inputs", "3", "--send", form,
                "--clients", "3", "--timeout", "60")
            if found["done"] != 40 or found["failures"]:
                raise SystemExit(f"{name}, {form}: {found}")
    if "python" in data:
        common.agree("the Python server", numpy.array(data["ours"]),
                     numpy.array(data["python"]))
    print("http: " + ", ".join(bench.servers) + " answer")


def closed_rows(bench, config, seconds, rounds):
    """CPU of a request of each server, its parts, and the rates."""
    forms = {"binary": "binary UINT8", "json": "json UINT8"}
    case, rows, best = common.name_of(config), [], {}
    runner = common.Side("bench_runner", config, 1)
    ours = bench.servers["ours"]
    for form, part in forms.items():
        runs = {name: [] for name in bench.servers}
        for _ in range(rounds):
            for name, server in bench.servers.items():
                send = "json" if name == "nginx" else form
                count = json.loads(ours.get("/v1/networks/net"))["counts"]
                found = server.load("--seconds", str(seconds), "--clients",
                                    str(CLIENTS), "--send", send)
                after = json.loads(ours.get("/v1/networks/net"))["counts"]
                found["batch"] = (after["requests"] - count["requests"]) / max(
                    1, after["batches"] - count["batches"])
                runs[name].append(found)
        parts = json.loads(subprocess.run(
            [f"{common.BUILD}/bench/bench_http", "parse", bench.repository,
             "net"], check=True, capture_output=True, text=True).stdout)[part]
        batch = max(1, round(statistics.median(
            run["batch"] for run in runs["ours"])))
        compute = min(runner.seconds("infer", batch, 200) for _ in range(5))
        compute_us = compute / batch * 1e6
        cost = {n: [run["cpu_us"] for run in runs[n]] for n in runs}
        rate = {n: [run["rate"] for run in runs[n]] for n in runs}
        best[form] = (statistics.median(rate["ours"]), compute * 1e6)
        name = f"{case} {form}"
        total = [each + parts["parse_us"] + compute_us
                 for each in cost["empty"]]
        rows.append(common.row(
            name, "1 / (t_http + t_parse + t_compute)", "requests/s/core",
            [1e6 / each for each in cost["ours"]],
            [1e6 / each for each in total],
            t_http_us=statistics.median(cost["empty"]),
            t_parse_us=parts["parse_us"], t_encode_us=parts["encode_us"],
            t_compute_us=compute_us, batch=batch))
        for part_name, value in (("t_http", statistics.median(cost["empty"])),
                                 ("t_parse", parts["parse_us"]),
                                 ("t_encode", parts["encode_us"]),
                                 (f"t_compute, batch {batch}", compute_us)):
            rows.append(common.row(name, part_name, "us of CPU", cost["ours"],
                                   value))
        if form == "json":
            rows.append(common.row("parse JSON, a 32x32x3 tensor", "50 us, goal",
                                   "us", [parts["parse_us"]], 50.0))
            if "nginx" in cost:
                rows.append(common.row(
                    "empty handler, inline", bench.servers["nginx"].name,
                    "requests/s/core", [1e6 / us for us in cost["inline"]],
                    [1e6 / us for us in cost["nginx"]]))
        if "python" in rate:
            peer = bench.servers["python"].name
            rows.append(common.row(name, peer, "requests/s", rate["ours"],
                                   rate["python"]))
            rows.append(common.row(
                name + ", p99", peer, "us",
                [run["latency_us"]["p99"] for run in runs["ours"]],
                [run["latency_us"]["p99"] for run in runs["python"]]))
    runner.close()
    return rows, best


def open_rows(bench, config, seconds, rounds, most, compute_us):
    """Tails at 70 % in pairs with the empty handler, then at 150 %."""
    case = common.name_of(config)
    p99 = {"ours": [], "empty": []}

    def tail(name, share):
        return bench.servers[name].load(
            "--seconds", str(seconds), "--rate", str(share * most), "--clients",
            "512", "--send", "binary")
    for _ in range(rounds):
        for name in p99:
            p99[name].append(tail(name, 0.7)["latency_us"]["p99"])
    bound = [1.5 * each + 2 * compute_us for each in p99["empty"]]
    rows = [common.row(f"{case} p99 at 70 %, {0.7 * most:.0f}/s",
                       "empty handler at that rate", "us", p99["ours"],
                       p99["empty"]),
            common.row(f"{case} p99 at 70 %", "1.5 x empty + 2 x compute",
                       "us", p99["ours"], bound)]
    ours = bench.servers["ours"]
    before = ours.rss_mib()
    found = tail("ours", 1.5)
    middle = ours.rss_mib()
    again = tail("ours", 1.5)
    rows.append(common.row(
        f"{case} p99 at 150 %, accepted", "2 x p99 at 70 %", "us",
        [found["latency_us"]["p99"], again["latency_us"]["p99"]],
        2 * statistics.median(p99["ours"]), refused=found["refused"],
        done=found["done"], failures=found["failures"]))
    rows.append(common.row(f"{case} memory, second run at 150 %",
                           f"after the first ({before:.0f} before)", "MiB",
                           [ours.rss_mib()], middle))
    for each in (found, again):
        rows.append(common.row(f"{case} refused at 150 %", "sent",
                               "requests", [each["refused"]], each["sent"]))
    return rows


def main():
    parser = argparse.ArgumentParser(
        prog="bench/http", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("config", nargs="?",
                        default="bench/nets/mbv3s32_1M.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.config, folder)
        try:
            if options.check:
                check(bench)
                return
            rows, best = closed_rows(bench, options.config, options.seconds,
                                     options.rounds)
            rows += open_rows(bench, options.config, options.seconds,
                              options.rounds, *best["binary"])
        finally:
            bench.close()
    common.report(rows, options.json)


if __name__ == "__main__":
    main()
