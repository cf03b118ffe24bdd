"""Perplexity and bits a byte."""

import math

import pytest

from kerasllm.metrics.language import language_metrics


def test_a_fair_coin_a_byte_is_one_bit():
    scores = language_metrics(8 * math.log(2), 4, 8, 8)
    assert scores["perplexity"] == pytest.approx(2)
    assert scores["bits_per_byte"] == pytest.approx(1)
    assert scores["token_accuracy"] == 0.5
    assert scores["log_likelihood"] == -scores["loss"]
    with pytest.raises(ValueError, match="at least one token"):
        language_metrics(0.0, 0, 0, 0)
