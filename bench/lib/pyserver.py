"""pyserver.py MODEL.onnx DESCRIPTION PORT: the server that is compared with.

The same network in ONNX Runtime (one thread) behind uvicorn (no framework) with
httptools and uvloop, about the fastest that Python has, speaking the same
protocol: binary or JSON UINT8 in, probabilities out. GETs get the file
DESCRIPTION. Every request is run alone, as it comes.
"""
import json
import sys

import numpy
import onnxruntime
import uvicorn

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options,
                                       providers=["CPUExecutionProvider"])
description = open(sys.argv[2], "rb").read()
LENGTH = b"inference-header-content-length"


def answer(headers, body):
    """Body and JSON length of the answer."""
    binary = LENGTH in headers
    head = json.loads(body[:int(headers[LENGTH])] if binary else body)
    tensor = head["inputs"][0]
    pixels = numpy.frombuffer(body, numpy.uint8, offset=int(headers[LENGTH])) \
        if binary else numpy.array(tensor["data"], numpy.uint8)
    image = pixels.reshape(tensor["shape"]).transpose(0, 3, 1, 2)
    image = image.astype(numpy.float32) * numpy.float32(2 / 255) - 1
    values = session.run(["probabilities"], {"image": image})[0]
    output = {"name": "probabilities", "datatype": "FP32",
              "shape": list(values.shape)}
    if binary:
        output["parameters"] = {"binary_data_size": values.nbytes}
    else:
        output["data"] = values.ravel().tolist()
    text = json.dumps({"parameters": {"snapshot": "1"}, "outputs": [output]},
                      separators=(",", ":")).encode()
    return text + (values.tobytes() if binary else b""), len(text)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["method"] == "GET":
        body, headers = description, []
    else:
        pieces, more = [], True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        body, length = answer(dict(scope["headers"]), b"".join(pieces))
        headers = [(LENGTH, str(length).encode())]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200,
                "headers": headers})
    await send({"type": "http.response.body", "body": body})


print(f"listening on http://127.0.0.1:{sys.argv[3]}", flush=True)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="error",
            access_log=False)
