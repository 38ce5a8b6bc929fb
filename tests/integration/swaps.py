"""swaps.py - the server's half of tests of hot swap, over plain HTTP.

    swaps.py turns URL N PACK...        swaps packs in turn, N times
    swaps.py late URL PACK              a canary that turns bad
    swaps.py kills SERVE REPOSITORY N SEED PACK...
                                        kill -9 at N random moments
"""

import http.client
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

NET = "net"


def ask(url, path, body=None, method=None, headers=None, timeout=120):
    request = urllib.request.Request(
        url + path, data=body, method=method or ("POST" if body is not None else "GET"),
        headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        text = reply.read()
    return json.loads(text) if text else None


def packs(url, rest="", body=None, method=None):
    return ask(url, f"/v1/networks/{NET}/packs{rest}", body, method)


def stage(url, path):
    with open(path, "rb") as file:
        return packs(url, "", file.read())


def act(url, ident, what, **body):
    return packs(url, f"/{ident}/{what}", json.dumps(body).encode())


class Images:
    """Pictures of many kinds, so that random networks do not say the same."""

    def __init__(self, url, count, seed=1):
        described = ask(url, f"/v1/networks/{NET}")
        self.shape = described["input"]
        self.domains = [d["name"] for d in described["domains"]]
        h, w, c = self.shape
        draw = random.Random(seed)
        self.data = []
        for _ in range(count):
            base = [draw.randrange(256) for _ in range(c)]
            slope = [draw.uniform(-20, 20) for _ in range(2)]
            noise = draw.choice([0, 10, 60, 200])
            pixels = bytearray()
            for y in range(h):
                for x in range(w):
                    for k in range(c):
                        v = (base[k] + slope[0] * y + slope[1] * x
                             + draw.uniform(-noise, noise))
                        pixels.append(max(0, min(255, int(v))))
            self.data.append(bytes(pixels))

    def infer(self, url, domain, index, version=None):
        """(snapshot, class, bits) of one picture."""
        data = self.data[index]
        head = json.dumps({
            "inputs": [{"name": "image", "shape": [1, *self.shape],
                        "datatype": "UINT8",
                        "parameters": {"binary_data_size": len(data)}}],
            "outputs": [{"name": "probabilities",
                         "parameters": {"binary_data": True}}]}).encode()
        middle = f"/versions/{version}" if version else ""
        request = urllib.request.Request(
            f"{url}/v2/models/{NET}.{domain}{middle}/infer", data=head + data,
            headers={"Inference-Header-Content-Length": str(len(head))})
        with urllib.request.urlopen(request, timeout=60) as reply:
            size = int(reply.headers["Inference-Header-Content-Length"])
            body = reply.read()
        told = json.loads(body[:size])
        bits = body[size:]
        values = struct.unpack(f"<{len(bits) // 4}f", bits)
        return (told["parameters"]["snapshot"],
                max(range(len(values)), key=values.__getitem__), bits)


def turns(url, count, paths):
    """Stages and promotes the packs in turn."""
    slowest = 0.0
    for i in range(count):
        swap = stage(url, paths[i % len(paths)])
        assert swap["phase"] == "staged", swap
        done = act(url, swap["id"], "promote")
        assert done["phase"] == "promoted", done
        slowest = max(slowest, done["publish_us"])
    print(json.dumps({"swaps": count, "slowest_publish_us": slowest}))


def late(url, path):
    """A canary whose traffic changes to what the candidate gets wrong."""
    images = Images(url, 300)
    swap = stage(url, path)
    ident, domain = swap["id"], swap["domains"][0]["name"]
    served, following = swap["served"], swap["next"]
    rules = {"min_samples": 40, "max_time_ratio": 1000, "min_agreement": 0.9,
             "max_confidence_drift": 1}
    act(url, ident, "canary", percent=0, shadow=0, rules=rules)
    good, bad = [], []
    for i in range(len(images.data)):
        a = images.infer(url, domain, i, served)
        b = images.infer(url, domain, i, following)
        assert (a[0], b[0]) == (served, following)
        (good if a[1] == b[1] else bad).append(i)
    assert len(good) >= 10 and len(bad) >= 10, (len(good), len(bad))
    act(url, ident, "canary", percent=50, shadow=100)
    by = set()
    deadline = time.monotonic() + 120
    n = 0
    while packs(url, f"/{ident}")["windows"] < 2:
        for _ in range(20):
            by.add(images.infer(url, domain, good[n % len(good)])[0])
            n += 1
        now = packs(url, f"/{ident}")
        assert now["phase"] == "canary", now
        assert time.monotonic() < deadline, now
    assert by == {served, following}, by
    while True:
        for _ in range(20):
            images.infer(url, domain, bad[n % len(bad)])
            n += 1
        now = packs(url, f"/{ident}")
        if now["phase"] != "canary":
            break
        assert time.monotonic() < deadline, now
    assert now["phase"] == "rolled_back" and now["automatic"], now
    assert "agreement" in now["reason"], now
    for i in good[:5] + bad[:5]:
        assert images.infer(url, domain, i)[0] == served
    print(f"{len(good)} images agreed, {len(bad)} did not: {now['reason']}")
    packs(url, f"/{ident}", method="DELETE")


class Server:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.url = line.strip().split()[-1]
        deadline = time.monotonic() + 60
        while True:
            try:
                ask(self.url, "/v2/health/ready")
                return
            except urllib.error.HTTPError:
                assert time.monotonic() < deadline, "not ready"
                time.sleep(0.01)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def swap_for_ever(url, paths, draw, killed, failures):
    """Swaps with every kind of step until the server is gone; what fails
    before it was killed goes to `failures`."""
    i = draw.randrange(len(paths))
    try:
        while True:
            swap = stage(url, paths[i % len(paths)])
            i += 1
            if draw.random() < 0.3:
                act(url, swap["id"], "shadow", percent=100)
            if draw.random() < 0.3:
                act(url, swap["id"], "canary", percent=50)
            act(url, swap["id"], "promote")
            if draw.random() < 0.5:
                act(url, swap["id"], "rollback")
                packs(url, f"/{swap['id']}", method="DELETE")
    except (OSError, ValueError, http.client.HTTPException) as error:
        if not killed.is_set():
            failures.append(error)


def kills(command, repository, count, seed, paths):
    """Whatever the moment: the next start serves one state, whole."""
    draw = random.Random(seed)
    known, names = {}, set()
    images = None
    for n in range(count + 1):
        server = Server(command)
        images = images or Images(server.url, 2)
        seen = set()
        for domain in images.domains:
            for i in range(len(images.data)):
                snapshot, _, bits = images.infer(server.url, domain, i)
                seen.add(snapshot)
                key = snapshot, domain, i
                assert known.setdefault(key, bits) == bits, key
        assert len(seen) == 1, seen
        names |= seen
        lines = ["1"]
        if os.path.exists(os.path.join(repository, NET, "CURRENT")):
            with open(os.path.join(repository, NET, "CURRENT"),
                      encoding="ascii") as file:
                lines = file.read().split("\n")
        label = "+".join([lines[0]] + [line.split()[1] for line in lines
                                       if line.startswith("pack ")])
        assert seen == {label}, (seen, lines)
        if n < count:
            killed, failures = threading.Event(), []
            thread = threading.Thread(
                target=swap_for_ever,
                args=(server.url, paths, draw, killed, failures))
            thread.start()
            time.sleep(draw.uniform(0.0, 1.2))
            killed.set()
            server.kill()
            thread.join()
            assert not failures, failures
        else:
            server.kill()
    for a in names:
        for b in names:
            for domain in images.domains if a < b else []:
                assert any(known[a, domain, i] != known[b, domain, i]
                           for i in range(len(images.data))), (a, b, domain)
    print(f"killed {count} times; came up as {', '.join(sorted(names))}")


def main():
    kind = sys.argv[1]
    if kind == "turns":
        turns(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    elif kind == "late":
        late(sys.argv[2], sys.argv[3])
    else:
        program, repository, count, seed = sys.argv[2:6]
        kills([program, "serve", repository, "--port", "0", "--threads", "1",
               "--http-threads", "1"], repository, int(count), int(seed),
              sys.argv[6:])


if __name__ == "__main__":
    main()
