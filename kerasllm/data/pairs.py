"""Pairs of texts for sentence vectors: with a score of how alike they are, or two that belong together."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .cleaning import clean
from .columns import PAIR_NAMES
from .files import Table
from .sources import DataConfig, read_tables
from .splits import held_out, limited, require_train, with_validation

_NAMES = (
    *PAIR_NAMES,
    *(("question", "answer_sentence"), ("question", "answer"), ("query", "positive"), ("anchor", "positive")),
    *(("query", "document"), ("query", "passage")),
)
_SCORE_NAMES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score")


@dataclass(frozen=True)
class PairSplit:
    """Pairs of texts.

    Attributes:
        firsts: The first texts.
        seconds: The second text of each.
        scores: How alike they are, the more the higher, float32 [pairs]; None: they belong together.
    """

    firsts: list[str]
    seconds: list[str]
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.firsts)

    def take(self, rows: np.ndarray) -> "PairSplit":
        """The pairs at the indices `rows`, in that order."""
        scores = None if self.scores is None else self.scores[rows]
        return PairSplit([self.firsts[row] for row in rows], [self.seconds[row] for row in rows], scores)


@dataclass(frozen=True)
class PairDataset:
    """Pairs of texts in splits.

    Attributes:
        splits: "train", "validation" and, where the source has one, "test".
        notes: What reading did that its user should know, a sentence each.
    """

    splits: dict[str, PairSplit]
    notes: tuple[str, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether the pairs have scores."""
        return self.splits["train"].scores is not None

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 over texts and scores: the same content has the same digest."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            split = self.splits[name]
            digest.update(f"\n{name} {len(split)}\n".encode())
            for text in (*split.firsts, *split.seconds):
                data = text.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "little") + data)
            digest.update(b"" if split.scores is None else np.ascontiguousarray(split.scores, "<f4").tobytes())
        return digest.hexdigest()


def load_pairs(config: DataConfig) -> PairDataset:
    """Reads pairs to train on.

    A column of scores makes them scored pairs: "score", "similarity" or "relatedness", or the label column. Where there
    is no validation split, a tenth of the training pairs becomes one, drawn by the seed.

    Args:
        config: The source; `text_column` and `pair_column` name the texts where their names can't be guessed.

    Returns:
        The pairs, those with an empty text left out.

    Raises:
        FileNotFoundError: There is no such source, or it has no training split.
        ValueError: A column is missing, or a value in it is no text or no number.
    """
    notes: list[str] = []
    splits = {name: _split(table, name, config, notes) for name, table in read_tables(config).items()}
    require_train(splits, config.source)
    if len({split.scores is None for split in splits.values()}) > 1:
        raise ValueError(f"All splits must have scores, or none. Received: {config.source}, where only some have them.")
    if "validation" not in splits:
        drawn = held_out(range(len(splits["train"])), config.seed)
        notes.append(f"Took {drawn.sum():,} of {len(drawn):,} training pairs for validation: there is no such split.")
        splits = with_validation(splits, drawn)
    return PairDataset(limited(splits, config), tuple(notes))


def load_pairs_for_evaluation(config: DataConfig) -> dict[str, PairSplit]:
    """Reads pairs to score a model on: nothing is carved off, and a single file is the test split.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: As for `load_pairs`.
    """
    tables = read_tables(config, lone_split="test")
    return limited({name: _split(table, name, config, []) for name, table in tables.items()}, config)


def _split(table: Table, name: str, config: DataConfig, notes: list[str]) -> PairSplit:
    where = f"the {name} split of {config.source}"
    first, second = _text_columns(table, config, where)
    firsts, seconds = (
        [_text(value, column, where, config.clean) for value in table[column]] for column in (first, second)
    )
    split = PairSplit(firsts, seconds, _scores(table, config, where))
    pairs = enumerate(zip(firsts, seconds, strict=True))
    kept = np.array([row for row, pair in pairs if all(map(str.strip, pair))], np.int64)
    if not len(kept):
        raise ValueError(f"Data must hold at least one pair of texts. Received: {where}, where every text is empty.")
    if len(kept) < len(split):
        notes.append(f"Dropped {len(split) - len(kept):,} of {len(split):,} pairs of {where}: an empty text.")
    return split.take(kept)


def _text_columns(table: Table, config: DataConfig, where: str) -> tuple[str, str]:
    asked = (config.text_column, config.pair_column)
    guesses = [(asked[0] or first, asked[1] or second) for first, second in _NAMES]
    found = next((names for names in guesses if all(name in table for name in names)), None)
    if found is None:
        raise ValueError(
            f"Pairs must be two columns of texts, such as {' and '.join(guesses[0])}. "
            f"Received: {where} with {', '.join(table)}. Name them with --text-column and --pair-column."
        )
    return found


def _text(value: object, column: str, where: str, cleaned: bool) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"Texts must be strings. Received: {value!r:.60} in column {column} of {where}.")
    return clean(value) if cleaned else value


def _scores(table: Table, config: DataConfig, where: str) -> np.ndarray | None:
    wanted = (config.label_column,) if config.label_column else _SCORE_NAMES
    column = next((name for name in wanted if name in table), None)
    if column is None:
        if config.label_column:
            raise ValueError(
                f"Data must have the column {config.label_column!r}. Received: {where} with {', '.join(table)}."
            )
        return None
    try:
        scores = np.array([float(value) for value in table[column]], np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Scores must be numbers. Received: {error}, in column {column} of {where}.") from error
    if not np.isfinite(scores).all():
        raise ValueError(f"Scores must be finite. Received: {column} of {where}, where one is not.")
    return scores
