"""Asks a server about every test image of a domain, in every way there is.

    agree.py URL DOMAIN CHANNELS

Reads what test_agree.sh has put into the current folder. Floats are compared
as the bits of float32.
"""
import http.client
import json
import math
import struct
import sys

url, domain, channels = sys.argv[1:]
MODEL = "tiny." + domain
SIDE, BATCH = 16, 250
connection = http.client.HTTPConnection(url[len("http://"):])


def post(path, body, headers={}):
    connection.request("POST", path, body, headers)
    reply = connection.getresponse()
    data = reply.read()
    assert reply.status == 200, (path, reply.status, data[:300])
    return reply, data


def bits(values):
    return struct.pack("<%df" % len(values), *values)


def request(n, kind, **data):
    return {"inputs": [dict(name="image", shape=[n, SIDE, SIDE, 3],
                            datatype=kind, **data)],
            "outputs": [{"name": "probabilities"}]}


def by_json(pixels, n, kind):
    values = list(pixels)
    if kind == "FP32":
        values = [struct.unpack("f", struct.pack("f", u / 255))[0]
                  for u in values]
    _, data = post("/v2/models/%s/infer" % MODEL,
                   json.dumps(request(n, kind, data=values)))
    return bits(json.loads(data)["outputs"][0]["data"])


def by_binary(pixels, n):
    head = json.dumps(dict(
        request(n, "UINT8", parameters={"binary_data_size": len(pixels)}),
        parameters={"binary_data_output": True})).encode()
    reply, data = post("/v2/models/%s/infer" % MODEL, head + pixels,
                       {"Inference-Header-Content-Length": str(len(head))})
    return data[int(reply.getheader("Inference-Header-Content-Length")):]


pixels = open("images-%s/pixels" % domain, "rb").read()
labels = open("images-%s/labels" % domain, "rb").read()
each = SIDE * SIDE * 3
count = len(labels)
assert count >= 1000 and len(pixels) == count * each, (count, len(pixels))

# Tensors, some hundred images at a time.
rows = b""
for first in range(0, count, BATCH):
    n = min(BATCH, count - first)
    part = pixels[first * each:(first + n) * each]
    answer = by_binary(part, n)
    assert by_json(part, n, "UINT8") == answer, "JSON bytes at %d" % first
    if first == 0:  # floats are many digits: one batch of them
        assert by_json(part, n, "FP32") == answer, "JSON floats"
    rows += answer
classes = len(rows) // 4 // count
probabilities = struct.unpack("<%df" % (count * classes), rows)
meta = json.loads(post("/v2/models/%s/infer" % MODEL, json.dumps(
    dict(request(1, "UINT8", data=list(pixels[:each])),
         outputs=[{"name": "probabilities",
                   "parameters": {"classification": classes}}])))[1])
names = {int(t.split(":")[1]): t.split(":", 2)[2]
         for t in meta["outputs"][0]["data"]}

# Pictures in their own size: resized by the server, and by predict.
predicted = json.load(open("predict-%s.json" % domain))
predicted = predicted.get("images", predicted) if isinstance(
    predicted, dict) else predicted
assert len(predicted) == count, len(predicted)
for i in range(count):
    row = probabilities[i * classes:(i + 1) * classes]
    best = max(range(classes), key=lambda k: (row[k], -k))
    data = open("images-%s/%d.png" % (domain, i), "rb").read()
    assert data[25] == {"1": 0, "3": 2}[channels], "the PNG's colour type"
    told = json.loads(post("/v1/classify/" + MODEL, data)[1])
    for name, answer in (("classify", told), ("predict", predicted[i])):
        assert answer["label"] == names[best], (name, i)
        top = sorted(row, reverse=True)[:len(answer["top"])]
        found = [t["probability"] for t in answer["top"]]
        assert bits(found) == bits(top), (name, i)

# What eval counts and sums, over the same answers.
(told,) = json.load(open("eval-%s.json" % domain))["domains"]
right = nll = 0
for i in range(count):
    row = probabilities[i * classes:(i + 1) * classes]
    best = max(range(classes), key=lambda k: (row[k], -k))
    right += best == labels[i]
    nll -= math.log(row[labels[i]])
assert told["n"] == count
assert round(told["top1"] * count) == right, (told["top1"], right / count)
assert math.isclose(told["nll"], nll / count, rel_tol=1e-12), (
    told["nll"], nll / count)
print("  %d images of %s: the same bits five ways" % (count, domain))
