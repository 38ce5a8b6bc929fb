"""What the tests of the running server share: start it, ask it, stop it."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

PROGRAM = os.environ["SY_PROGRAM"]


class Server:
    """A server on a free port; used with `with`."""

    def __init__(self, *args, env=None, pass_fds=(), preexec=None, scheme="http"):
        self.log = open(os.environ["SY_WORK"] + "/log", "w+b")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", *map(str, args)], stdout=subprocess.PIPE,
            stderr=self.log, env={**os.environ, **(env or {})},
            pass_fds=pass_fds, preexec_fn=preexec)
        line = self.process.stdout.readline().decode()
        found = re.match(rf"listening on ({scheme})://(.*):(\d+)\n$", line)
        assert found, (line, self.words())
        self.host, self.port = found[2], int(found[3])

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def words(self):
        """What it has logged so far."""
        self.log.flush()
        with open(self.log.name, "rb") as f:
            return f.read().decode()

    def connect(self, timeout=60):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def raw(self, timeout=60):
        return socket.create_connection((self.host, self.port), timeout)

    def ask(self, method, path, body=None, headers={}):
        c = self.connect()
        c.request(method, path, body, headers)
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, data, r.headers

    def code(self, path, **more):
        return self.ask("GET", path, **more)[0]

    def until_ready(self, path="/v2/health/ready"):
        until(lambda: self.code(path) == 200, f"{path} is not 200")

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        code = self.process.wait(120)
        assert code == 0, (code, self.words())


def until(condition, what, seconds=60):
    """Waits for something to become true; patient, for slow machines."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def image_body(server, model="net.d0", images=1):
    """An inference request of that many images."""
    _, data, _ = server.ask("GET", f"/v2/models/{model}")
    _, h, w, c = json.loads(data)["inputs"][0]["shape"]
    return json.dumps({"inputs": [{
        "name": "image", "shape": [images, h, w, c], "datatype": "UINT8",
        "data": [i * 7 % 256 for i in range(images * h * w * c)]}]}).encode()


def run_all(names, skip=()):
    """Runs every test function of a module, in order."""
    for name, test in list(names.items()):
        if callable(test) and not isinstance(test, type) and \
                test.__module__ == "__main__" and name not in skip:
            start = time.monotonic()
            test()
            print(f"{time.monotonic() - start:6.2f} s {name}")
