"""The tests of test_operate.sh; each function is one."""
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time

from serving import PROGRAM, Server, image_body, run_all, until

WORK = os.environ["SY_WORK"]
MODELS = f"{WORK}/models"
INFER = "/v2/models/net.d0/infer"


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w") as f:
        f.write(text if isinstance(text, str) else json.dumps(text))
    return path


def check(*args):
    """serve --check: its exit status and what it says."""
    run = subprocess.run([PROGRAM, "serve", "--check", *args],
                         capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def the_configuration_is_checked_and_names_what_is_wrong():
    good = {"repository": MODELS, "max_queue": 9, "preferred_batch": [2, 4],
            "weights": {"net.d0": 3}}
    assert check("--config", write("good.json", good))[0] == 0
    assert check(MODELS)[0] == 0
    for change, word in [
            ({"max_queu": 9}, 'did you mean "max_queue"'),
            ({"port": 70000}, "port"), ({"port": "x"}, "port"),
            ({"weights": {"net": 2}}, "NET.DOMAIN"),
            ({"weights": {"net.d0": 0}}, "1 to 1000"),
            ({"preferred_batch": [4, 2]}, "preferred_batch"),
            ({"preferred_batch": [64]}, "larger than max_batch"),
            ({"tls_cert": "x"}, "tls_key"),
            ({"repository": f"{WORK}/nowhere"}, "nowhere")]:
        code, said = check("--config", write("bad.json", {**good, **change}))
        assert code == 2 and word in said, (change, code, said)
    assert check()[0] == 2
    os.mkdir(f"{WORK}/broken")
    os.mkdir(f"{WORK}/broken/bad")
    os.mkdir(f"{WORK}/broken/bad/1")
    write("broken/bad/1/model.json", "{}")
    code, said = check(f"{WORK}/broken")
    assert code == 2 and "bad" in said, (code, said)


def flags_go_over_the_file():
    config = write("port.json", {"repository": MODELS, "port": 1, "max_images": 2})
    with Server("--config", config, "--port", 0) as s:
        s.until_ready()
        assert s.ask("POST", INFER, image_body(s, images=2))[0] == 200
        assert s.ask("POST", INFER, image_body(s, images=3))[0] == 400
        s.stop()


def a_hangup_reads_the_file_again_or_keeps_what_was():
    config = write("again.json", {"repository": MODELS, "max_images": 1})
    with Server("--config", config, "--port", 0) as s:
        s.until_ready()
        two = image_body(s, images=2)
        assert s.ask("POST", INFER, two)[0] == 400
        write("again.json", {"repository": MODELS, "max_images": 2, "max_batch": 8})
        s.send(signal.SIGHUP)
        until(lambda: s.ask("POST", INFER, two)[0] == 200, s.words())
        assert "max_batch takes effect at the next start" in s.words()
        write("again.json", '{"max_images": 0}')
        s.send(signal.SIGHUP)
        until(lambda: "stay as they were" in s.words(), "no word of it")
        assert s.ask("POST", INFER, two)[0] == 200
        s.stop()


def a_thread_that_is_behind_refuses_cheaply_and_still_tells_how_it_is():
    # Every answer waits more than a microsecond for its thread, so the first
    # wave teaches it to have no more than 32 in work; these then wait for a
    # batch that is not full.
    with Server(MODELS, "--port", 0, "--http-threads", 1, "--max-lag-us", 1,
                "--max-batch", 64, "--max-queue-delay-us", 500000) as s:
        s.until_ready()
        body = image_body(s)
        for wave in range(2):
            clients = [s.connect() for _ in range(150)]
            for c in clients:
                c.request("POST", INFER, body)
            assert s.code("/v2/health/ready") == 200
            answers = [c.getresponse() for c in clients]
            said = [(a.status, a.headers["Retry-After"], a.read())
                    for a in answers]
            for c in clients:
                c.close()
        refused = [text for status, retry, text in said
                   if status == 503 and retry == "1"]
        done = [text for status, _, text in said if status == 200]
        assert len(refused) + len(done) == 150, said
        assert len(done) >= 32 and len(refused) >= 1, len(done)
        assert b"HTTP threads are behind" in refused[0], refused[0]
        s.stop()


def systemd_hears_and_passes_a_socket():
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(f"{WORK}/notify")
    told.settimeout(60)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    # The variable has to hold the child's own number.
    shell = ['sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@"']
    env = {**os.environ, "NOTIFY_SOCKET": f"{WORK}/notify", "LISTEN_FDS": "1",
           "WATCHDOG_USEC": "200000"}
    process = subprocess.Popen(
        [*shell, PROGRAM, "serve", MODELS], env=env, stdout=subprocess.PIPE,
        preexec_fn=lambda: os.dup2(listener.fileno(), 3), pass_fds=(3,),
        stderr=subprocess.DEVNULL)
    try:
        assert f":{port}\n" in process.stdout.readline().decode()
        assert b"READY=1" in told.recv(4096)
        heard = told.recv(4096)
        assert heard == b"WATCHDOG=1", heard
        process.send_signal(signal.SIGHUP)
        while b"RELOADING=1\nMONOTONIC_USEC=" not in heard:
            heard = told.recv(4096)
        while heard != b"READY=1":
            heard = told.recv(4096)
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("GET", "/v2/health/live")
        assert c.getresponse().status == 200
        c.close()
        process.send_signal(signal.SIGTERM)
        while heard != b"STOPPING=1":
            heard = told.recv(4096)
        assert process.wait(60) == 0
        # The socket is still open for whoever comes next.
        socket.create_connection(("127.0.0.1", port), 10).close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        listener.close()
        told.close()


class Client(threading.Thread):
    """Asks until the server is gone; counts what was not an answer."""

    def __init__(self, server, body):
        super().__init__()
        self.server, self.body = server, body
        self.answers, self.failures = 0, []

    def run(self):
        while True:
            c = self.server.connect()
            try:
                c.connect()
            except OSError:
                return  # nobody listens any more: that is no failure
            try:
                while True:
                    c.request("POST", INFER, self.body)
                    r = c.getresponse()
                    r.read()
                    if r.status != 200:
                        self.failures.append(r.status)
                    self.answers += 1
                    if r.will_close:
                        break
            except Exception as e:
                self.failures.append(repr(e))
                return
            finally:
                c.close()


def a_stop_under_load_loses_no_request():
    for turn in range(int(os.environ.get("SY_DRAINS", "3"))):
        # With a grace and without one.
        with Server(MODELS, "--port", 0, "--max-queue", 1000, "--drain-ms",
                    60000, "--request-timeout-ms", 60000, "--grace-ms",
                    200 * (turn % 2)) as s:
            s.until_ready()
            body = image_body(s)
            clients = [Client(s, body) for _ in range(32)]
            for c in clients:
                c.start()
            until(lambda: sum(c.answers for c in clients) > 200, "no answers")
            s.stop()
            for c in clients:
                c.join()
            failures = [f for c in clients for f in c.failures]
            assert failures == [], (turn, failures, s.words())


def in_the_grace_it_is_not_ready_but_answers():
    with Server(MODELS, "--port", 0, "--grace-ms", 3000) as s:
        s.until_ready()
        body = image_body(s)
        s.send(signal.SIGTERM)
        until(lambda: s.code("/v2/health/ready") == 503, "still ready")
        assert s.code("/v2/health/live") == 200
        status, _, headers = s.ask("POST", INFER, body)
        assert status == 200 and headers["Connection"] == "close"
        assert s.process.wait(60) == 0


def a_second_signal_ends_it_at_once():
    with Server(MODELS, "--port", 0, "--grace-ms", 600000) as s:
        s.send(signal.SIGTERM)
        until(lambda: "stopping" in s.words(), "no word of stopping")
        s.send(signal.SIGTERM)
        assert s.process.wait(60) == -signal.SIGTERM


if __name__ == "__main__":
    run_all(globals(), skip=("write", "check"))
