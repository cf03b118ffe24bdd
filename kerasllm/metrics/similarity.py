"""How good sentence vectors are: one function scores those of a RUN and of a BUNDLE, so they can be compared."""

from typing import Any

import numpy as np

from ..data.pairs import PairSplit
from ..extras import require

_CHUNK = 1024  # questions that are compared with every candidate at once


def pair_metrics(firsts: np.ndarray, seconds: np.ndarray, split: PairSplit) -> dict[str, Any]:
    """Scores the vectors of pairs: `scored_metrics` where the pairs have scores, else `retrieval_metrics`.

    Args:
        firsts: The vectors of the first texts, float32 [pairs, hidden], of length 1.
        seconds: Those of the second texts.
        split: The pairs.
    """
    if split.scores is not None:
        return scored_metrics((firsts * seconds).sum(axis=1), split.scores)
    return retrieval_metrics(firsts, seconds, split.seconds)


def scored_metrics(cosines: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """How far cosines and people agree.

    Args:
        cosines: float32 [pairs].
        scores: What people said, float32 [pairs].

    Returns:
        "pairs", "spearman" (rank correlation, the score of the STS benchmark) and "pearson", -1 to 1; 0 where all
        cosines or all scores are equal.
    """
    stats = require("train", "scipy.stats")
    if np.ptp(cosines) == 0 or np.ptp(scores) == 0:
        return {"pairs": len(scores), "spearman": 0.0, "pearson": 0.0}
    return {
        "pairs": len(scores),
        "spearman": float(stats.spearmanr(cosines, scores).statistic),
        "pearson": float(stats.pearsonr(cosines, scores).statistic),
    }


def retrieval_metrics(firsts: np.ndarray, seconds: np.ndarray, texts: list[str]) -> dict[str, Any]:
    """How well each first text finds its second one among all of them.

    Args:
        firsts: float32 [pairs, hidden], of length 1.
        seconds: The same of the second texts.
        texts: The second texts: equal ones are one candidate.

    Returns:
        "pairs", "candidates", "accuracy" (the right one is the nearest) and "mrr" (mean reciprocal rank), 0 to 1;
        another candidate that is just as near counts as nearer.
    """
    _, first, candidate = np.unique(np.array(texts, object), return_index=True, return_inverse=True)
    ranks = []
    for start in range(0, len(firsts), _CHUNK):
        cosines = firsts[start : start + _CHUNK] @ seconds[first].T
        right = np.take_along_axis(cosines, candidate[start : start + _CHUNK, None], axis=1)
        ranks.append((cosines >= right).sum(axis=1))
    rank = np.concatenate(ranks)
    return {
        "pairs": len(firsts),
        "candidates": len(first),
        "accuracy": float((rank == 1).mean()),
        "mrr": float((1 / rank).mean()),
    }
