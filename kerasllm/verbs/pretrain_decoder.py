"""`kerasllm pretrain --decoder`: teach a decoder to write from running text."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..console import print_table
from ..data.plain_texts import PlainTextConfig
from ..models.decoder import DecoderConfig
from ..run import Run
from ..tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from ..training.decoder_pretraining import CausalRowConfig
from ..training.decoder_pretraining import pretrain_decoder as pretrain_run
from ..training.settings import PretrainingConfig


@dataclass(frozen=True)
class PlainTexts(PlainTextConfig):
    """Running text, named by the first arguments."""

    texts: tuple[Path, ...]
    """Files of running text (.txt, also .gz), or tables with a document a row (csv, tsv, jsonl, parquet, also .gz)."""


def pretrain_decoder(
    texts: Annotated[PlainTexts, Parameter(name="*", group="Texts")],
    *,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    decoder: Annotated[DecoderConfig, Parameter(name="*", group="Decoder")] = DecoderConfig(),  # noqa: B008 (frozen)
    tokenizer: Annotated[DecoderTokenizerConfig, Parameter(group="Tokenizer")] = DecoderTokenizerConfig(),  # noqa: B008 (frozen)
    rows: Annotated[CausalRowConfig, Parameter(name="*", group="Rows")] = CausalRowConfig(),  # noqa: B008 (frozen)
    training: Annotated[PretrainingConfig, Parameter(name="*", group="Training")] = PretrainingConfig(),  # noqa: B008 (frozen)
) -> None:
    """Teach a decoder to write from running text; writes a RUN folder.

    For instance:

        kerasllm pretrain stories.txt --decoder nano --out runs/stories

        kerasllm pretrain wiki.txt --decoder micro --documents article --out runs/wiki --tokenizer.max-length 256

    Args:
        out: The RUN folder to make.
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
    """
    training = replace(training, seed=texts.seed)  # one --seed for all that is drawn by chance
    run = pretrain_run(texts, tokenizer, decoder, rows, training, out, resume=resume, overwrite=overwrite)
    print_language_scores(run)


def print_language_scores(run: Run) -> None:
    """Shows how well the best epoch of a decoder predicts text."""
    metrics = run.metrics
    rows = [
        (
            split,
            f"{report['tokens']:,}",
            f"{report['loss']:.4f}",
            f"{report['perplexity']:,.2f}",
            f"{report['bits_per_byte']:.4f}",
            f"{report['token_accuracy']:.2%}",
        )
        for split, report in metrics.items()
        if isinstance(report, dict)
    ]
    title = f"{run.path}: best of {metrics['epochs']} epochs is epoch {metrics['best_epoch']}"
    print_table(title, ("split", "tokens", "loss", "perplexity", "bits a byte", "right"), rows)
