"""What clients, networks and machines do to a server."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from .running import running

LONG = {"model": "writer", "prompt": "a", "max_tokens": 200, "temperature": 0, "stream": True}


@pytest.fixture(scope="module")
def small(bundles):
    """One decoder and one classifier with limits that are soon met."""
    chosen = {name: bundles[name] for name in ("writer", "moods")}
    with running(chosen, slots=1, queue=2, streams=3, most_bytes=10_000, body_seconds=0.5, most_tokens=900) as found:
        yield found


def raw(server, head: str, body: bytes = b"") -> socket.socket:
    """A connection on which a request was sent, whatever it is."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
    return connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and all bytes; the server closes."""
    with connection:
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(re.match(rb"HTTP/1.1 (\d+)", data)[1]), data


def post(path: str, length: int | str) -> str:
    kind = "Host: x\nConnection: close\nContent-Type: application/json"
    return f"POST {path} HTTP/1.1\n{kind}\nContent-Length: {length}\n"


def begin_stream(server, body=None) -> socket.socket:
    data = json.dumps(body or LONG).encode()
    connection = raw(server, post("/v1/completions", len(data)), data)
    connection.recv(1000)  # it has begun
    return connection


@pytest.fixture
def slow(small, monkeypatch):
    """Every round of the small server's decoder takes a moment longer."""
    decoding = type(small.state.models.get("writer").engine._decoding)
    advance = decoding.advance

    def slowly(self):
        time.sleep(0.02)
        return advance(self)

    monkeypatch.setattr(decoding, "advance", slowly)


def test_a_client_that_leaves_a_stream_gives_its_slot_back(small, slow):
    engine = small.state.models.get("writer").engine
    begin_stream(small).close()
    small.until(lambda: engine.running == 0)
    assert engine.generated_tokens < 150
    small.until(lambda: small.state.work.streams == 0)


def test_a_client_that_leaves_before_the_answer_gives_its_slot_back(small, slow):
    engine = small.state.models.get("writer").engine
    before = engine.generated_tokens
    data = json.dumps({**LONG, "stream": False}).encode()
    connection = raw(small, post("/v1/completions", len(data)), data)
    small.until(lambda: engine.running == 1)
    connection.close()
    small.until(lambda: engine.running == 0)
    assert engine.generated_tokens - before < 190


def test_a_full_queue_is_answered_with_429_and_when_to_come_again(small, slow):
    engine = small.state.models.get("writer").engine
    with contextlib.ExitStack() as stack:
        stack.enter_context(begin_stream(small))
        waiting = json.dumps({**LONG, "stream": False}).encode()
        for _ in range(2):
            stack.enter_context(raw(small, post("/v1/completions", len(waiting)), waiting))
        small.until(lambda: engine.waiting == 2)
        status, data = answer(raw(small, post("/v1/completions", len(waiting)), waiting))
        assert status == 429
        assert b"retry-after: 1" in data.lower()
        assert b"rate_limit_error" in data
    small.until(lambda: engine.running + engine.waiting == 0)


def test_too_many_streams_are_answered_with_429(bundles, small, slow):
    with running({"writer": bundles["writer"]}, streams=1) as server, begin_stream(server):
        assert server.ask("/v1/completions", LONG)[0] == 429
    assert small.ask("/health")[0] == 200


def test_a_slow_reader_holds_nobody_up(server):
    slow_reader = begin_stream(server)
    try:
        status, other = server.ask("/v1/completions", {**LONG, "stream": False, "max_tokens": 3})
        assert (status, other["usage"]["completion_tokens"]) == (200, 3)
    finally:
        slow_reader.close()


def test_half_a_body_is_given_up(small):
    began = time.monotonic()
    status, _ = answer(raw(small, post("/classify", 100), b'{"inputs": '))
    assert status == 408
    assert time.monotonic() - began < 10
    raw(small, post("/classify", 100), b'{"inputs": ').close()
    assert small.ask("/health")[0] == 200


def test_a_body_of_100_mb_is_refused_before_it_is_read(small):
    status, data = answer(raw(small, post("/classify", 100_000_000), b"{"))
    assert status == 413
    assert b"10,000 bytes" in data


def test_a_body_of_chunks_is_counted(small):
    head = "POST /classify HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n"
    connection = raw(small, head)
    with contextlib.suppress(OSError):
        for _ in range(200):
            connection.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert answer(connection)[0] == 413
    assert small.ask("/health")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "moods", "inputs": "\xff\xfe"}',
        b"[" * 10_000,
        b'{"inputs": ' + b"[" * 4000 + b"]" * 4000 + b"}",
        b'{"model": "moods", "inputs": "good", "top_k": NaN}',
        b'{"model": "moods", "inputs": "good", "top_k": 1e999}',
        b'{"model": "moods", "inputs": "good", "top_k": ' + b"9" * 5000 + b"}",
        b"",
        b"null",
        b"{",
    ],
)
def test_a_body_that_is_none_is_the_clients_mistake(small, body):
    assert 400 <= small.ask("/classify", body)[0] < 500
    for path in ("/v1/completions", "/v1/chat/completions", "/v1/embeddings", "/embed", "/predict", "/tokenize"):
        assert small.ask(path, body)[0] < 500, path
    assert small.ask("/health")[0] == 200


def test_half_of_a_character_is_no_reason_to_fail(small):
    assert small.ask("/classify", b'{"model": "moods", "inputs": "\\ud800"}')[0] == 200


@pytest.mark.parametrize("field", ["temperature", "top_p", "seed", "max_tokens", "n", "logit_bias", "presence_penalty"])
@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-1e308", b"1e308", b"9" * 400, b'{"0": NaN}', b"[]"])
def test_numbers_that_are_none_are_the_clients_mistake(small, field, value):
    body = b'{"model": "writer", "prompt": "a", "' + field.encode() + b'": ' + value + b"}"
    assert 400 <= small.ask("/v1/completions", body)[0] < 500


def test_too_many_tokens_are_refused(small):
    status, told = small.ask("/v1/completions", {**LONG, "prompt": ["a"] * 10})
    assert status == 400
    assert "may have 900 tokens" in told["error"]["message"]


def test_an_answer_that_takes_too_long_is_given_up(bundles, slow):
    with running({"writer": bundles["writer"]}, request_seconds=0.3) as server:
        assert server.ask("/v1/completions", {**LONG, "stream": False})[0] == 504
        server.until(lambda: server.state.models.get("writer").engine.running == 0)


def test_a_clock_that_jumps_ends_nothing(server, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1e6 * (1 if int(real() * 1000) % 2 else -1))
    assert server.ask("/v1/completions", {**LONG, "stream": False, "max_tokens": 20})[0] == 200


def test_a_bundle_that_changes_is_taken_without_an_error(bundles, tmp_path):
    folder = shutil.copytree(bundles["moods"], tmp_path / "moods")
    fresh = shutil.copytree(bundles["moods"], tmp_path / "fresh")
    manifest = json.loads((fresh / "kerasllm.json").read_text())
    (fresh / "kerasllm.json").write_text(json.dumps({**manifest, "labels": ["no", "yes"]}))
    with running({"moods": folder}, reload_seconds=0.05) as server:
        seen, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                seen.append(server.ask("/classify", {"inputs": "good", "top_k": 1}))

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(ask) for _ in range(4)]
            time.sleep(0.2)
            folder.rename(tmp_path / "old")
            fresh.rename(folder)
            server.until(lambda: seen[-1][1][0]["label"] == "yes")
            stop.set()
            for future in futures:
                future.result()
        assert {status for status, _ in seen} == {200}
        assert seen[0][1][0]["label"] == "positive"
        (folder / "kerasllm.json").write_text("{}")  # broken: the one that is loaded stays
        time.sleep(0.2)
        assert server.ask("/classify", {"inputs": "good", "top_k": 1})[1][0]["label"] == "yes"


def test_while_models_are_loaded_the_answer_is_503(bundles, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr("kerasllm.serving.http.models.ServedModel.__init__", _after(go))
    with running({"moods": bundles["moods"]}, wait=False) as server:
        assert server.ask("/health") == (503, {"status": "loading"})
        assert server.ask("/classify", {"inputs": "good"})[0] == 503
        go.set()
        server.until(lambda: server.ask("/health")[0] == 200)


def _after(go):
    from kerasllm.serving.http.models import ServedModel

    load = ServedModel.__init__

    def wait_and_load(self, *arguments):
        go.wait()
        load(self, *arguments)

    return wait_and_load


def test_a_process_that_is_told_to_end_answers_what_it_accepted(bundles):
    """A real `kerasllm serve`: SIGTERM while 8 texts are written. It never imports TensorFlow."""
    command = [sys.executable, "-X", "importtime", "-m", "kerasllm", "serve", f"writer={bundles['writer']}"]
    command += ["--port", "0", "--json", "--slots", "2"]
    body = json.dumps({**LONG, "stream": False}).encode()
    errors: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        reading = threading.Thread(target=lambda: errors.extend(process.stderr))
        reading.start()
        address = json.loads(process.stdout.readline())["address"]
        there = SimpleNamespace(port=int(address.rpartition(":")[2]))
        connections = [raw(there, post("/v1/completions", len(body)), body) for _ in range(8)]
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        answers = [answer(connection) for connection in connections]
        reading.join()
    assert [status for status, _ in answers] == [200] * 8
    assert all(b'"completion_tokens":200' in data for _, data in answers)
    assert process.returncode == 0
    assert not re.search(r"\| +(tensorflow|keras)$", "".join(errors), re.MULTILINE)
