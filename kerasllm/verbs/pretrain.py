"""`kerasllm pretrain`: teach an encoder a language from running text."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..console import print_table
from ..data.masking import MaskingConfig
from ..data.running_text import RunningTextConfig
from ..models.encoder import EncoderConfig
from ..run import Run
from ..tokenizing.tokenizer import TokenizerConfig
from ..training.pretraining import RowConfig
from ..training.pretraining import pretrain as pretrain_run
from ..training.settings import PretrainingConfig


@dataclass(frozen=True)
class Texts(RunningTextConfig):
    """Running text, named by the first arguments."""

    texts: tuple[Path, ...]
    """Files of running text (.txt, also .gz), or tables with a document a row (csv, tsv, jsonl, parquet, also .gz)."""


@dataclass(frozen=True, kw_only=True)
class PieceConfig(TokenizerConfig):
    """How texts become WordPieces, and these become rows."""

    kind: Literal["wordpiece"] = "wordpiece"
    """What a token is: always a WordPiece."""
    max_length: int = 128
    """Tokens of a row."""


def pretrain(
    texts: Annotated[Texts, Parameter(name="*", group="Texts")],
    *,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    encoder: Annotated[EncoderConfig, Parameter(name="*", group="Encoder")] = EncoderConfig(),  # noqa: B008 (frozen)
    tokenizer: Annotated[PieceConfig, Parameter(group="Tokenizer")] = PieceConfig(),
    masking: Annotated[MaskingConfig, Parameter(name="*", group="Masking")] = MaskingConfig(),  # noqa: B008 (frozen)
    rows: Annotated[RowConfig, Parameter(name="*", group="Rows")] = RowConfig(),  # noqa: B008 (frozen)
    training: Annotated[PretrainingConfig, Parameter(name="*", group="Training")] = PretrainingConfig(),  # noqa: B008 (frozen)
) -> None:
    """Teach an encoder (or --decoder) a language from running text; writes a RUN folder.

    For instance:

        kerasllm pretrain articles.txt more.txt --out runs/base --encoder mini --epochs 5

        kerasllm pretrain articles.txt --out runs/base --whole-words --next-sentence --documents article

        kerasllm pretrain notes.jsonl --out runs/adapted --encoder folder/of/a/bert --learning-rate 1e-4

    Args:
        out: The RUN folder to make.
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
    """
    training = replace(training, seed=texts.seed)  # one --seed for all that is drawn by chance
    run = pretrain_run(texts, tokenizer, encoder, masking, rows, training, out, resume=resume, overwrite=overwrite)
    _print(run)


def _print(run: Run) -> None:
    metrics = run.metrics
    scores = metrics["validation"]
    columns = ["masked tokens", "right", "perplexity"]
    cells = [f"{scores['masked_tokens']:,}", f"{scores['masked_accuracy']:.2%}", f"{scores['perplexity']:,.1f}"]
    if "next_sentence_accuracy" in scores:
        columns.append("next sentence")
        cells.append(f"{scores['next_sentence_accuracy']:.2%}")
    title = f"{run.path}: best of {metrics['epochs']} epochs is epoch {metrics['best_epoch']}, on held-out text"
    print_table(title, columns, [cells])
