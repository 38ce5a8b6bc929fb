"""Drives the server with tritonclient[http], sync and aio, as it comes.

    check_tritonclient.py PROGRAM TOOLS

Serves networks with random weights (TOOLS/make_model). Every answer is held
against the same question asked in plain JSON, bit for bit; every call of the
client that this server's extensions promise is made at least once.
"""
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

import numpy
import tritonclient.http as http
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

MODEL = "net.d0"
PROMISED = ["classification", "model_repository",
            "model_repository(unload_dependents)", "schedule_policy",
            "model_configuration", "binary_tensor_data", "parameters",
            "statistics"]


class Server:
    """A server on a free port, ready."""

    def __init__(self, program, repository):
        self.process = subprocess.Popen(
            [program, "serve", repository, "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.address = re.match(r"listening on http://(.*)\n", line).group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(30)
        assert code == 0, "the server ended with %d" % code


def plain(address, model, pixels, outputs=None, parameters=None):
    """The question in JSON without the client; a dict of name to array."""
    body = {"inputs": [{"name": "image", "shape": list(pixels.shape),
                        "datatype": "UINT8", "data": pixels.tolist()}]}
    if parameters:
        body["parameters"] = parameters
    url = "http://%s/v2/models/%s/infer" % (address, model)
    with urllib.request.urlopen(url, json.dumps(body).encode()) as answer:
        reply = json.load(answer)
    kinds = {"FP32": numpy.float32, "BYTES": object}
    return {o["name"]: numpy.array(o["data"], kinds[o["datatype"]]).reshape(
        o["shape"]) for o in reply["outputs"]}


def image_input(module, pixels, binary):
    kind = "UINT8" if pixels.dtype == numpy.uint8 else "FP32"
    tensor = module.InferInput("image", list(pixels.shape), kind)
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return tensor


def same(result, wanted):
    for name, array in wanted.items():
        found = result.as_numpy(name)
        assert found.shape == array.shape, (name, found.shape, array.shape)
        if array.dtype == object:
            found = numpy.array([t.decode() if isinstance(t, bytes) else t
                                 for t in found.flat], object)
            assert found.tolist() == array.flatten().tolist(), name
        else:
            assert found.tobytes() == array.tobytes(), name


def cases(module):
    """(name, keywords of infer) for every form of a request."""
    out = module.InferRequestedOutput
    both = ["probabilities", "logits"]
    return [
        ("all outputs by default", {}),
        ("outputs in JSON",
         {"outputs": [out(n, binary_data=False) for n in both]}),
        ("outputs in binary",
         {"outputs": [out(n, binary_data=True) for n in both]}),
        ("one of each", {"outputs": [out("probabilities", binary_data=False),
                                     out("logits", binary_data=True)]}),
        ("gzip both ways", {"request_compression_algorithm": "gzip",
                            "response_compression_algorithm": "gzip"}),
        ("deflate both ways", {"request_compression_algorithm": "deflate",
                               "response_compression_algorithm": "deflate"}),
        ("an id, a priority and a timeout",
         {"request_id": "seven", "priority": 1, "timeout": 30000000}),
        ("parameters of ours",
         {"parameters": {"max_madds": 1 << 40, "deadline_us": 30000000,
                         "device": "cpu", "my_own": "x"}}),
        ("a version", {"model_version": "1"}),
    ]


def forms(pixels):
    """The same pixels as the client may send them."""
    floats = pixels.astype(numpy.float32) / numpy.float32(255)
    return [(form, binary) for form in (pixels, floats)
            for binary in (False, True)]


def check_labels(result, wanted, count):
    """Classification: "value:index:label", best first."""
    found = result.as_numpy("logits")
    assert found.shape == (len(wanted), count), found.shape
    for row, texts in zip(wanted, found):
        best = numpy.argsort(-row, kind="stable")[:count]
        for index, text in zip(best, texts):
            text = text.decode() if isinstance(text, bytes) else text
            value, place, label = text.split(":", 2)
            assert int(place) == index and label, (text, index)
            assert value == "%f" % row[index], (text, row[index])


def fails(call, *words):
    try:
        call()
    except InferenceServerException as error:
        assert all(w in str(error) for w in words), (words, str(error))
        return
    raise AssertionError("no error that says %s" % (words,))


def check_sync(address, pixels, wanted):
    client = http.InferenceServerClient(address, concurrency=4)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("none")
    meta = client.get_server_metadata()
    assert meta["name"] == "switchyard"
    assert meta["extensions"] == PROMISED, meta["extensions"]
    meta = client.get_model_metadata(MODEL)
    config = client.get_model_config(MODEL)
    assert meta["inputs"][0]["shape"][1:] == config["input"][0]["dims"]
    assert [o["name"] for o in meta["outputs"]] == [
        o["name"] for o in config["output"]] == ["probabilities", "logits"]
    for form, binary in forms(pixels):
        for name, keywords in cases(http):
            result = client.infer(MODEL, [image_input(http, form, binary)],
                                  **keywords)
            same(result, wanted)
            reply = result.get_response()
            assert reply.get("id", "") == keywords.get("request_id", ""), name
            assert reply["parameters"]["domain"] == "d0", reply
    waiting = [client.async_infer(MODEL, [image_input(http, pixels, True)])
               for _ in range(16)]
    for one in waiting:
        same(one.get_result(), wanted)
    for binary in (False, True):
        result = client.infer(
            MODEL, [image_input(http, pixels, True)],
            outputs=[http.InferRequestedOutput("logits", binary_data=binary,
                                               class_count=3)])
        check_labels(result, wanted["logits"], 3)
    body, header = http.InferenceServerClient.generate_request_body(
        [image_input(http, pixels, True)])
    assert header is not None and body
    client.close()


def check_network(address, pixels):
    """The network as a whole: texts, and a domain by parameter."""
    wanted = plain(address, "net", pixels, parameters={"domain": "d1"})
    with http.InferenceServerClient(address) as client:
        for binary in (False, True):
            result = client.infer(
                "net", [image_input(http, pixels, True)],
                outputs=[http.InferRequestedOutput(n, binary_data=binary)
                         for n in ("domain", "label", "probability")],
                parameters={"domain": "d1"})
            same(result, wanted)
        fails(lambda: client.infer("net", [image_input(http, pixels, True)]),
              "400", "root gate")


def check_errors(address, pixels):
    with http.InferenceServerClient(address) as client:
        good = image_input(http, pixels, True)
        fails(lambda: client.infer("none", [good]), "404", "not found")
        fails(lambda: client.infer(MODEL, [good], model_version="9"), "404")
        fails(lambda: client.infer(MODEL, [good, good]), "400", "inputs")
        fails(lambda: client.infer(
            MODEL, [good], outputs=[http.InferRequestedOutput("x")]),
            "400", "unexpected inference output")
        fails(lambda: client.infer(MODEL, [good], sequence_id=7,
                                   sequence_start=True), "501", "no state")
        fails(lambda: client.infer(MODEL, [good],
                                   parameters={"max_madds": 1}),
              "400", "the cheapest costs")
        fails(lambda: client.infer(MODEL, [good], priority=99), "400")
        wrong = image_input(http, pixels[:, 1:], True)
        fails(lambda: client.infer(MODEL, [wrong]), "400", "shape")
        fails(lambda: client.register_system_shared_memory("r", "/r", 4),
              "404")


def check_statistics(address, pixels):
    with http.InferenceServerClient(address) as client:
        def counts():
            (one,) = client.get_inference_statistics("net.d2")["model_stats"]
            return one
        before = counts()
        for _ in range(5):
            client.infer("net.d2", [image_input(http, pixels, True)])
        after = counts()
        n = 5 * len(pixels)
        assert after["inference_count"] - before["inference_count"] == n
        assert after["execution_count"] - before["execution_count"] == 5
        for member in ("success", "queue", "compute_input", "compute_infer",
                       "compute_output"):
            old = before["inference_stats"][member]
            new = after["inference_stats"][member]
            assert new["count"] - old["count"] == 5, member
            assert new["ns"] > old["ns"], member
        names = [m["name"]
                 for m in client.get_inference_statistics()["model_stats"]]
        assert sorted(names) == ["net", "net.d0", "net.d1", "net.d2"], names


def check_repository(address, tools, repository, pixels):
    with http.InferenceServerClient(address) as client:
        def state(name):
            return [m["state"] for m in client.get_model_repository_index()
                    if m["name"] == name]
        assert state("net") == state(MODEL) == ["READY"]
        client.unload_model("net")
        assert state("net") == ["UNAVAILABLE"] and not state(MODEL)
        assert not client.is_model_ready(MODEL)
        assert client.is_server_ready()
        client.load_model("net")
        assert client.is_model_ready(MODEL)
        fails(lambda: client.load_model("none"), "404")
        fails(lambda: client.load_model("net", config="{}"), "501", "config")
        make_model(tools, repository, "late", 5)
        client.load_model("late")
        client.infer("late.d0", [image_input(http, pixels, True)])
        client.unload_model("late", unload_dependents=True)
        fails(lambda: client.infer(
            "late.d0", [image_input(http, pixels, True)]), "404")


async def check_aio(address, pixels, wanted):
    async with aio.InferenceServerClient(address) as client:
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        meta = await client.get_server_metadata()
        assert meta["extensions"] == PROMISED
        assert (await client.get_model_metadata(MODEL))["name"] == MODEL
        config = await client.get_model_config(MODEL)
        assert config["max_batch_size"] > 0
        for form, binary in forms(pixels):
            for _, keywords in cases(aio):
                same(await client.infer(
                    MODEL, [image_input(aio, form, binary)], **keywords),
                    wanted)
        many = [client.infer(MODEL, [image_input(aio, pixels, True)])
                for _ in range(32)]
        for result in await asyncio.gather(*many):
            same(result, wanted)
        result = await client.infer(
            MODEL, [image_input(aio, pixels, True)],
            outputs=[aio.InferRequestedOutput("logits", class_count=2)])
        check_labels(result, wanted["logits"], 2)
        stats = await client.get_inference_statistics(MODEL)
        assert stats["model_stats"][0]["inference_stats"]["success"]["count"]
        await client.unload_model("net")
        index = await client.get_model_repository_index()
        assert index[0]["state"] == "UNAVAILABLE", index
        await client.load_model("net")
        assert await client.is_model_ready(MODEL)


def make_model(tools, repository, name, seed):
    subprocess.run([os.path.join(tools, "make_model"),
                    os.path.join(repository, name), str(seed)], check=True,
                   stdout=subprocess.DEVNULL)


def main():
    program, tools = sys.argv[1:]
    with tempfile.TemporaryDirectory() as repository:
        make_model(tools, repository, "net", 5)
        with Server(program, repository) as server:
            address = server.address
            client = http.InferenceServerClient(address)
            while not client.is_server_ready():
                pass
            shape = client.get_model_metadata(MODEL)["inputs"][0]["shape"]
            client.close()
            pixels = numpy.random.default_rng(1).integers(
                0, 256, [3] + shape[1:], numpy.uint8)
            wanted = plain(address, MODEL, pixels)
            check_sync(address, pixels, wanted)
            check_network(address, pixels)
            check_errors(address, pixels)
            check_statistics(address, pixels)
            check_repository(address, tools, repository, pixels)
            asyncio.run(check_aio(address, pixels, wanted))
    print("sync and aio: %d forms of a request, the same bits as JSON" %
          (2 * 4 * len(cases(http))))


if __name__ == "__main__":
    main()
