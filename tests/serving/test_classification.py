"""What the classifier answers, against score rows averaged by hand."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving import load

from .handmade import by_hand, mean_graph

WORDS = ["good", "bad", "film", "very", "not", "unheard"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=12)


def test_has_the_shapes_of_hugging_face_pipelines(bundle):
    classifier = load(bundle)
    assert classifier("good film") == [{"label": "positive", "score": pytest.approx(by_hand("good film")[1], abs=1e-6)}]
    assert [entry["label"] for entry in classifier(["good film", "bad film"])] == ["positive", "negative"]
    assert [entry["label"] for entry in classifier("good film", top_k=None)] == ["positive", "negative"]
    assert classifier("good film", top_k=1) == classifier("good film")
    assert classifier(["good film"], top_k=1) == [classifier("good film")]
    assert [len(row) for row in classifier(["good", "bad", "film"], top_k=None)] == [2, 2, 2]
    assert classifier([]) == []
    assert classifier.probabilities([]).shape == (0, 2)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(texts=TEXTS, batch_size=st.integers(1, 5))
def test_probabilities_keep_the_order_whatever_the_batches(bundle, texts, batch_size):
    scores = load(bundle).probabilities(texts, batch_size=batch_size)
    assert scores.dtype == np.float32
    assert scores.shape == (len(texts), 2)
    for row, text in zip(scores, texts, strict=True):
        np.testing.assert_allclose(row, by_hand(text), atol=1e-6)


def test_an_empty_text_is_answered_like_an_unknown_word(bundle):
    classifier = load(bundle)
    assert classifier("") == classifier("unheard")
    np.testing.assert_array_equal(*classifier.probabilities(["", "unheard"]))


@pytest.mark.parametrize("wrong", [3, None, b"good", ["good", 3], [["good"]], {"text": "good"}])
def test_what_is_no_text_is_refused(bundle, wrong):
    with pytest.raises(TypeError, match="Received: "):
        load(bundle)(wrong)


def test_numbers_that_make_no_sense_are_refused(bundle):
    classifier = load(bundle)
    with pytest.raises(ValueError, match="top_k must be at least 1"):
        classifier("good", top_k=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        classifier.probabilities(["good", "bad"], batch_size=0)


def test_a_graph_with_one_int32_input_of_another_name_is_fed(make_bundle):
    graph = mean_graph(mask=False, ids="words", dtype=6)
    classifier = load(make_bundle({"fp32": graph}, inputs={"input_ids": "words"}))
    scores = classifier.probabilities(["good film", "bad"])
    np.testing.assert_allclose(scores, [by_hand("good film"), by_hand("bad")], atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "apply"),
    [("none", lambda logits: logits), ("sigmoid", lambda logits: 1 / (1 + np.exp(-logits)))],
)
def test_only_the_activation_that_is_left_is_applied(make_bundle, activation, apply):
    scores = load(make_bundle(activation=activation)).probabilities(["good film"])
    np.testing.assert_allclose(scores, [apply(np.array([-0.75, 1.0]))], atol=1e-6)


def test_one_score_of_two_labels_becomes_two_scores(make_bundle):
    graph = mean_graph(np.array([[0], [0], [3], [-3], [0], [0], [0]], np.float32))
    classifier = load(make_bundle({"fp32": graph}, activation="sigmoid"))
    positive = 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(classifier.probabilities(["good"]), [[1 - positive, positive]], atol=1e-6)
    assert classifier("bad")[0]["label"] == "negative"


def test_threads_share_a_classifier(bundle):
    classifier = load(bundle)
    texts = [" ".join(np.random.default_rng(seed).choice(WORDS, 4)) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda text: classifier.probabilities([text])[0], texts))
    np.testing.assert_allclose(answers, [by_hand(text) for text in texts], atol=1e-6)


def test_a_run_of_no_rows_is_refused_and_a_list_of_no_texts_is_not(bundle):
    classifier = load(bundle)
    with pytest.raises(ValueError, match="at least one row"):
        classifier.run([])
    assert classifier([]) == []
    assert classifier.probabilities([]).shape == (0, 2)
