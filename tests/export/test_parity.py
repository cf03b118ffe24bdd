"""What counts as a difference, and which rows are tried."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.evaluation.scoring import Scored
from kerasllm.export.interface import call
from kerasllm.export.parity import TOLERANCE, _rounding_noise, compare_answers, trial_batches
from kerasllm.export.signature import Signature
from kerasllm.metrics.classification import predict_classes


@settings(deadline=None, max_examples=25, derandomize=True)
@given(max_length=st.integers(1, 40), vocab_size=st.integers(2, 50), seed=st.integers(0, 9), segments=st.booleans())
def test_the_trial_batches_hold_every_odd_case(max_length, vocab_size, seed, segments):
    signature = Signature(
        inputs={role: role for role in ("input_ids", *["token_type_ids"] * segments)},
        applied="none",
        one_for_two=False,
        activation="softmax",
        max_length=max_length,
        padding="longest",
        padding_side="right",
        pad_token_id=0,
        vocab_size=vocab_size,
    )
    batches = trial_batches(signature, seed)
    assert all((row.types is not None) == segments for batch in batches for row in batch)
    rows = [row.ids for batch in batches for row in batch]
    assert {len(batch) == 1 for batch in batches} == {True, False}
    assert {0, 1, max_length} <= {len(row) for row in rows}
    assert any(len({len(row.ids) for row in batch}) > 1 for batch in batches)
    assert all(row.min() >= 1 and row.max() < vocab_size for row in rows if len(row))
    assert max(map(len, rows)) <= max_length


def test_a_large_output_gets_few_tokens_a_batch_and_attention_no_empty_row():
    options = {"applied": "none", "one_for_two": False, "activation": "softmax", "padding": "longest"}
    signature = Signature(
        inputs={"input_ids": "input_ids"}, max_length=400, padding_side="right", pad_token_id=0, vocab_size=9, **options
    )
    batches = [[len(row.ids) for row in batch] for batch in trial_batches(signature, most_tokens=80, empty_rows=False)]
    assert all(max(batch) * len(batch) <= 80 for batch in batches if len(batch) > 1)
    assert {1, 400} <= {length for batch in batches for length in batch}
    assert min(min(batch) for batch in batches) == 1


def answers(values, *, multi_label=False):
    return Scored(report={}, decisions=predict_classes(np.array(values), multi_label), values=np.array(values))


def test_compare_counts_decisions_and_the_largest_difference():
    reference = [[0.9, 0.1], [0.4, 0.6], [0.51, 0.49], [0.2, 0.8]]
    scores = [[0.8, 0.2], [0.4, 0.6], [0.49, 0.51], [0.2, 0.8]]
    result = compare_answers(answers(reference), answers(scores))
    assert result == {"max_abs_difference": pytest.approx(0.1), "agreement": 0.75, "rows": 4}
    several = [answers(values, multi_label=True) for values in (reference, scores)]
    assert compare_answers(*several)["agreement"] == 0.75


def test_vectors_are_compared_by_their_angle():
    a, b = (Scored(report={}, values=np.array(rows)) for rows in ([[3.0, 4], [0, 0]], [[4.0, 3], [0, 0]]))
    assert compare_answers(a, b) == {"max_abs_difference": 1, "cosine": pytest.approx(0.98), "rows": 2}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([np.nan, 1], [np.nan, 1], 0),
        ([np.inf, 1], [np.inf, 1], 0),
        ([np.nan, 1], [0, 1], np.finfo(np.float64).max),
        ([np.inf, 1], [-np.inf, 1], np.finfo(np.float64).max),
    ],
)
def test_what_is_no_number_differs_unless_both_sides_have_it(a, b, expected):
    difference = compare_answers(answers([a]), answers([b]))["max_abs_difference"]
    assert difference == 0 if expected == 0 else difference > 1e30


def chaotic(seed: int) -> keras.Model:
    """A recurrent net with weights so large that rounding grows from step to step."""
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    x = keras.layers.SimpleRNN(24)(keras.layers.Embedding(10, 8)(ids))
    model = keras.Model(ids, keras.layers.Dense(2)(x))
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(0, 1.5, weight.shape) for weight in model.get_weights()])
    return model


def noise_of(model, rows, expected):
    return _rounding_noise(model, lambda: {"logits": call(model, [rows])[0]}, {"logits": expected})


def test_a_chaotic_net_is_held_to_its_own_rounding_and_its_weights_are_put_back():
    model, rows = chaotic(0), np.random.default_rng(0).integers(0, 10, (4, 80))
    before = model.get_weights()
    expected = np.asarray(model(rows))
    noise = noise_of(model, rows, expected)
    assert noise > TOLERANCE
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    tame = np.asarray(model(rows[:, :2]))
    assert noise_of(model, rows[:, :2], tame) < TOLERANCE
