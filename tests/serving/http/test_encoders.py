"""Paths and forms as text-embeddings-inference documents them; answers as in process."""

import numpy as np
import pytest

from kerasllm.serving import load


def test_embed_gives_a_list_of_vectors(server, bundles):
    served = load(bundles["vectors"], threads=1)
    assert server.ask("/embed", {"inputs": "ada met"}) == (200, served(["ada met"]).tolist())
    raw = server.ask("/embed", {"inputs": ["ada met", "alan"], "normalize": False})[1]
    np.testing.assert_allclose(raw, served(["ada met", "alan"]))


def test_predict_ranks_the_labels(server, bundles):
    served = load(bundles["moods"], threads=1)
    status, one = server.ask("/predict", {"model": "moods", "inputs": "very bad film"})
    assert (status, one) == (200, served("very bad film", top_k=None))
    _, several = server.ask("/predict", {"model": "moods", "inputs": [["good"], ["bad film"]]})
    assert several == served(["good", "bad film"], top_k=None)
    _, raw = server.ask("/predict", {"model": "moods", "inputs": "good", "raw_scores": True})
    assert {each["label"]: each["score"] for each in raw} == {"negative": -2, "positive": 2}


def test_predict_takes_a_pair(server, bundles):
    served = load(bundles["pairs"], threads=1)
    _, found = server.ask("/predict", {"model": "pairs", "inputs": ["ada met alan", "who"]})
    assert found == served(("ada met alan", "who"), top_k=None)


def test_rerank_sorts_by_the_last_label(server, bundles):
    texts = ["ada met alan", "paris", "who ?"]
    status, ranks = server.ask("/rerank", {"model": "pairs", "query": "who", "texts": texts, "return_text": True})
    scores = load(bundles["pairs"], threads=1).probabilities([("who", text) for text in texts])[:, 1]
    assert status == 200
    assert [rank["index"] for rank in ranks] == np.argsort(-scores).tolist()
    assert [rank["text"] for rank in ranks] == [texts[rank["index"]] for rank in ranks]
    assert server.ask("/rerank", {"model": "moods", "query": "a", "texts": ["b"]})[0] == 400


def test_tokenize_and_decode_are_inverse(server):
    _, rows = server.ask("/tokenize", {"model": "vectors", "inputs": "ada met"})
    assert [token["text"] for token in rows[0]] == ["[CLS]", "ada", "met", "[SEP]"]
    assert [token["special"] for token in rows[0]] == [True, False, False, True]
    assert (rows[0][2]["start"], rows[0][2]["stop"]) == (4, 7)
    ids = [token["id"] for token in rows[0]]
    assert server.ask("/decode", {"model": "vectors", "ids": ids}) == (200, ["ada met"])
    assert server.ask("/decode", {"model": "vectors", "ids": [ids, ids[:2]]}) == (200, ["ada met", "ada"])


def test_info_names_the_limits(server):
    status, about = server.ask("/info?model=vectors")
    assert status == 200
    assert about["max_input_length"] == 32
    assert about["model_type"] == "feature-extraction"


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/embed", {"inputs": []}, 400, "from 1 to 1024 texts"),
        ("/embed", {"inputs": ["ada " * 40]}, 400, "at most 32 tokens"),
        ("/embed", {"inputs": 7}, 422, "inputs"),
        ("/predict", {"inputs": "good"}, 400, "say which"),
        ("/predict", {"model": "vectors", "inputs": "good"}, 400, "does feature-extraction"),
        ("/decode", {"model": "vectors", "ids": [-1]}, 422, "ids"),
        ("/info?model=nobody", None, 404, "no model"),
    ],
)
def test_what_is_wrong_is_said_in_their_form(server, path, body, status, word):
    found, answer = server.ask(path, body)
    assert found == status
    assert set(answer) == {"error", "error_type"}
    assert word in answer["error"]
