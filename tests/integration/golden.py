"""Plays golden.txt against a server and compares every answer with it.

A transcript is a line "### name", then the request, each line behind "> ",
then the answer behind "< ". Host, Content-Length and "Connection: close" are
added to requests. In requests @PIXELS@ stands for the numbers of one image,
@NESTED@ for them nested to its shape, and @BYTES@ for them as bytes. Answers
are compared byte for byte but for what changes: dates, ids, times ("*"), and
real numbers, which may differ by 1e-4 (instruction sets round differently).
Bytes behind a JSON head are shown as little-endian floats.
"""
import os
import re
import struct
import sys

from serving import Server

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.txt")
REAL = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
CLOSE = 1e-4
CHANGES = [  # what differs from run to run, or from release to release
    (r'"version":"\d+\.\d+\.\d+"', r'"version":"*"'),
    (r"^(Date|X-Request-Id): .*$", r"\1: *"),
    (r'"(ns|last_inference|us)":\d+', r'"\1":*'),
    (r'"memory_usage":\[.*?\]', r'"memory_usage":[*]'),
]


def read(path):
    """[(name, request lines, answer lines)]"""
    found = []
    for line in open(path, encoding="utf-8").read().splitlines():
        if line.startswith("### "):
            found.append((line[4:], [], []))
        elif line.startswith(">"):
            found[-1][1].append(line[2:])
        elif line.startswith("<"):
            found[-1][2].append(line[2:])
    return found


def request_bytes(lines, shape):
    h, w, c = shape
    pixels = [i * 7 % 256 for i in range(h * w * c)]
    nested = [[pixels[(y * w + x) * c:(y * w + x + 1) * c] for x in range(w)]
              for y in range(h)]
    end = lines.index("") if "" in lines else len(lines)
    body = "\n".join(lines[end + 1:])
    body = body.replace("@PIXELS@", ",".join(map(str, pixels)))
    body = body.replace("@NESTED@", str(nested).replace(" ", ""))
    head, *rest = body.split("@BYTES@")
    data = head.encode() + (bytes(pixels) if rest else b"")
    text = "\r\n".join(lines[:end])
    text = text.replace("@HEAD@", str(len(head.encode())))
    text += "\r\nHost: golden\r\nConnection: close\r\n"
    if lines[0].startswith(("POST", "PUT")):
        text += f"Content-Length: {len(data)}\r\n"
    return text.encode() + b"\r\n" + data


def answer_lines(server, request):
    with server.raw() as s:
        s.sendall(request)
        data = b""
        while part := s.recv(65536):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    size = re.search(rb"Inference-Header-Content-Length: (\d+)", head)
    binary = b""
    if size:
        body, binary = body[:int(size[1])], body[int(size[1]):]
    text = body.decode()
    status, *headers = lines
    headers = [line for line in sorted(headers, key=str.lower)
               if not (line.startswith("Content-Length") and
                       (REAL.search(text) or '"ns"' in text))]
    lines = [status, *headers, ""] + text.splitlines()
    if binary:
        floats = struct.unpack(f"<{len(binary) // 4}f", binary)
        lines.append(" ".join(f"{value:.6f}" for value in floats))
    text = "\n".join(lines)
    for what, becomes in CHANGES:
        text = re.sub(what, becomes, text, flags=re.M)
    return text.rstrip("\n").split("\n")


def alike(ours, golden):
    if REAL.sub("#", ours) != REAL.sub("#", golden):
        return False
    pairs = zip(REAL.findall(ours), REAL.findall(golden))
    return all(abs(float(a) - float(b)) <= CLOSE for a, b in pairs)


def main():
    bad, played = 0, []
    with Server(f"{os.environ['SY_WORK']}/models", "--port", 0,
                "--max-body-mib", 1) as s:
        s.until_ready()
        shape = (15, 9, 3)
        for name, request, golden in read(FILE):
            lines = answer_lines(s, request_bytes(request, shape))
            played.append((name, request, lines))
            same = len(lines) == len(golden) and all(map(alike, lines, golden))
            if not same and os.environ.get("SY_GOLDEN") != "record":
                bad += 1
                print(f"{name}: found\n  " + "\n  ".join(lines) +
                      "\nbut golden.txt has\n  " + "\n  ".join(golden))
        s.stop()
    if os.environ.get("SY_GOLDEN") == "record":
        with open(FILE, "w", encoding="utf-8") as f:
            f.write("\n".join("\n".join(
                [f"### {name}"] + [f"> {line}".rstrip() for line in request] +
                [f"< {line}".rstrip() for line in answer]) + "\n"
                for name, request, answer in played))
    print(f"  {len(played)} transcripts, {bad} differ")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
