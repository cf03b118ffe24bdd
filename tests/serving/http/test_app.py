"""What the server says of itself, and how it listens."""

import socket

from kerasllm.serving.http.server import bind


def test_health_and_models_of_every_task(server):
    assert server.ask("/health") == (200, {"status": "ok"})
    status, models = server.ask("/v1/models")
    assert status == 200
    assert {model["id"]: model["task"] for model in models["data"]} == {
        "moods": "text-classification",
        "pairs": "text-classification",
        "tagger": "token-classification",
        "reader": "question-answering",
        "vectors": "feature-extraction",
        "words": "fill-mask",
        "writer": "text-generation",
    }


def test_every_path_is_described(server):
    status, schema = server.ask("/openapi.json")
    assert status == 200
    assert {"/v1/completions", "/embed", "/classify", "/v2/models/{name}/infer"} <= set(schema["paths"])


def test_connections_send_small_answers_at_once():
    # asyncio turns Nagle's algorithm off for sockets that name their protocol; accepted ones inherit it.
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP
