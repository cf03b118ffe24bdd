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
    assert {"/v1/completions", "/v1/chat/completions", "/embed", "/classify", "/qa"} <= set(schema["paths"])
