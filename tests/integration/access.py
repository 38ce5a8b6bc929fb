"""The tests of test_access.sh; each function is one."""
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import warnings

from serving import PROGRAM, Server, image_body, run_all, until

WORK = os.environ["SY_WORK"]
MODELS = f"{WORK}/models"
INFER = "/v2/models/net.d0/infer"
LOAD = "/v2/repository/models/net/load"


class Https:
    """Asks a server over TLS and remembers whose certificate it saw."""

    def __init__(self, server, client=None, trust="ca"):
        self.context = ssl.create_default_context(cafile=f"{WORK}/{trust}.pem")
        if client:
            self.context.load_cert_chain(f"{WORK}/{client}.pem",
                                         f"{WORK}/{client}.key")
        self.server, self.subject = server, None

    def ask(self, method, path, body=None, headers={}):
        c = http.client.HTTPSConnection(self.server.host, self.server.port,
                                        timeout=60, context=self.context)
        c.request(method, path, body, headers)
        self.subject = dict(x[0] for x in c.sock.getpeercert()["subject"])
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, data


def tls_serves_and_certificates_rotate_without_a_restart():
    for name in ("pem", "key"):
        shutil.copy(f"{WORK}/one.{name}", f"{WORK}/live.{name}")
    with Server(MODELS, "--port", 0, "--tls-cert", f"{WORK}/live.pem",
                "--tls-key", f"{WORK}/live.key", scheme="https") as s:
        tls = Https(s)
        until(lambda: tls.ask("GET", "/v2/health/ready")[0] == 200, s.words())
        assert tls.subject["commonName"] == "first"
        # A connection that is open over the rotation goes on.
        c = http.client.HTTPSConnection(s.host, s.port, timeout=60,
                                        context=tls.context)
        c.request("GET", "/v2")
        c.getresponse().read()
        # A certificate without its key changes nothing.
        shutil.copy(f"{WORK}/two.pem", f"{WORK}/live.pem")
        s.send(signal.SIGHUP)
        until(lambda: "stay as they were" in s.words(), "no word of it")
        assert tls.ask("GET", "/v2")[0] == 200
        assert tls.subject["commonName"] == "first"
        shutil.copy(f"{WORK}/two.key", f"{WORK}/live.key")
        s.send(signal.SIGHUP)
        until(lambda: tls.ask("GET", "/v2")[0] == 200 and
              tls.subject["commonName"] == "second", s.words())
        c.request("GET", "/v2")
        assert c.getresponse().status == 200
        c.close()
        # Old protocols and plain text get nothing.
        raw = s.raw()
        raw.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not raw.recv(100).startswith(b"HTTP")
        raw.close()
        old = Https(s)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            old.ask("GET", "/v2")
            raise AssertionError("TLS 1.1 was taken")
        except (ssl.SSLError, ConnectionError):
            pass
        s.stop()


def clients_must_show_a_certificate_of_ours():
    with Server(MODELS, "--port", 0, "--tls-cert", f"{WORK}/one.pem",
                "--tls-key", f"{WORK}/one.key", "--tls-client-ca",
                f"{WORK}/ca.pem", scheme="https") as s:
        known = Https(s, "client")
        until(lambda: known.ask("GET", "/v2/health/ready")[0] == 200, s.words())
        for name in (None, "foe"):
            try:
                Https(s, name).ask("GET", "/v2/health/live")
                raise AssertionError(f"a client with {name} was let in")
            except (ssl.SSLError, ConnectionError, http.client.HTTPException):
                pass
        assert known.ask("GET", "/v2/health/live")[0] == 200
        s.stop()


def make_key(name):
    made = json.loads(subprocess.check_output(
        [PROGRAM, "serve", "--make-key", name]))
    return made["key"], made["entry"]


def keys_open_what_they_are_for_and_are_read_again():
    path = f"{WORK}/keys.json"
    infer, infer_entry = make_key("infer")
    admin, admin_entry = make_key("admin")
    infer_entry["classes"], admin_entry["classes"] = ["infer"], ["admin"]

    def write(*entries):
        with open(path, "w") as f:
            json.dump({"keys": entries, "anonymous": ["read"]}, f)

    write(infer_entry)
    assert infer not in open(path).read()
    with Server(MODELS, "--port", 0, "--keys", path) as s:
        s.until_ready()
        body = image_body(s)
        bearer = lambda key: {"Authorization": f"Bearer {key}"}
        assert s.ask("POST", INFER, body)[0] == 401
        assert s.ask("POST", INFER, body, bearer("sy_wrong"))[0] == 401
        assert s.ask("POST", INFER, body, bearer(infer))[0] == 200
        assert s.ask("POST", LOAD, b"{}", bearer(infer))[0] == 403
        assert s.ask("POST", LOAD, b"{}", bearer(admin))[0] == 401
        write(infer_entry, admin_entry)
        s.send(signal.SIGHUP)
        until(lambda: s.ask("POST", LOAD, b"{}", bearer(admin))[0] == 200,
              s.words())
        forwarded = {**bearer(admin), "X-Forwarded-For": "10.0.0.1"}
        assert s.ask("POST", LOAD, b"{}", forwarded)[0] == 403
        write(admin_entry)
        s.send(signal.SIGHUP)
        until(lambda: s.ask("POST", INFER, body, bearer(infer))[0] == 401,
              s.words())
        s.stop()


def a_client_above_its_rate_is_told_to_wait():
    with Server(MODELS, "--port", 0, "--client-rate", 5) as s:
        s.until_ready()
        codes = [s.code("/v2") for _ in range(30)]
        assert codes.count(429) > 10 and codes[0] == 200, codes
        status, _, headers = s.ask("GET", "/v2")
        if status == 429:
            assert int(headers["Retry-After"]) == 1
        assert s.code("/v2/health/live") == 200
        until(lambda: s.code("/v2") == 200, "it may never ask again")
        s.stop()


def lines_of(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def the_access_log_has_a_line_for_each_request_and_can_be_moved():
    path = f"{WORK}/access.log"
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with Server(MODELS, "--port", 0, "--access-log", path) as s:
        s.until_ready()
        body = image_body(s)
        _, _, headers = s.ask("POST", INFER, body, {
            "X-Request-Id": "mine-1", "traceparent": trace})
        assert headers["X-Request-Id"] == "mine-1"
        _, _, headers = s.ask("GET", "/nowhere/%22", None,
                              {"X-Request-Id": 'a"b'})
        assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-Id"])
        # Two connections are two threads': lines come in any order.
        until(lambda: {"mine-1", headers["X-Request-Id"]} <=
              {x["id"] for x in lines_of(path)}, path)
        line, = [x for x in lines_of(path) if x["id"] == "mine-1"]
        assert line["model"] == "net.d0" and line["status"] == 200, line
        assert line["route"] == "v2/models/*/infer" and line["images"] == 1
        assert line["trace_id"] == trace[3:35] and line["bytes_in"] == len(body)
        assert line["address"] == "127.0.0.1" and line["sent"], line
        assert line["us"] >= line["queue_us"] + line["compute_us"], line
        os.rename(path, path + ".1")
        s.send(signal.SIGHUP)
        until(lambda: os.path.exists(path), "no new file")
        s.ask("GET", "/v2", None, {"X-Request-Id": "after"})
        until(lambda: any(x["id"] == "after" for x in lines_of(path)), path)
        s.stop()


def parse_metrics(text):
    """A strict reader of the text format: {name: {labels: value}}, {name: type}."""
    samples, kinds, current = {}, {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert current not in kinds, line
            kinds[current] = kind
            continue
        found = re.fullmatch(
            r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? '
            r'(\S+)', line)
        assert found, line
        name, labels, value = found.groups()
        base = re.sub("_(bucket|sum|count)$", "", name)
        assert current == (base if kinds.get(base) == "histogram" else name), line
        at = samples.setdefault(name, {})
        assert labels not in at, line
        at[labels] = float(value)
    return samples, kinds


def metrics_are_valid_and_add_up():
    with Server(MODELS, "--port", 0) as s:
        s.until_ready()
        body = image_body(s, images=3)
        for _ in range(4):
            assert s.ask("POST", INFER, body)[0] == 200
        s.code("/nowhere")
        s.ask("POST", INFER, b"{")
        status, data, headers = s.ask("GET", "/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples, kinds = parse_metrics(data.decode())
        model = 'model="net.d0",version="1"'
        assert samples["nv_inference_request_success"][model] == 4
        assert samples["nv_inference_count"][model] == 12
        failure = samples["nv_inference_request_failure"]
        assert failure[model + ',reason="OTHER"'] == 1, failure
        assert samples["switchyard_http_rejected_total"]['reason="not_found"'] == 1
        images = samples["switchyard_expert_images_total"]
        assert sum(images.values()) == 12
        # Blocks times their cost is exactly what was computed.
        blocks = samples["switchyard_block_madds_total"]
        assert sum(blocks.values()) > 0
        assert sum(blocks.values()) == sum(
            samples["switchyard_domain_madds_total"].values())
        assert samples["switchyard_block_executions_total"][
            'network="net",block="stem"'] == 12
        for name, kind in kinds.items():
            if kind != "histogram":
                continue
            for labels, count in samples[name + "_count"].items():
                buckets = [v for k, v in samples[name + "_bucket"].items()
                           if (labels or "") in k]
                assert buckets == sorted(buckets) and buckets[-1] == count
        phases = samples["switchyard_phase_duration_seconds_count"]
        assert phases['phase="compute"'] == 4, phases
        s.stop()


def names_in_metrics_are_escaped():
    os.makedirs(f"{WORK}/odd")
    shutil.copytree(f"{MODELS}/net", f'{WORK}/odd/a"b\\c')
    # No network of such a name is served, but its state is told.
    with Server(f"{WORK}/odd", "--port", 0) as s:
        samples, _ = parse_metrics(s.ask("GET", "/metrics")[1].decode())
        assert samples["switchyard_network_ready"] == {
            'network="a\\"b\\\\c"': 0}, samples["switchyard_network_ready"]
        s.stop()


if __name__ == "__main__":
    run_all(globals(), skip=("make_key", "lines_of", "parse_metrics"))
