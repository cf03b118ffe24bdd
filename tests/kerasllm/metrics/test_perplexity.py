from types import SimpleNamespace

import numpy as np
import pytest

from kerasllm.metrics.perplexity import as_rows, score_rows


class Letters:
    """A decoder of characters that always expects the alphabet to go on."""

    start = None
    graph = SimpleNamespace(context=3)
    tokenizer = SimpleNamespace(
        encode=lambda text, add_special_tokens: SimpleNamespace(ids=[ord(c) - 97 for c in text]),
        decode=lambda ids: "".join(chr(97 + i) for i in ids),
    )

    def logits(self, row):
        return np.log(np.where(np.arange(26) == (np.asarray(row)[:, None] + 1) % 26, 0.75, 0.01)).astype(np.float32)


def shown(rows):
    return [(ids.tolist(), labels.tolist()) for ids, labels in rows]


def test_every_token_but_the_first_is_predicted_once():
    rows = as_rows(Letters(), ["abcdefg", "", "x", "yz"])
    assert shown(rows) == [([0, 1, 2], [1, 2, 3]), ([3, 4, 5], [4, 5, 6]), ([24], [25])]
    assert shown(as_rows(Letters(), ["abcdefg", "yz"], most=3)) == [([0, 1, 2], [1, 2, 3])]


def test_rows_stay_as_they_are_but_those_that_ask_nothing():
    row = np.array([1, 2]), np.array([-1, 3])
    assert shown(as_rows(Letters(), [row, (row[0], np.array([-1, -1]))])) == [([1, 2], [-1, 3])]


def test_scores_are_those_of_the_probabilities_of_what_is_asked_for():
    rows = [(np.array([0, 1, 4]), np.array([1, 2, -1])), (np.array([5]), np.array([7]))]
    report, choices = score_rows(Letters(), rows)
    assert report["perplexity"] == pytest.approx(np.exp(-(2 * np.log(0.75) + np.log(0.01)) / 3))
    assert (report["tokens"], report["token_accuracy"]) == (3, pytest.approx(2 / 3))
    assert report["bits_per_byte"] == pytest.approx(np.log2(report["perplexity"]))
    assert choices.tolist() == [1, 2, 6]


def test_nothing_to_predict_is_refused():
    with pytest.raises(ValueError, match="at least one token"):
        score_rows(Letters(), [])
