"""The tests of test_abuse.sh: one server for all, asked by somebody decent
while each of them goes on."""
import gzip
import json
import os
import resource
import socket
import struct
import time

from serving import Server, image_body, run_all, until

WORK = os.environ["SY_WORK"]
INFER = "/v2/models/net.d0/infer"
MIB = 1 << 20

server = Server(f"{WORK}/models", "--port", 0, "--headers-timeout-ms", 1500,
                "--min-rate", 1000, "--min-rate-grace-ms", 1500,
                "--idle-timeout-ms", 60000, "--max-memory-mib", 200,
                "--max-queue", 64, "--max-connections", 30000)
server.until_ready()
good = image_body(server)


def post(length):
    return (f"POST {INFER} HTTP/1.1\r\nHost: a\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def serves_others():
    for _ in range(3):
        status, data, _ = server.ask("POST", INFER, good)
        assert status == 200, (status, data)
    assert server.code("/v2/health/ready") == 200


def metric(name):
    text = server.ask("GET", "/metrics")[1].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(name))


def nothing_is_left(connections=1):
    """Only the connection that asks, and no memory of requests."""
    until(lambda: metric("switchyard_connections ") <= connections and
          metric("switchyard_request_memory_bytes") == 0, "something is left")


def ends(s):
    """Whether the server ends the connection, and what it said before."""
    got = b""
    s.settimeout(60)
    try:
        while piece := s.recv(65536):
            got += piece
    except ConnectionError:
        pass
    s.close()
    return got


def headers_that_trickle_in_are_ended():
    slow = [server.raw() for _ in range(50)]
    for s in slow:
        s.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\n")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for s in slow:
            try:
                s.sendall(b"X: y\r\n")
            except OSError:
                pass
        serves_others()
        time.sleep(0.05)
    said = {ends(s)[:12] for s in slow}
    assert said == {b""}, said
    assert metric('switchyard_connections_ended_total{reason="headers"}') == 50
    nothing_is_left()


def a_body_that_trickles_in_is_ended():
    s = server.raw()
    s.sendall(post(100000))
    try:
        for _ in range(600):
            s.sendall(b"x" * 5)
            time.sleep(0.1)
            serves_others()
        raise AssertionError("it may go on for ever")
    except OSError:
        pass
    s.close()
    assert metric('switchyard_connections_ended_total{reason="slow"}') >= 1
    nothing_is_left()


def half_open_and_vanished_clients_leave_nothing():
    gone = []
    for i in range(60):
        s = server.raw()
        s.sendall(post(50000) + b"[" * 20000 if i % 2 else post(50000)[:40])
        if i % 3 == 0:
            s.shutdown(socket.SHUT_WR)
            gone.append(s)
        elif i % 3 == 1:  # a reset instead of an end
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            s.close()
        else:
            s.close()
    serves_others()
    for s in gone:
        ends(s)
    nothing_is_left()


def pipelined_requests_are_answered_in_order():
    s = server.raw()
    one = post(len(good)) + good
    s.sendall(one + b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n" + one +
              b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    got = ends(s)
    codes = [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]
    assert codes == [b"200", b"200", b"200", b"404"], codes
    nothing_is_left()


def bodies_beyond_the_limit_are_refused():
    s = server.raw()
    s.sendall(post(64 * MIB + 1))
    assert ends(s).startswith(b"HTTP/1.1 413")
    # Without a length it is noticed on the way.
    s = server.raw()
    s.sendall(f"POST {INFER} HTTP/1.1\r\nHost: a\r\n"
              "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    try:
        for _ in range(64):
            s.sendall(chunk)
        s.sendall(b"1\r\n0\r\n0\r\n\r\n")
    except OSError:
        pass
    assert ends(s).startswith(b"HTTP/1.1 413")
    serves_others()
    nothing_is_left()


def a_bomb_does_not_go_off():
    bomb = gzip.compress(bytes(200 * MIB), 9)
    assert len(bomb) < MIB
    status, _, _ = server.ask("POST", INFER, bomb, {"Content-Encoding": "gzip"})
    assert status == 413, status
    serves_others()
    nothing_is_left()


def memory_for_requests_is_bounded():
    held = []
    for _ in range(8):  # 8 x 40 MiB where 200 are allowed
        s = server.raw()
        s.sendall(post(64 * MIB))
        s.settimeout(20)
        try:
            s.sendall(bytes(40 * MIB))
        except OSError:
            pass
        held.append(s)
    assert metric("switchyard_request_memory_bytes") <= 200 * MIB
    for s in held:
        s.close()
    until(lambda: server.ask("POST", INFER, good)[0] == 200, "no room any more")
    nothing_is_left()


def bodies_of_nonsense_are_named():
    _, data, _ = server.ask("GET", "/v2/models/net.d0")
    shape = json.loads(data)["inputs"][0]["shape"]
    def tensor(dims, values="[]"):
        return ('{"inputs":[{"name":"image","datatype":"UINT8","shape":%s,'
                '"data":%s}]}' % (dims, values)).encode()
    bad = [
        tensor("[4294967296,4294967296,4294967296,3]"),
        tensor("[9223372036854775807,%d,%d,3]" % tuple(shape[1:3])),
        tensor("[99999999999999999999,1,1,3]"),
        tensor("[-1,%d,%d,3]" % tuple(shape[1:3])),
        tensor("[0,%d,%d,3]" % tuple(shape[1:3])),
        tensor("[1e3,1,1,3]"),
        b'{"inputs":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"[" * 100000,
        b'{"inputs":[{"name":"\xff\xfe"}]}',
        b'{"id":"\xc0\x80","inputs":[]}',
        b'{"id":"\xed\xa0\x80","inputs":[]}',
        bytes(1000), b"\xef\xbb\xbf{}",
    ]
    for body in bad:
        status, data, _ = server.ask("POST", INFER, body)
        assert status == 400 and "error" in json.loads(data), (status, body[:80])
    serves_others()


def requests_that_two_programs_read_differently_end_the_connection():
    to = f"POST {INFER} HTTP/1.1\r\n".encode()
    for raw in [
            to + b"Host: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
            to + b"Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"
                 b"\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
            to + b"Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            b"GET /v2/models/net%00.d0 HTTP/1.1\r\nHost: a\r\n\r\n"]:
        s = server.raw()
        s.sendall(raw)
        got = ends(s)
        assert got.startswith(b"HTTP/1.1 400") and got.count(b"HTTP/1.1") == 1, got
    serves_others()


def many_idle_connections_are_no_burden():
    wanted = int(os.environ.get("SY_IDLE", "2000"))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(wanted, soft - 100)
    idle = [server.raw() for _ in range(wanted)]
    until(lambda: metric("switchyard_connections ") > wanted,
          "they are not connected")
    serves_others()
    for s in idle:
        s.close()
    print(f"       {wanted} idle connections")
    nothing_is_left()


if __name__ == "__main__":
    with server:
        run_all(globals(), skip=("post", "serves_others", "metric",
                                 "nothing_is_left", "ends"))
        server.stop()
