from types import SimpleNamespace

import numpy as np
import pytest

from kerasllm.perplexity import score_rows, text_rows


class Letters:
    """A decoder of characters that always expects the alphabet to go on."""

    start = None
    graph = SimpleNamespace(context=4)
    tokenizer = SimpleNamespace(
        encode=lambda text, add_special_tokens: SimpleNamespace(ids=[ord(c) - 97 for c in text]),
        decode=lambda ids: "".join(chr(97 + i) for i in ids),
    )

    def logits(self, row):
        return np.log(np.where(np.arange(26) == (np.asarray(row)[:, None] + 1) % 26, 0.75, 0.01)).astype(np.float32)


def test_every_token_but_the_first_is_predicted_once():
    assert text_rows(Letters(), ["abcdefg", "", "x", "yz"]) == [[0, 1, 2, 3], [3, 4, 5, 6], [24, 25]]
    assert text_rows(Letters(), ["abcdefg", "yz"], most=3) == [[0, 1, 2, 3]]


def test_scores_are_those_of_the_probabilities_of_the_tokens():
    report, choices = score_rows(Letters(), [[0, 1, 2], [5, 7]])
    assert report["perplexity"] == pytest.approx(np.exp(-(2 * np.log(0.75) + np.log(0.01)) / 3))
    assert (report["tokens"], report["token_accuracy"]) == (3, pytest.approx(2 / 3))
    assert choices.tolist() == [1, 2, 6]


def test_nothing_to_predict_is_refused():
    with pytest.raises(ValueError, match="at least one token"):
        score_rows(Letters(), [])
