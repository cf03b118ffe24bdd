"""Token arrays on disk: each text is tokenized once, then only read."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from ..atomic import new_folder
from ..tokenizer import encode, pad_id, tokenizer_json, vocab_size
from .dataset import Split, TextDataset

_FORMAT = 1  # goes into the key: raise it when the files' meaning changes
_CHUNK = 16_384  # texts tokenized at once


@dataclass(frozen=True)
class TokenSplit:
    """The token ids of a split, one text after the other.

    Attributes:
        ids: uint16 or int32 [tokens], memory-mapped; example i is `ids[offsets[i]:offsets[i + 1]]`.
        offsets: int64 [examples + 1].
        labels: int64 [examples], or float32 0/1 [examples, classes] if multi-label.
        pad_id: The id that fills up a batch.
    """

    ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    pad_id: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example: int64 [examples]."""
        return np.diff(self.offsets)


def token_cache(
    dataset: TextDataset, tokenizer: Tokenizer, max_length: int, folder: Path | None = None
) -> dict[str, TokenSplit]:
    """The dataset's splits as token arrays, from the cache where the same ones were made before.

    The key is a fingerprint of the data, the tokenizer and `max_length`; a damaged entry is made anew.

    Args:
        dataset: The texts and labels.
        tokenizer: What makes tokens of them.
        max_length: Most tokens a text.
        folder: Where the cache lies; by default `kerasllm/tokens` in $XDG_CACHE_HOME, or in ~/.cache.

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
        name: TokenSplit(np.load(ids, mmap_mode="r"), np.load(offsets), dataset.splits[name].labels, padding)
        for name in dataset.splits
        for ids, offsets in [_files(entry, name)]
    }


def _write(folder: Path, name: str, split: Split, tokenizer: Tokenizer, max_length: int) -> None:
    dtype = np.uint16 if vocab_size(tokenizer) <= 2**16 else np.int32
    lengths, chunks = [], [np.empty(0, dtype)]
    for start in range(0, len(split), _CHUNK):
        encoded = encode(tokenizer, split.texts[start : start + _CHUNK], max_length)
        lengths += [len(ids) for ids in encoded]
        chunks.append(np.concatenate(encoded).astype(dtype))
    ids, offsets = _files(folder, name)
    np.save(ids, np.concatenate(chunks))
    np.save(offsets, np.cumsum([0, *lengths], dtype=np.int64))


def _is_whole(entry: Path, dataset: TextDataset) -> bool:
    """Whether every file of the entry is there with the checksum that it was written with."""
    try:
        expected = json.loads(_checksums(entry).read_bytes())
        return expected == _digests(entry) and len(expected) == 2 * len(dataset.splits)
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


def _files(entry: Path, name: str) -> tuple[Path, Path]:
    return entry / f"{name}.ids.npy", entry / f"{name}.offsets.npy"


def _checksums(entry: Path) -> Path:
    return entry / "sha256.json"


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kerasllm" / "tokens"
