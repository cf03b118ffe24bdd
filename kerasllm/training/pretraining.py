"""Pretraining: running text to a RUN whose encoder other tasks start from, by masked language modelling."""

from dataclasses import dataclass
from pathlib import Path

from ..checks import check_least
from ..data.masking import MaskingConfig
from ..data.running_text import RunningTextConfig, read_documents
from ..models.encoder import EncoderConfig
from ..run import Run
from ..tasks.masking import MaskingTask
from ..tokenizing.bert_tokenizer import make_pieces
from ..tokenizing.tokenizer import TokenizerConfig
from .fitting import fit_task
from .settings import TrainingConfig
from .starting import check_out, start_encoder


@dataclass(frozen=True, kw_only=True)
class RowConfig:
    """How rows of text are put together."""

    batch_size: int = 64
    """Most rows in a batch; each has `max_length` tokens."""

    def __post_init__(self) -> None:
        check_least(self, 1, "batch_size")


def pretrain(
    texts: RunningTextConfig,
    tokenizer: TokenizerConfig,
    encoder: EncoderConfig,
    masking: MaskingConfig,
    rows: RowConfig,
    training: TrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Pretrains an encoder from scratch, or goes on with a pretrained one on other texts.

    Args:
        texts: The running text.
        tokenizer: From scratch: the size of the WordPiece vocabulary that is trained on the texts, or a file. In any
            case `max_length`, the tokens of a row.
        encoder: The encoder to start from.
        masking: What it must predict.
        rows: How many rows at once.
        training: How it is fitted.
        out: The RUN folder to make; `open_encoder` opens it as an encoder.
        resume: Go on with the run that is in `out`, which must have been started with the same settings.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run; its metrics have loss, masked accuracy and perplexity on held-out text.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        FileNotFoundError: There is no such text.
        ValueError: A setting makes no sense, the texts cannot be used, or the run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    documents = read_documents(texts)
    passages = (passage for document in documents["train"] for passage in document)
    opened = start_encoder(encoder, out, lambda: make_pieces(passages, tokenizer), resume=resume, seed=training.seed)
    task = MaskingTask(
        documents,
        opened,
        masking,
        batch_size=rows.batch_size,
        max_length=tokenizer.max_length,
        seed=training.seed,
    )
    sections = {"data": texts, "tokenizer": tokenizer, "encoder": encoder, "head": masking, "batches": rows}
    return fit_task(task, training, out, sections, resume=resume, overwrite=overwrite)
