"""One door to every source of labelled texts."""

from dataclasses import dataclass, field
from pathlib import Path

from .augmentation import AugmentationConfig
from .dataset import TextDataset
from .reviews import reviews


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which labelled texts, and what is done to them before they become tokens."""

    source: str
    """builtin:reviews, tfds:NAME/CONFIG, or a file or folder: csv, tsv, jsonl, parquet, txt (each also .gz)."""
    text_column: str | None = None
    """The column of texts, where its name can't be guessed."""
    label_column: str | None = None
    """The column of labels, where its name can't be guessed."""
    label_separator: str | None = None
    """Splits a label into several, for instance "|": multi-label."""
    tfds_folder: Path | None = None
    """Where prepared tensorflow-datasets lie (default: TFDS_DATA_DIR, then tfds's own)."""
    clean: bool = True
    """Clean texts: HTML remnants, control characters, white space, Unicode NFC."""
    drop_overlap: bool = False
    """Drop training texts that occur in validation or test too (they're always counted)."""
    limit: int | None = None
    """Use at most so many examples of each split, drawn by the seed: for a quick try."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Altered copies of training texts."""
    seed: int = 0
    """For whatever is drawn by chance: the limit, a validation split, augmentation."""


def load_dataset(config: DataConfig) -> TextDataset:
    """Reads a source."""
    return reviews(config.seed)
