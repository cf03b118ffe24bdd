"""Hold an exported graph against Keras, and each variant against fp32, on real texts and on the odd cases."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..evaluation.scoring import Scored
from ..serving.graph import Row, pad
from ..serving.probabilities import sigmoid, softmax
from .compiler import functional_graph
from .errors import ExportError
from .forms import TaskForm
from .interface import call
from .signature import Signature

# Largest difference between Keras and the fp32 graph, in the units of the output. A net can be chaotic: on long random
# rows its own answer moves by more than this when every weight moves to the next float that there is. Then no export
# can be closer: Keras and the graph may each be as far from the exact answer as that movement, measured on the batch in
# question, and on opposite sides of it. The bound is twice the movement.
TOLERANCE = 1e-4
# Real rows that are compared with Keras, which is slow; all of them count for the metric.
_ROWS = 48
# Longest random row; a longer one would only take longer.
_LONGEST = 512
# Most numbers of an output for a batch, 64 MB: a vocabulary of logits for every token is large.
_VALUES = 2**24

Outputs = Mapping[str, np.ndarray]


def check_parity(
    model: keras.Model, served: Any, signature: Signature, rows: Sequence[Row]
) -> tuple[dict[str, Any], list[list[Row]]]:
    """Compares every output of the fp32 graph with Keras's on the same arrays; at padding there is nothing to compare.

    Args:
        model: The Keras model.
        served: Its fp32 graph, as it is served.
        signature: How both are fed.
        rows: Real rows, possibly none.

    Returns:
        "max_abs_difference" of the outputs, the "tolerance" that they kept (more than `TOLERANCE` only where Keras's
        own rounding moves them more) and the number of "rows"; and the batches that were compared.

    Raises:
        ExportError: They differ by more than rounding.
    """
    batches = comparison_batches(model, signature, rows)
    worst, tolerance = 0.0, TOLERANCE
    for batch in batches:
        arrays = pad(batch, served.preprocessing)
        inputs, real = [arrays[role] for role in signature.inputs], arrays["attention_mask"] == 1

        def answer(inputs: Sequence[np.ndarray] = inputs, real: np.ndarray = real) -> Outputs:
            return _at_tokens(dict(zip(signature.outputs, call(model, inputs), strict=True)), real, signature.form)

        expected = answer()
        actual = _at_tokens(_as_keras_ends(served.graph.run(batch), signature, model), real, signature.form)
        difference = _difference(actual, expected)
        if not difference <= TOLERANCE:
            bound = 2 * _rounding_noise(model, answer, expected)
            if not difference <= bound:
                raise ExportError(
                    f"The exported graph must give what Keras gives, within {max(TOLERANCE, bound):.3g}. Received: a "
                    f"largest difference of {difference:.3g}. Nothing was written; this is a defect of a lowering (or, "
                    "with left padding, a mask that only right padding fits): please report the model's layers."
                )
            tolerance = max(tolerance, bound)
        worst = max(worst, difference)
    return {"max_abs_difference": worst, "tolerance": tolerance, "rows": sum(map(len, batches))}, batches


def comparison_batches(model: keras.Model, signature: Signature, rows: Sequence[Row]) -> list[list[Row]]:
    """The trial batches, and real rows by sixteen or as few as their outputs allow."""
    outputs = functional_graph(model).outputs
    per_token = max((output.shape[-1] for output in outputs if len(output.shape) == 3), default=1)
    most = max(1, _VALUES // per_token)
    batches = trial_batches(signature, most_tokens=most, empty_rows=not _attends(model))
    for start in range(0, len(rows[:_ROWS]), 16):
        batch = list(rows[start : start + 16])
        size = max(1, most // max(len(row.ids) for row in batch))
        batches += [batch[first : first + size] for first in range(0, len(batch), size)]
    return batches


def _attends(model: keras.Model) -> bool:
    """Whether the model has attention, whose answer to a row of padding alone is an accident of rounding."""
    names = {type(layer).__name__ for layer in functional_graph(model)._flatten_layers()}
    return any("Attention" in name or name.startswith("Transformer") for name in names)


def _at_tokens(outputs: Outputs, real: np.ndarray, form: TaskForm) -> Outputs:
    """Outputs of tokens without those at padding: [batch, sequence, ...] -> [tokens of all rows, ...]."""
    return {
        name: values[real] if name in form.outputs and form.per_token(name) else values
        for name, values in outputs.items()
    }


def _as_keras_ends(outputs: Outputs, signature: Signature, model: keras.Model) -> Outputs:
    """The graph's outputs with what it leaves to the runtime: the Keras model's own."""
    if signature.task != "text-classification" and signature.applied == "none":
        return outputs
    (values,) = outputs.values()
    values = values[..., -functional_graph(model).outputs[0].shape[-1] :]  # one score of two labels, not both
    if signature.applied == "softmax":
        values = softmax(values)
    if signature.applied == "sigmoid":
        values = sigmoid(values)
    return {signature.outputs[0]: values}


def _rounding_noise(model: keras.Model, answer: Callable[[], Outputs], expected: Outputs, draws: int = 8) -> float:
    """How far Keras's own outputs move, at most, when each weight moves to the next float, up or down by chance.

    A weight is only known to half of such a step, so answers that differ by less are equally right (Higham, Accuracy
    and Stability of Numerical Algorithms, on backward error). The weights are put back.

    Args:
        model: The Keras model.
        answer: Calls it on the batch in question.
        expected: What that gave.
        draws: How often the weights are moved, each time from where they were.
    """
    weights, draw = model.get_weights(), np.random.default_rng(0)

    def moved(weight: np.ndarray) -> np.ndarray:
        if weight.dtype.kind != "f":
            return weight
        return np.nextafter(weight, draw.choice(np.array([-np.inf, np.inf], weight.dtype), weight.shape))

    noise = 0.0
    try:
        for _ in range(draws):
            model.set_weights([moved(weight) for weight in weights])
            noise = max(noise, _difference(answer(), expected))
    finally:
        model.set_weights(weights)
    return noise


def compare_graphs(
    reference: Any, served: Any, signature: Signature, batches: Sequence[list[Row]], *, multi_label: bool = False
) -> dict[str, Any]:
    """Compares the outputs of a variant with those of fp32.

    Args:
        reference: fp32, as it is served.
        served: The variant, as it is served.
        signature: The task, and how both are fed.
        batches: Rows to run.
        multi_label: Whether every label is a decision of its own.

    Returns:
        "max_abs_difference" of the outputs; "agreement", the share of decisions (a text's or token's likeliest label or
        word, an answer's likeliest first and last token) that are the same, or of vectors the mean "cosine"; "rows".
    """
    largest, alike = 0.0, []
    for batch in batches:
        real = pad(batch, served.preprocessing)["attention_mask"] == 1
        ours, theirs = (_at_tokens(each.graph.run(batch), real, signature.form) for each in (served, reference))
        largest = max(largest, _difference(ours, theirs))
        for name in ours:
            axes = signature.form.outputs.get(name, ("batch", "labels"))
            if axes[-1] == "sequence":  # a row's likeliest token: rows were cut to their tokens, one after the other
                ends = np.cumsum(real.sum(axis=1))[:-1]
                a, b = (np.array([row.argmax() for row in np.split(x[name], ends) if len(row)]) for x in (ours, theirs))
                alike.append(a == b)
            elif axes[-1] != "hidden":
                alike.append(_decided(ours[name], multi_label) == _decided(theirs[name], multi_label))
            elif len(axes) == 2:
                alike.append(cosine(ours[name], theirs[name]))
    kind = "cosine" if "sentence_embedding" in signature.form.outputs else "agreement"
    share = float(np.concatenate([np.ravel(values) for values in alike]).mean())
    return {"max_abs_difference": largest, kind: share, "rows": sum(map(len, batches))}


def _decided(scores: np.ndarray, multi_label: bool) -> np.ndarray:
    return scores > 0 if multi_label else scores.argmax(axis=-1)


def compare_answers(reference: Scored, scored: Scored) -> dict[str, Any]:
    """Compares the answers of a variant with those of fp32 to the same examples.

    Args:
        reference: What fp32 answered.
        scored: What the variant answered.

    Returns:
        Where there are decisions, their "agreement" (the share that are all the same); where there are numbers, their
        "max_abs_difference", and without decisions the mean "cosine"; "rows".
    """
    found: dict[str, Any] = {}
    ours, theirs = scored.values, reference.values
    if ours is not None and theirs is not None:
        found = {"max_abs_difference": _largest(ours, theirs), "rows": len(ours)}
    if scored.decisions is not None and reference.decisions is not None:
        same = scored.decisions == reference.decisions
        same = same.reshape(len(same), -1).all(axis=1)
        return found | {"agreement": float(same.mean()), "rows": len(same)}
    return found | ({"cosine": float(cosine(ours, theirs).mean())} if ours is not None and theirs is not None else {})


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between each row of `a` and that of `b`, both [rows, size]; 1 for two zeros."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.where(lengths > 0, (a * b).sum(axis=-1) / np.maximum(lengths, 1e-30), 1.0)


def trial_batches(
    signature: Signature, seed: int = 0, *, most_tokens: int = _VALUES, empty_rows: bool = True
) -> list[list[Row]]:
    """Random rows in the shapes that break exports: one row and many, short and full, ragged, and one of padding alone.

    Args:
        signature: Its ids and lengths.
        seed: Seed of the draw.
        most_tokens: Most tokens of a batch of several rows, padding counted.
        empty_rows: Whether a row of padding alone is among them.

    Returns:
        Batches of rows; no row holds padding of its own. Where the model has segments, a row has two of them.
    """
    draw = np.random.default_rng(seed)
    longest = min(signature.max_length, _LONGEST)
    several = max(1, min(longest, most_tokens // 8))
    ids = np.delete(np.arange(signature.vocab_size), signature.pad_token_id)

    def row(length: int) -> Row:
        types = (np.arange(length) >= draw.integers(0, length + 1)).astype(np.int64)
        return Row(draw.choice(ids, length), types if "token_type_ids" in signature.inputs else None)

    def rows(*lengths: int) -> list[Row]:
        return [row(length) for length in lengths]

    return [
        rows(1),
        rows(longest),
        rows(min(7, longest)),
        rows(several, 1, *draw.integers(1, several + 1, 6)),
        rows(min(5, longest), 0 if empty_rows else 1, 1),
        rows(*[min(4, longest)] * 3),
    ]


def _difference(a: Outputs, b: Outputs) -> float:
    """Largest absolute difference of outputs of the same names."""
    if a.keys() != b.keys():
        return float("inf")
    return max(_largest(a[name], b[name]) for name in a)


def _largest(a: np.ndarray, b: np.ndarray) -> float:
    """Largest absolute difference; equal infinities and NaN on both sides count as none, on one side as infinite."""
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
    return float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0))
