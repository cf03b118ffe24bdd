"""Token arrays to padded batches, in an order that is a pure function of (seed, epoch).

Training batches are bucketed by length: each epoch is a permutation, cut into pools of `pool` batches; a pool is
sorted by length and cut into batches; then the batches are shuffled. So a batch holds texts of about one length, and
still any two texts may meet. All batches of an epoch have the same size, give or take one: no stub at its end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..checks import check_least
from .pipeline import Spec, pipeline
from .tokens import TokenSplit
from .widths import padded_width


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How examples are put together into batches."""

    batch_size: int = 64
    """Most examples in a batch."""
    bucket: bool = True
    """Put texts of similar length together (off: any texts, more padding)."""
    pool: int = 50
    """Batches that are sorted by length together: more means less padding, and less chance in who meets whom."""
    multiple: int | None = None
    """Pad to a multiple of so many tokens: fewer different shapes, where each one is compiled anew (default: on JAX one
    of ten lengths to 512, elsewhere as short as can be)."""

    def __post_init__(self) -> None:
        check_least(self, 1, "batch_size", "pool", "multiple")


def batches(
    split: TokenSplit,
    config: BatchConfig,
    *,
    training: bool,
    seed: int = 0,
    epoch: int = 0,
    class_weights: Sequence[float] | None = None,
) -> Iterable[Any]:
    """A source of padded batches, for `fit`, `evaluate` and `predict`: see `pipeline`.

    In training it never ends: `steps(split, config)` batches of `epoch`, as many of the next one, and so on; call
    `fit(..., steps_per_epoch=steps(split, config))`. It holds no state, so a run resumed at an epoch sees what an
    uninterrupted one saw. Otherwise it is one pass, sorted by length: see `evaluation_order`.

    Args:
        split: The token arrays.
        config: Batch size, buckets, padding.
        training: Shuffled and endless, or in the one order of `evaluation_order`.
        seed: Changes the order of every epoch.
        epoch: The first epoch, from 0.
        class_weights: A weight a class, which becomes the weight of each of its examples (not for multi-label).

    Returns:
        Elements `({"input_ids": int32 [batch, sequence], "attention_mask": int32 [batch, sequence]}, labels)`, with
        `token_type_ids` beside them where the split has types, and a third item, float32 [batch], with class weights.
        `sequence` is the longest of the batch, rounded up as `padded_width` says; padding is on the right. Labels of
        tokens are int32 [batch, sequence], -1 at padding.
    """
    count, spec = steps(split, config), _spec(split)
    if training:
        plan = lru_cache(maxsize=2)(lambda number: training_order(split, config, seed, number))
    else:
        plan = lru_cache(maxsize=1)(lambda number: np.array_split(evaluation_order(split, config), count))
    weights = None if class_weights is None else example_weights(split.labels, class_weights)

    def make(number: int) -> tuple[Any, ...]:
        which, position = divmod(number, count)
        rows = plan(which)[position]
        batch = (pad(split, rows, config.multiple), padded_labels(split, rows, config.multiple))
        return batch if weights is None else (*batch, weights[rows])

    if weights is not None:
        spec = (*spec, Spec("float32", (None,)))
    return pipeline(make, spec, start=epoch * count) if training else pipeline(make, spec, count=count)


def steps(split: TokenSplit, config: BatchConfig) -> int:
    """Batches in a pass over the split."""
    return -(-len(split) // config.batch_size)


def training_order(split: TokenSplit, config: BatchConfig, seed: int, epoch: int) -> list[np.ndarray]:
    """The examples' indices in each batch of an epoch: `steps(split, config)` int64 arrays."""
    random, lengths = np.random.default_rng((seed, epoch)), split.lengths
    rows = random.permutation(len(split))
    if not config.bucket:
        return np.array_split(rows, steps(split, config))
    size = config.pool * config.batch_size
    pools = [rows[start : start + size] for start in range(0, len(rows), size)]
    ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    groups = np.array_split(ordered, steps(split, config))
    return [groups[index] for index in random.permutation(len(groups))]


def evaluation_order(split: TokenSplit, config: BatchConfig) -> np.ndarray:
    """The examples' indices in the order of an evaluation pass, int64 [examples]: by length, or the dataset's own."""
    return np.argsort(split.lengths, kind="stable") if config.bucket else np.arange(len(split))


def in_dataset_order(outputs: np.ndarray, split: TokenSplit, config: BatchConfig) -> np.ndarray:
    """Outputs of `model.predict(batches(..., training=False))` back in the order of the split: [examples, ...]."""
    restored = np.empty_like(outputs)
    restored[evaluation_order(split, config)] = outputs
    return restored


def pad(split: TokenSplit, rows: np.ndarray, multiple: int | None = None) -> dict[str, np.ndarray]:
    """The tokens of some examples, filled up on the right.

    Args:
        split: The token arrays.
        rows: The examples' indices, int64 [batch].
        multiple: Round the width up to a multiple of this; None: see `padded_width`.

    Returns:
        "input_ids", "attention_mask" (1 token, 0 padding) and, where the split has types, "token_type_ids" (0 at
        padding), all int32 [batch, sequence].
    """
    places, mask = _places(split, rows, multiple)
    arrays = {"input_ids": _spread(split.ids, places, mask, split.pad_id), "attention_mask": mask.astype(np.int32)}
    if split.types is not None:
        arrays["token_type_ids"] = _spread(split.types, places, mask, 0)
    return arrays


def padded_labels(split: TokenSplit, rows: np.ndarray, multiple: int | None = None) -> np.ndarray:
    """The labels of some examples: [batch, ...], or int32 [batch, sequence] of tokens, -1 at padding.

    Class indices are int32: JAX has no int64 where it is not asked to.
    """
    if not split.per_token:
        return split.labels[rows].astype(_label_type(split), copy=False)
    return _spread(split.labels, *_places(split, rows, multiple), -1)


def _places(split: TokenSplit, rows: np.ndarray, multiple: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Where each token of a batch lies in the split's arrays, int64, and which are no padding, both [batch, width]."""
    starts, lengths = split.offsets[rows], split.offsets[rows + 1] - split.offsets[rows]
    width = padded_width(int(lengths.max(initial=1)), split.longest, multiple)
    columns = np.arange(width)
    return starts[:, None] + columns, columns < lengths[:, None]


def _spread(values: np.ndarray, places: np.ndarray, mask: np.ndarray, filler: int) -> np.ndarray:
    """The values of the tokens of a batch, int32 [batch, width], and `filler` elsewhere."""
    spread = np.full(mask.shape, filler, np.int32)
    spread[mask] = values[places[mask]]
    return spread


def example_weights(labels: np.ndarray, class_weights: Sequence[float]) -> np.ndarray:
    """The weight of each example's class, float32 [examples].

    Args:
        labels: Class indices, int64 [examples].
        class_weights: A weight a class.
    """
    _check_single_label(labels)
    return np.asarray(class_weights, np.float32)[labels]


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Class weights under which every class counts the same: examples / (classes * count), float32 [classes]."""
    _check_single_label(labels)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def _check_single_label(labels: np.ndarray) -> None:
    if labels.ndim != 1:
        raise ValueError(
            "Class weights need exactly one class an example. "
            f"Received: multi-label data, {labels.shape[1]} classes. Train without class weights."
        )


def _spec(split: TokenSplit) -> tuple[Any, ...]:
    """What the arrays of inputs and labels are."""
    shape = (None, None) if split.per_token else (None, *split.labels.shape[1:])
    return input_specs(segments=split.types is not None), Spec(_label_type(split), shape)


def input_specs(*, segments: bool) -> dict[str, Spec]:
    """What the arrays of `pad` are, with `token_type_ids` or without."""
    names = ("input_ids", "attention_mask", *["token_type_ids"] * segments)
    return dict.fromkeys(names, Spec("int32", (None, None)))


def _label_type(split: TokenSplit) -> str:
    return "float32" if split.labels.dtype.kind == "f" else "int32"
