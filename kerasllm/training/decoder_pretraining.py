"""Pretraining of decoders: running text to a RUN that writes, by predicting the next token."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..checks import check_least
from ..data.causal_rows import CausalRows
from ..data.document_windows import Windows
from ..data.plain_texts import PlainTextConfig, read_plain_texts
from ..data.token_stream import token_stream
from ..models.decoder import Decoder, DecoderConfig
from ..run import Run
from ..tasks.generation import GenerationTask
from ..tokenizing.decoder_tokenizer import END, DecoderTokenizerConfig, make_decoder_tokenizer
from ..tokenizing.tokenizer import pad_id
from .fitting import fit_task
from .pretraining import RowConfig
from .settings import TrainingConfig
from .starting import check_out, start_decoder

_ENDS = (END, "<|end_of_text|>", "</s>")  # what decoders call the token that ends a text


@dataclass(frozen=True, kw_only=True)
class CausalRowConfig(RowConfig):
    """How rows of text are put together."""

    steps: int | None = None
    """Batches of an epoch (default: as many as the texts fill)."""
    prompts: tuple[str, ...] = ("", "The ")
    """After every epoch, show how the model goes on after these."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "steps")


@dataclass(frozen=True, kw_only=True)
class GenerationHead:
    """What a bundle must know of how a decoder was taught."""

    chat_template: str | None = None
    """The Jinja template of dialogues that it learned; None: running text."""
    ends: tuple[str, ...] = ()
    """The tokens that end what it writes."""


def pretrain_decoder(
    texts: PlainTextConfig,
    tokenizer: DecoderTokenizerConfig,
    decoder: DecoderConfig,
    rows: CausalRowConfig,
    training: TrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Pretrains a decoder from scratch, or goes on with a pretrained one on other texts.

    Args:
        texts: The running text.
        tokenizer: From scratch: what is trained on the texts. In any case `max_length`, the tokens of a row.
        decoder: The decoder to start from.
        rows: How many rows at once, and what to show.
        training: How it is fitted.
        out: The RUN folder to make; `open_decoder` opens it as a decoder.
        resume: Go on with the run that is in `out`, which must have been started with the same settings.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run; its metrics have loss, perplexity and bits a byte on held-out text.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        FileNotFoundError: There is no such text.
        ValueError: A setting makes no sense, the texts cannot be used, or the run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    documents = read_plain_texts(texts)
    opened = start_decoder(
        decoder,
        out,
        lambda: make_decoder_tokenizer(documents["train"], tokenizer),
        resume=resume,
        seed=training.seed,
    )
    opened.check_length(tokenizer.max_length)
    task = _task(documents, opened, rows, tokenizer.max_length, training.seed)
    head = GenerationHead(ends=(end_token(opened.tokenizer),))
    sections = {"data": texts, "tokenizer": tokenizer, "decoder": opened.shape, "head": head, "batches": rows}
    return fit_task(task, training, out, sections, resume=resume, overwrite=overwrite)


def end_token(tokenizer: Tokenizer) -> str:
    """The token that ends a text, and opens the next one."""
    found = next((token for token in _ENDS if tokenizer.token_to_id(token) is not None), None)
    if found is None:
        raise ValueError(f"A decoder's tokenizer must have one of {', '.join(_ENDS)}. Received: one without.")
    return found


def _task(
    documents: Mapping[str, list[str]], decoder: Decoder, rows: CausalRowConfig, length: int, seed: int
) -> GenerationTask:
    """The windows of each split."""
    end: Any = decoder.tokenizer.token_to_id(end_token(decoder.tokenizer))  # it is there
    encode = decoder.tokenizer.encode
    found = {
        name: CausalRows(
            Windows(token_stream([[text] for text in texts], decoder.tokenizer, end), length),
            batch_size=rows.batch_size,
            padding=pad_id(decoder.tokenizer),
            steps=rows.steps if name == "train" else None,
            seed=seed,
        )
        for name, texts in documents.items()
    }
    return GenerationTask(
        found,
        decoder,
        max_length=length,
        sizes={name: sum(len(_bytes(text)) for text in texts) for name, texts in documents.items()},
        fingerprint=_fingerprint(documents),
        prompts={prompt: [end, *encode(prompt, add_special_tokens=False).ids] for prompt in rows.prompts},
        ends=(end,),
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _fingerprint(splits: Mapping[str, list[str]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(splits):
        for text in splits[name]:
            digest.update(f"\n{name} {len(_bytes(text))}\n".encode() + _bytes(text))
    return digest.hexdigest()
