"""Over HTTP as in process, also when many ask at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kerasllm.serving import load

CALLS = [
    ("/classify", "moods", {"inputs": "very good film", "top_k": 1}, lambda served: served("very good film", top_k=1)),
    ("/classify", "moods", {"inputs": ["good", "bad"]}, lambda served: served(["good", "bad"], top_k=None)),
    (
        "/classify",
        "pairs",
        {"inputs": {"text": "ada", "text_pair": "who"}},
        lambda served: served(("ada", "who"), top_k=None),
    ),
    ("/ner", "tagger", {"inputs": "ada met alan in paris"}, lambda served: served("ada met alan in paris")),
    ("/fill", "words", {"inputs": "ada met [MASK]", "top_k": 2}, lambda served: served("ada met [MASK]", top_k=2)),
    (
        "/qa",
        "reader",
        {"question": "who ?", "context": "ada met alan"},
        lambda served: served(question="who ?", context="ada met alan"),
    ),
    (
        "/qa",
        "reader",
        {"inputs": [{"question": "who", "context": "ada met"}] * 2, "top_k": 2},
        lambda served: served([{"question": "who", "context": "ada met"}] * 2, top_k=2),
    ),
]


@pytest.mark.parametrize(("path", "model", "body", "call"), CALLS)
def test_answers_are_those_of_in_process(server, bundles, path, model, body, call):
    assert server.ask(path, {"model": model, **body}) == (200, call(load(bundles[model], threads=1)))


def test_answers_among_strangers_are_the_same(server, bundles):
    served = load(bundles["moods"], threads=1)
    texts = [" ".join(["good", "bad", "film", "very", "not"][: 1 + index % 5]) for index in range(100)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda text: server.ask("/classify", {"model": "moods", "inputs": text})[1], texts))
    assert answers == [served(text, top_k=None) for text in texts]


def test_the_only_model_of_a_task_needs_no_name(server):
    assert server.ask("/ner", {"inputs": "ada"})[0] == 200


def test_half_a_question_is_refused(server):
    status, answer = server.ask("/qa", {"question": "who"})
    assert status == 400
    assert '"context"' in answer["error"]
