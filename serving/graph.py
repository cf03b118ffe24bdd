"""Run the graph of a bundle on rows of token ids: one padded run, or many rows in small pieces."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnxruntime

from .manifest import Manifest, Preprocessing
from .rows import Row

# Rows of one run of the graph: enough to fill the matrix products; more gained nothing (kerasllm bench).
BATCH_SIZE = 32
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(bool)": np.bool_}


class Graph:
    """The session of a bundle with all that is needed to feed it. It holds no state, so threads may share it."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        manifest: Manifest,
        *,
        batch_tokens: int | None = None,
        independent: bool = True,
    ) -> None:
        """Binds a session to its manifest.

        Args:
            session: The graph.
            manifest: The manifest of the bundle.
            batch_tokens: Most tokens of a run of several rows, padding counted; None: only rows are counted.
            independent: Whether what the graph gives for a row does not depend on those beside it.
        """
        self.task = manifest.task
        self.session = session
        self.preprocessing = manifest.preprocessing
        self.outputs = manifest.outputs or tuple(node.name for node in session.get_outputs())
        self.batch_tokens = batch_tokens
        self.independent = independent
        types = {node.name: _DTYPES[node.type] for node in session.get_inputs()}
        self._inputs = [(role, name, types[name]) for role, name in manifest.inputs.items()]
        of_texts = self.outputs if manifest.task == "text-classification" else ("sentence_embedding",)
        self.per_token = frozenset(self.outputs) - frozenset(of_texts)

    def run(self, rows: Sequence[Row], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Runs the graph once, on all rows.

        Args:
            rows: The rows, of any lengths; one at least.
            outputs: Names of the outputs that are wanted; None: all.

        Returns:
            Name to the output as the graph gives it, in float32: [rows, ...] or [rows, length, ...], where `length` is
            that of the longest row (or the fixed one).

        Raises:
            ValueError: There are no rows.
        """
        if not len(rows):  # onnxruntime's LSTM crashes the process on an empty batch
            raise ValueError("A run needs at least one row. Received: none.")
        arrays = pad(rows, self.preprocessing)
        feed: dict[str, np.ndarray] = {
            name: arrays[role].astype(dtype, copy=False) for role, name, dtype in self._inputs
        }
        names = list(self.outputs if outputs is None else outputs)
        values = self.session.run(names, feed)
        return {name: value.astype(np.float32, copy=False) for name, value in zip(names, values, strict=True)}

    def pieces(self, rows: Sequence[Row], batch_size: int = BATCH_SIZE) -> Iterator[np.ndarray]:
        """Groups of rows of like length, each for one run.

        Padding is pure loss, and a run whose activations stay in the cache is faster than one that is larger.

        Args:
            rows: The rows; none at all is fine.
            batch_size: Most rows of a group.

        Yields:
            The places of a group's rows in `rows`, integers [rows of the group]; the shortest rows first.

        Raises:
            ValueError: `batch_size` is not positive.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
        fixed = self.preprocessing.padding == "max_length"
        lengths = [self.preprocessing.max_length if fixed else len(row.ids) for row in rows]
        return group(lengths, batch_size, self.batch_tokens)

    def run_each(
        self, rows: Sequence[Row], outputs: Sequence[str] | None = None
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Runs the graph on any number of rows, in small pieces.

        Args:
            rows: The rows; none at all is fine.
            outputs: As for `run`.

        Yields:
            For each row, the shortest first: its place in `rows`, and name to what the graph gives for it, [...] or
            [tokens, ...] without the places of padding. The arrays belong to the piece: to keep little of a large one,
            copy.
        """
        for piece in self.pieces(rows):
            values = self.run([rows[place] for place in piece], outputs)
            for index, place in enumerate(piece.tolist()):
                tokens = len(rows[place].ids)
                yield (
                    place,
                    {
                        name: self.own(value[index], tokens) if name in self.per_token else value[index]
                        for name, value in values.items()
                    },
                )

    def run_all(self, rows: Sequence[Row], outputs: Sequence[str] | None = None) -> list[dict[str, np.ndarray]]:
        """What `run_each` gives, all at once and in the order of `rows`."""
        results: list[dict[str, np.ndarray]] = [{}] * len(rows)
        for place, values in self.run_each(rows, outputs):
            results[place] = values
        return results

    def own(self, values: np.ndarray, tokens: int) -> np.ndarray:
        """What belongs to a row's own tokens, of [length, ...] with padding."""
        return values[:tokens] if self.preprocessing.padding_side == "right" else values[len(values) - tokens :]


def group(lengths: Sequence[int], batch_size: int, batch_tokens: int | None = None) -> Iterator[np.ndarray]:
    """Groups of places whose lengths are alike.

    Args:
        lengths: Tokens of every row.
        batch_size: Most rows of a group.
        batch_tokens: Most tokens of a group, padding counted; a longer row is a group of its own. None: no limit.

    Yields:
        Places in `lengths`, integers [rows of the group]; every place once, the shortest rows first.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        # Rows are sorted, so the next one would be as long as all of its group.
        full = end - start == batch_size
        if end < len(order) and not full and batch_tokens is not None:
            full = lengths[order[end]] * (end + 1 - start) > batch_tokens
        if full or end == len(order):
            yield order[start:end]
            start = end


def pad(rows: Sequence[Row], preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """Pads rows to one length.

    Args:
        rows: The rows, one at least, none longer than the limit.
        preprocessing: Padding id, side and length.

    Returns:
        "input_ids", "attention_mask" (1 for a token, 0 for padding) and "token_type_ids" (0 for padding), int64
        [rows, length]; length is at least 1.
    """
    if len(rows) == 1 and len(rows[0].ids) and preprocessing.padding == "longest":
        ids, types = rows[0]
        only = np.asarray(ids, np.int64)[None]
        segments = np.zeros_like(only) if types is None else np.asarray(types, np.int64)[None]
        return {"input_ids": only, "attention_mask": np.ones_like(only), "token_type_ids": segments}
    longest = max(1, *(len(row.ids) for row in rows))
    length = preprocessing.max_length if preprocessing.padding == "max_length" else longest
    tokens = np.full((len(rows), length), preprocessing.pad_token_id, np.int64)
    mask, segments = np.zeros_like(tokens), np.zeros_like(tokens)
    for index, (ids, types) in enumerate(rows):
        place = slice(0, len(ids)) if preprocessing.padding_side == "right" else slice(length - len(ids), length)
        tokens[index, place] = ids
        mask[index, place] = 1
        if types is not None:
            segments[index, place] = types
    return {"input_ids": tokens, "attention_mask": mask, "token_type_ids": segments}
