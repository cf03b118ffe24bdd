"""Vectors that are pooled by the graph or by serving, against means by hand."""

import numpy as np
import pytest

from kerasllm.serving import BundleError, load

from .handmade import mean_graph, write_bundle, write_embedder


def unit(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32) / np.linalg.norm(numbers)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_mean_of_the_tokens_own_vectors_of_length_one(tmp_path, side):
    preprocessing = {"max_length": 32, "padding_side": side}
    embedder = load(write_embedder(tmp_path / "b", preprocessing=preprocessing))
    vectors = embedder(["ada alan", "", "alan in paris met who ? in in"])
    assert (vectors.dtype, vectors.shape) == (np.float32, (3, 2))
    # [CLS] (1, 1) and [SEP] (0, 0) count as tokens; the mean's length does not matter.
    np.testing.assert_allclose(vectors, [unit(4, 5), unit(1, 1), unit(1, 5)], atol=1e-6)
    np.testing.assert_allclose(embedder("ada"), unit(4, 1), atol=1e-6)


def test_the_first_token_alone_and_lengths_as_they_are(tmp_path):
    embedder = load(write_embedder(tmp_path / "b", settings={"pooling": "cls", "normalize": False}))
    assert embedder(["ada alan", "met"]).tolist() == [[1, 1], [1, 1]]
    mean = load(write_embedder(tmp_path / "c", settings={"normalize": False}))
    assert mean("ada alan").tolist() == [1, 1.25]


def test_a_pooled_output_of_the_graph_is_taken_as_it_is(tmp_path):
    graph = mean_graph(output="sentence_embedding")
    settings = {"pooling": "other", "normalize": True}  # what the graph has done already
    folder = write_bundle(tmp_path / "b", {"fp32": graph}, task="feature-extraction", labels=[], settings=settings)
    embedder = load(folder)
    np.testing.assert_allclose(embedder(["good film", "bad"]), [[-0.75, 1], [2, -2]], atol=1e-6)
    assert embedder([]).shape == (0, 2)


def test_a_graph_without_vectors_is_refused(tmp_path):
    folder = write_bundle(tmp_path / "b", task="feature-extraction", labels=[])
    with pytest.raises(BundleError, match="must have the output sentence_embedding or last_hidden_state"):
        load(folder)


def test_a_text_that_is_too_long_is_cut_as_in_training_or_refused(tmp_path):
    embedder = load(write_embedder(tmp_path / "b", preprocessing={"max_length": 4}))
    np.testing.assert_allclose(embedder("ada alan paris"), embedder("ada alan"))
    with pytest.raises(ValueError, match="at most 4 tokens"):
        embedder("ada alan paris", truncation=False)


def test_many_texts_keep_their_order(tmp_path):
    embedder = load(write_embedder(tmp_path / "b"))
    texts = ["ada", "alan in paris", "met"] * 50
    np.testing.assert_allclose(embedder(texts), np.tile([unit(4, 1), unit(1, 5), unit(1, 1)], (50, 1)), atol=1e-6)
    assert embedder([]).shape == (0, 2)


def test_an_unknown_pooling_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"'mean' or 'cls'\. Received: 'other'"):
        load(write_embedder(tmp_path / "b", settings={"pooling": "other"}))
    with pytest.raises(BundleError, match="'normalize' must be of type bool"):
        load(write_embedder(tmp_path / "c", settings={"normalize": "yes"}))
