"""The plain loop writes what the logits say."""

import numpy as np
import pytest

from kerasllm.models.writing import write


class Counter:
    """The next token is the last one and one more, until 9."""

    def predict_on_batch(self, inputs):
        ids = inputs["token_ids"]
        assert ids.shape == (1, 4)
        logits = np.zeros((*ids.shape, 10), np.float32)
        np.put_along_axis(logits, np.minimum(ids + 1, 9)[..., None], 50.0, axis=-1)
        return logits


def test_greedy_goes_past_the_context_and_stops_at_an_end():
    assert write(Counter(), [1], context=4, max_new_tokens=6) == [2, 3, 4, 5, 6, 7]
    assert write(Counter(), [1], context=4, max_new_tokens=6, ends=frozenset({4})) == [2, 3]
    assert write(Counter(), [1, 2, 3, 4, 5, 6], context=4, max_new_tokens=1) == [7]
    with pytest.raises(ValueError, match="at least one token"):
        write(Counter(), [], context=4, max_new_tokens=1)


def test_a_seed_draws_the_same_tokens():
    options = {"context": 4, "max_new_tokens": 20, "temperature": 30.0}
    drawn = [write(Counter(), [1], seed=seed, **options) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
