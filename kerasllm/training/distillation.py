"""Distillation: a large teacher, labelled texts and maybe more texts to the RUN folder of a small student."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..console import say
from ..data.batches import BatchConfig
from ..data.cleaning import clean
from ..data.columns import TEXT_NAMES
from ..data.dataset import Split, TextDataset
from ..data.files import read_table, read_text
from ..data.sources import DataConfig, load_dataset
from ..models.classifier import ClassifierConfig, build_classifier
from ..models.encoder import EncoderConfig
from ..models.vectors import initial_vectors
from ..run import Run
from ..tasks.classification import ClassificationHead, encoder_classifier
from ..tasks.distillation import DistillationConfig, DistillationTask
from ..tokenizing.bert_tokenizer import make_pieces
from ..tokenizing.tokenizer import TokenizerConfig, make_tokenizer, vocab_size
from .fitting import fit_task
from .settings import TrainingConfig
from .starting import check_out, start_encoder, start_tokenizer
from .teacher import Teacher, open_teacher


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """Which teacher a student had, for its config.json."""

    path: Path
    """The RUN or BUNDLE folder."""
    fingerprint: str
    """A sha256 of what it answered with."""


def distill(
    teacher: Path,
    data: DataConfig,
    student: ClassifierConfig | EncoderConfig,
    tokenizer: TokenizerConfig,
    batches: BatchConfig,
    training: TrainingConfig,
    distillation: DistillationConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Trains a student on labelled texts and on what a teacher says of them.

    Args:
        teacher: A RUN or a BUNDLE of text classification, with the labels of the data.
        data: The labelled texts.
        student: The student: layers of a classifier, or an encoder.
        tokenizer: `max_length`, the tokens that the student keeps of a text; the rest only for tokens of its own.
        batches: How examples are put together.
        training: How the student is fitted.
        distillation: What it learns from the teacher.
        out: The RUN folder to make.
        resume: Go on with the run that is in `out`, which must have been started with the same settings.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run, like any other of a text classifier.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        FileNotFoundError: There is no such teacher or data.
        ValueError: A setting makes no sense, the teacher cannot be used or does not know the labels of the data, or the
            run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    if training.balance_classes:
        raise ValueError("`balance_classes` is for labels alone. Received: it for a student. Leave it off.")
    master = open_teacher(teacher)
    dataset, logits = _taught(master, load_dataset(data), distillation.unlabelled)
    texts = dataset.splits["train"]
    found, build, segments = _student(
        master, student, tokenizer, distillation, texts.texts, out, resume=resume, seed=training.seed
    )
    task = DistillationTask(
        dataset,
        found,
        lambda: build(len(dataset.labels)),
        batches,
        logits=logits,
        states=master.states(texts) if distillation.hidden else None,
        distillation=distillation,
        max_length=tokenizer.max_length,
        segments=segments,
        label_smoothing=training.label_smoothing,
        seed=training.seed,
    )
    sections: dict[str, Any] = {"data": data, "tokenizer": tokenizer, "batches": batches}
    if isinstance(student, EncoderConfig):
        sections |= {"encoder": student, "head": ClassificationHead()}
    else:
        sections |= {"model": student}
    sections |= {"teacher": TeacherSettings(path=Path(teacher), fingerprint=master.fingerprint)}
    return fit_task(task, training, out, sections | {"distillation": distillation}, resume=resume, overwrite=overwrite)


def _taught(teacher: Teacher, dataset: TextDataset, unlabelled: Sequence[Path]) -> tuple[TextDataset, np.ndarray]:
    """The dataset, longer by the unlabelled texts, and the teacher's logits for its training texts in its own order."""
    if set(teacher.labels) != set(dataset.labels) or teacher.multi_label != dataset.multi_label:
        raise ValueError(
            f"A teacher must know the labels of the data, {', '.join(dataset.labels)}. "
            f"Received: {teacher.path}, with {', '.join(teacher.labels)}."
        )
    columns = [teacher.labels.index(label) for label in dataset.labels]
    train = dataset.splits["train"]
    say(f"Asking {teacher.path} about {len(train):,} training texts.")
    logits = teacher.logits(train)[:, columns]
    known = {text for split in dataset.splits.values() for text in split.texts}
    texts = [text for path in unlabelled for text in read_texts(path) if text not in known]
    if not texts:
        return dataset, logits
    if train.pairs is not None:
        raise ValueError(f"`unlabelled` holds single texts. Received: {unlabelled[0]} for a task on two. Leave it out.")
    say(f"Asking it about {len(texts):,} unlabelled texts.")
    more = teacher.logits(Split(texts, np.zeros(len(texts), np.int64)))[:, columns]
    labels = (more > 0).astype(np.float32) if dataset.multi_label else more.argmax(axis=1)
    longer = Split([*train.texts, *texts], np.concatenate([train.labels, labels]))
    return replace(dataset, splits={**dataset.splits, "train": longer}), np.concatenate([logits, more])


def read_texts(path: Path) -> list[str]:
    """The texts of a file, cleaned, each once.

    Args:
        path: .txt, a text a line, or a table (csv, tsv, jsonl, parquet) with a column named as texts are; also .gz.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, or has no column of texts.
    """
    if path.name.lower().removesuffix(".gz").endswith(".txt"):
        if not path.is_file():
            raise FileNotFoundError(f"`unlabelled` must be files. Received: {path}, where there is none.")
        texts = read_text(path).split("\n")
    else:
        table = read_table(path)
        column = next((name for name in TEXT_NAMES if name in table), None)
        if column is None:
            raise ValueError(
                f"`unlabelled` must have a column of texts, named one of {', '.join(TEXT_NAMES)}. "
                f"Received: {path}, with {', '.join(table)}."
            )
        texts = [str(value) for value in table[column]]
    return [text for text in dict.fromkeys(map(clean, texts)) if text.strip()]


def _student(
    teacher: Teacher,
    student: ClassifierConfig | EncoderConfig,
    tokenizer: TokenizerConfig,
    distillation: DistillationConfig,
    texts: Sequence[str],
    out: Path,
    *,
    resume: bool,
    seed: int,
) -> tuple[Tokenizer, Callable[[int], Any], bool]:
    """The student's tokenizer, what builds it for a number of classes, and whether it takes `token_type_ids`."""
    theirs = distillation.tokenizer == "teacher"
    if isinstance(student, EncoderConfig):
        pieces = lambda: teacher.tokenizer if theirs else make_pieces(texts, tokenizer)  # noqa: E731
        encoder = start_encoder(student, out, pieces, resume=resume, seed=seed)
        encoder.check_length(tokenizer.max_length)
        head = ClassificationHead()
        return encoder.tokenizer, lambda classes: encoder_classifier(encoder, head, classes), encoder.segments
    found = start_tokenizer(
        out, lambda: teacher.tokenizer if theirs else make_tokenizer(texts, tokenizer), resume=resume
    )
    vectors = None
    if distillation.teacher_vectors:
        vectors = teacher.word_vectors(student.embedding_dim)
    elif student.vectors:
        vectors, share = initial_vectors(student.vectors, found, student.embedding_dim, seed)
        say(f"{share:.1%} of the vocabulary is in {student.vectors}.")
    size = vocab_size(found)
    return found, lambda classes: build_classifier(student, vocab_size=size, classes=classes, vectors=vectors), False
