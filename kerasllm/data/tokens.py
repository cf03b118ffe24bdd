"""Token arrays on disk: each text is tokenized once, then only read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from tokenizers import Tokenizer

from ..tokenizing.tokenizer import encode, encode_pairs, id_dtype, pad_id, tokenizer_json
from .array_cache import array_cache, write_chunks
from .dataset import Split, TextDataset

_FORMAT = 1  # goes into the key: raise it when the files' meaning changes
_CHUNK = 16_384  # texts tokenized at once


@dataclass(frozen=True)
class TokenSplit:
    """The token ids of a split, one text after the other.

    Attributes:
        ids: uint16 or int32 [tokens], memory-mapped; example i is `ids[offsets[i]:offsets[i + 1]]`.
        offsets: int64 [examples + 1].
        labels: What the task asks for, [examples, ...]: int64 class indices, or float32 0/1 [examples, classes] if
            multi-label. With `per_token`, int32 [tokens] beside `ids`, where -1 asks for nothing.
        pad_id: The id that fills up a batch.
        types: uint8 [tokens] beside `ids`: 0 for the first text of an example, 1 for the second; None: one text.
        per_token: Whether there is a label a token.
    """

    ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    pad_id: int = 0
    types: np.ndarray | None = None
    per_token: bool = False

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example: int64 [examples]."""
        return np.diff(self.offsets)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest example."""
        return int(self.lengths.max(initial=0))


def token_cache(
    dataset: TextDataset,
    tokenizer: Tokenizer,
    max_length: int,
    folder: Path | None = None,
    *,
    segments: bool = False,
) -> dict[str, TokenSplit]:
    """The dataset's splits as token arrays, from the cache where the same ones were made before.

    The key is a fingerprint of the data, the tokenizer and `max_length`; a damaged entry is made anew.

    Args:
        dataset: The texts and labels.
        tokenizer: What makes tokens of them.
        max_length: Most tokens a text.
        folder: Where the cache lies, see `array_cache`.
        segments: Give the splits their `types`, for a model that tells a first text from a second one.

    Returns:
        A `TokenSplit` for every split of the dataset.
    """
    key = (_FORMAT, dataset.fingerprint, tokenizer_json(tokenizer), max_length)
    arrays = array_cache(key, lambda entry: _write(entry, dataset, tokenizer, max_length), folder)
    padding = pad_id(tokenizer)
    return {
        name: TokenSplit(
            arrays[f"{name}.ids"],
            np.array(arrays[f"{name}.offsets"]),
            split.labels,
            padding,
            _types(arrays, name) if segments else None,
        )
        for name, split in dataset.splits.items()
    }


def _write(folder: Path, dataset: TextDataset, tokenizer: Tokenizer, max_length: int) -> None:
    for name, split in dataset.splits.items():
        dtypes: dict[str, DTypeLike] = {"ids": id_dtype(tokenizer), "offsets": np.int64}
        dtypes |= {} if split.pairs is None else {"types": np.uint8}
        write_chunks(folder, dtypes, _chunks(split, tokenizer, max_length), prefix=f"{name}.")


def _chunks(split: Split, tokenizer: Tokenizer, max_length: int) -> Iterator[dict[str, np.ndarray]]:
    """What `TokenSplit` holds of a split's texts, some texts at a time."""
    place = np.zeros(1, np.int64)
    yield {"offsets": place}
    for start in range(0, len(split), _CHUNK):
        rows = slice(start, start + _CHUNK)
        if split.pairs is None:
            ids, types = encode(tokenizer, split.texts[rows], max_length), []
        else:
            ids, types = zip(*encode_pairs(tokenizer, split.texts[rows], split.pairs[rows], max_length), strict=True)
        offsets = place + np.cumsum([len(row) for row in ids])
        place = offsets[-1:]
        yield {"ids": np.concatenate(ids), "offsets": offsets} | ({"types": np.concatenate(types)} if types else {})


def _types(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The segments of a split's tokens, uint8 [tokens]; all zeros, in no memory, where there is one text each."""
    found = arrays.get(f"{name}.types")
    return np.broadcast_to(np.uint8(0), arrays[f"{name}.ids"].shape) if found is None else found
