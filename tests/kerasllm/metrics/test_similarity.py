"""Scores of sentence vectors."""

import numpy as np
import pytest

from kerasllm.data.pairs import PairSplit
from kerasllm.metrics.similarity import pair_metrics, retrieval_metrics, scored_metrics


def unit(rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_spearman_is_of_ranks():
    scores = np.array([0, 1, 2, 3], np.float32)
    found = scored_metrics(np.array([0.1, 0.2, 0.3, 0.9], np.float32), scores)
    assert found["spearman"] == pytest.approx(1)
    assert 0 < found["pearson"] < 1
    assert scored_metrics(np.array([0.4, 0.3, 0.2, 0.1], np.float32), scores)["spearman"] == pytest.approx(-1)
    assert scored_metrics(np.ones(4, np.float32), scores) == {"pairs": 4, "spearman": 0.0, "pearson": 0.0}


def test_retrieval():
    firsts = unit([[1, 0], [0, 1], [1, 1]])
    seconds = unit([[1, 0.1], [0.1, 1], [-1, -1]])
    found = retrieval_metrics(firsts, seconds, ["a", "b", "c"])
    assert found == {"pairs": 3, "candidates": 3, "accuracy": pytest.approx(2 / 3), "mrr": pytest.approx(7 / 9)}


def test_equal_texts_are_one_candidate_and_ties_count_against():
    firsts = unit([[1, 0], [1, 0]])
    assert retrieval_metrics(firsts, firsts, ["a", "a"])["accuracy"] == 1
    assert retrieval_metrics(firsts, firsts, ["a", "b"])["accuracy"] == 0


def test_scores_decide_the_metric():
    rows = unit([[1, 0], [0, 1]])
    assert "mrr" in pair_metrics(rows, rows, PairSplit(["a", "b"], ["c", "d"]))
    scored = PairSplit(["a", "b"], ["c", "d"], np.array([0, 1], np.float32))
    assert "spearman" in pair_metrics(rows, rows[[1, 1]], scored)
