"""Fine-tuning of decoders: instructions and dialogues to a RUN that answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..data.causal_rows import CausalRows, Packed
from ..data.dialogues import DialogueConfig, DialogueDataset, load_dialogues
from ..models.decoder import Decoder, DecoderConfig
from ..pretrained.generation_settings import read_generation_settings
from ..run import Run, open_run
from ..serving.generation.dialogue import ChatTemplate
from ..serving.generation.dialogue_tokens import DialogueTokens
from ..tasks.generation import GenerationTask
from ..tokenizing.chat_samples import Sample, answer_bytes, chat_sample, default_template, fitted
from ..tokenizing.decoder_tokenizer import CHAT, DecoderTokenizerConfig, make_decoder_tokenizer
from ..tokenizing.tokenizer import pad_id
from .decoder_pretraining import CausalRowConfig, GenerationHead, end_token
from .finetuning import FinetuningConfig
from .fitting import fit_task
from .starting import check_out, start_decoder
from .tuning import TuningConfig

_SHOWN = 2  # questions of the validation split that samples answer, where no prompts are given


@dataclass(frozen=True, kw_only=True)
class ChatRowConfig(CausalRowConfig):
    """How rows of dialogues are put together; each holds as many whole ones as fit."""

    batch_size: int = 16
    """Most rows in a batch; each has `max_length` tokens."""
    prompts: tuple[str, ...] = ()
    """After every epoch, show how the model answers these (default: the first ones of the validation split)."""


@dataclass(frozen=True, kw_only=True)
class ChatTokenizerConfig(DecoderTokenizerConfig):
    """How a decoder reads and writes dialogues."""

    chat: bool = True
    """Have tokens that open and close a message of a dialogue."""


def finetune_decoder(
    data: DialogueConfig,
    decoder: DecoderConfig,
    tokenizer: DecoderTokenizerConfig,
    rows: ChatRowConfig,
    training: FinetuningConfig,
    tuning: TuningConfig,
    out: Path,
    *,
    template: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Teaches a decoder to answer, by the answers of dialogues alone.

    Args:
        data: The dialogues; see `load_dialogues`.
        decoder: The decoder to start from.
        tokenizer: `max_length`, the tokens of a row; the rest only for a decoder from scratch.
        rows: How many rows at once, and what to show.
        training: How the model is fitted.
        tuning: Which weights are trained, and how.
        out: The RUN folder to make.
        template: A file with the Jinja template of a dialogue (default: the decoder's own, else ChatML where its
            tokenizer has the tokens, else roles as words).
        resume: Go on with the run that is in `out`, which must have been started with the same settings.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run; its metrics have loss and perplexity of the answers.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        FileNotFoundError: There is no such data or decoder.
        ValueError: A setting makes no sense, data or decoder cannot be used, or the run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    dataset = load_dialogues(data)
    opened = start_decoder(
        decoder,
        out,
        lambda: make_decoder_tokenizer(_texts(dataset), tokenizer),
        resume=resume,
        seed=training.seed,
    )
    opened.check_length(tokenizer.max_length)
    source = template.read_text(encoding="utf-8") if template else _template(decoder.decoder, opened.tokenizer)
    head = GenerationHead(chat_template=source, ends=chat_ends(opened.tokenizer))
    task = _task(dataset, opened, head, rows, tokenizer.max_length, training.seed)
    sections = {"data": data, "tokenizer": tokenizer, "decoder": opened.shape, "head": head, "batches": rows}
    return fit_task(task, training, out, sections, tuning=tuning, resume=resume, overwrite=overwrite)


def chat_ends(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The tokens that end an answer: that of a message where there is one, and that of a text."""
    close = [CHAT[1]] if tokenizer.token_to_id(CHAT[1]) is not None else []
    return (*close, end_token(tokenizer))


def _template(source: str, tokenizer: Tokenizer) -> str:
    """The template that the decoder was taught with; else one that its tokenizer can write."""
    folder, own = Path(source), None
    if (folder / "model.keras").is_file():
        own = open_run(folder).config["head"].get("chat_template")
    elif (folder / "config.json").is_file():
        own = read_generation_settings(folder, tokenizer).chat_template
    return own or default_template(tokenizer)


def _task(
    dataset: DialogueDataset, decoder: Decoder, head: GenerationHead, rows: ChatRowConfig, length: int, seed: int
) -> GenerationTask:
    """The packed samples of each split."""
    tokenizer = decoder.tokenizer
    end_of_text = head.ends[-1]
    assert head.chat_template is not None  # noqa: S101 (finetune_decoder has given one)
    template = ChatTemplate(head.chat_template, eos_token=end_of_text, bos_token=end_of_text)
    tokens = DialogueTokens(template, tokenizer)
    ends: list[Any] = [tokenizer.token_to_id(token) for token in head.ends]  # they are there
    whole = {
        name: [chat_sample(dialogue, tokens, ends) for dialogue in split.dialogues]
        for name, split in dataset.splits.items()
    }
    samples = {name: fitted(found, length) for name, found in whole.items()}
    _check_answers(samples, length)
    options: dict[str, Any] = {"batch_size": rows.batch_size, "padding": pad_id(tokenizer), "seed": seed}
    found = {
        name: CausalRows(Packed(split, length), steps=rows.steps if name == "train" else None, **options)
        for name, split in samples.items()
    }
    asked: Iterable[str] = rows.prompts or _first_questions(dataset)
    questions = [[{"role": "user", "content": question}] for question in asked]
    return GenerationTask(
        found,
        decoder,
        max_length=length,
        sizes={name: answer_bytes(split, tokenizer) for name, split in samples.items()},
        fingerprint=dataset.fingerprint,
        prompts={template.render(question): tokens.ids(question) for question in questions},
        ends=ends,
        notes=(*dataset.notes, *_cut(whole, length)),
    )


def _first_questions(dataset: DialogueDataset) -> list[str]:
    questions = (
        next((message["content"] for message in dialogue if message["role"] == "user"), None)
        for dialogue in dataset.splits["validation"].dialogues
    )
    return [question for question in questions if question][:_SHOWN]


def _check_answers(samples: dict[str, list[Sample]], length: int) -> None:
    empty = next((name for name, split in samples.items() if not split), None)
    if empty is not None:
        raise ValueError(
            f"A dialogue must begin an answer within a row of {length} tokens. Received: none that does in {empty}. "
            "Name a larger --tokenizer.max-length, as far as the decoder's context goes."
        )


def _cut(samples: dict[str, list[Sample]], length: int) -> list[str]:
    """A sentence for each split whose dialogues do not all fit."""
    counts = {name: sum(len(ids) > length + 1 for ids, _ in split) for name, split in samples.items()}
    return [
        f"{count:,} of {len(samples[name]):,} dialogues of {name} are longer than {length} tokens and are cut."
        for name, count in counts.items()
        if count
    ]


def _texts(dataset: DialogueDataset) -> Iterable[str]:
    return (message["content"] for dialogue in dataset.splits["train"].dialogues for message in dialogue)
