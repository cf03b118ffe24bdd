"""Token arrays on disk: each text is tokenized once, then only read."""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from ..atomic import new_folder
from ..tokenizing.tokenizer import encode, encode_pairs, pad_id, tokenizer_json, vocab_size
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
        folder: Where the cache lies; by default `kerasllm/tokens` in $XDG_CACHE_HOME, or in ~/.cache.
        segments: Give the splits their `types`, for a model that tells a first text from a second one.

    Returns:
        A `TokenSplit` for every split of the dataset.
    """
    entry = (folder or _default_folder()) / _key(dataset, tokenizer, max_length)
    if not _is_whole(entry, dataset):
        with new_folder(entry, overwrite=True) as new:
            for name, split in dataset.splits.items():
                _write(new, name, split, tokenizer, max_length)
            _checksums(new).write_text(json.dumps(_digests(new)))
    padding = pad_id(tokenizer)
    return {
        name: TokenSplit(
            _read(entry, name, "ids"),
            np.load(_file(entry, name, "offsets")),
            split.labels,
            padding,
            _types(entry, name, split) if segments else None,
        )
        for name, split in dataset.splits.items()
    }


def _write(folder: Path, name: str, split: Split, tokenizer: Tokenizer, max_length: int) -> None:
    dtype = np.uint16 if vocab_size(tokenizer) <= 2**16 else np.int32
    lengths, ids, types = [], [np.empty(0, dtype)], [np.empty(0, np.uint8)]
    for start in range(0, len(split), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        if split.pairs is None:
            encoded = encode(tokenizer, split.texts[chunk], max_length)
        else:
            rows = encode_pairs(tokenizer, split.texts[chunk], split.pairs[chunk], max_length)
            encoded = [row for row, _ in rows]
            types.append(np.concatenate([segments for _, segments in rows]).astype(np.uint8))
        lengths += [len(row) for row in encoded]
        ids.append(np.concatenate(encoded).astype(dtype))
    np.save(_file(folder, name, "ids"), np.concatenate(ids))
    np.save(_file(folder, name, "offsets"), np.cumsum([0, *lengths], dtype=np.int64))
    if split.pairs is not None:
        np.save(_file(folder, name, "types"), np.concatenate(types))


def _is_whole(entry: Path, dataset: TextDataset) -> bool:
    """Whether every file of the entry is there with the checksum that it was written with."""
    try:
        expected = json.loads(_checksums(entry).read_bytes())
        files = sum(2 if split.pairs is None else 3 for split in dataset.splits.values())
        return expected == _digests(entry) and len(expected) == files
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _key(dataset: TextDataset, tokenizer: Tokenizer, max_length: int) -> str:
    parts = (_FORMAT, dataset.fingerprint, tokenizer_json(tokenizer), max_length)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _file(entry: Path, name: str, part: str) -> Path:
    return entry / f"{name}.{part}.npy"


def _types(entry: Path, name: str, split: Split) -> np.ndarray:
    """The segments of a split's tokens, uint8 [tokens]; all zeros, in no memory, where there is one text each."""
    if split.pairs is not None:
        return _read(entry, name, "types")
    return np.broadcast_to(np.uint8(0), _read(entry, name, "ids").shape)


def _read(entry: Path, name: str, part: str) -> np.ndarray:
    return np.load(_file(entry, name, part), mmap_mode="r")


def _checksums(entry: Path) -> Path:
    return entry / "sha256.json"


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kerasllm" / "tokens"
