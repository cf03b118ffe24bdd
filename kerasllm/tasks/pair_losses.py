"""What sentence vectors of pairs of texts are trained with.

Pairs that belong together are told from the other pairs of their batch (multiple negatives ranking, Henderson et al.
2017, Efficient Natural Language Response Suggestion for Smart Reply; InfoNCE, van den Oord et al. 2018). Pairs with
scores are put in order (CoSENT: Huang et al. 2024, Consistent Sentence Embedding via Similarity Ranking).
"""

from typing import Any

_NEVER = -1e9  # scores nothing in a softmax


def negatives_ranking(texts: Any, vectors: Any, temperature: float) -> Any:
    """Multiple negatives ranking: each pair's second text must be nearer to its first one than those of other pairs.

    A pair that shares a text with this one is no counter-example, and is left out.

    Args:
        texts: The number of each text, [2 * pairs]; equal texts have the same one.
        vectors: float32 [2 * pairs, hidden] of length 1, the two of a pair one after the other.
        temperature: Divides the cosines.

    Returns:
        The mean cross-entropy in nats.
    """
    from keras import ops

    firsts, seconds = _sides(vectors)
    numbers = ops.reshape(ops.cast(texts, "int32"), (-1, 2))
    shared = ops.any(ops.equal(numbers[:, None], numbers[None]), axis=-1)  # [pairs, pairs], true of each with itself
    scores = ops.matmul(firsts, ops.transpose(seconds)) / temperature
    right = ops.sum(firsts * seconds, axis=-1, keepdims=True) / temperature
    others = ops.where(shared, _NEVER, scores)
    return ops.mean(ops.logsumexp(ops.concatenate([right, others], axis=1), axis=1) - right[:, 0])


def similarity_order(scores: Any, vectors: Any, temperature: float) -> Any:
    """CoSENT: a pair with a higher score must have a higher cosine.

    Args:
        scores: Each pair's score twice, [2 * pairs].
        vectors: float32 [2 * pairs, hidden] of length 1, the two of a pair one after the other.
        temperature: Divides the differences of cosines.

    Returns:
        log(1 + the sum of exp((cosine of j - cosine of i) / temperature)), over all i and j where i's score is higher.
    """
    from keras import ops

    firsts, seconds = _sides(vectors)
    cosines, scores = ops.sum(firsts * seconds, axis=-1), ops.reshape(scores, (-1, 2))[:, 0]
    differences = (cosines[None] - cosines[:, None]) / temperature
    wrong = ops.where(scores[:, None] > scores[None], differences, _NEVER)
    return ops.logsumexp(ops.concatenate([ops.zeros((1,), wrong.dtype), ops.reshape(wrong, (-1,))]))


def _sides(vectors: Any) -> tuple[Any, Any]:
    """First and second texts' vectors, each float32 [pairs, hidden]."""
    from keras import ops

    pairs = ops.reshape(ops.cast(vectors, "float32"), (-1, 2, vectors.shape[-1]))
    return pairs[:, 0], pairs[:, 1]
