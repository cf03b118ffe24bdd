"""`kerasllm finetune --decoder`: teach a decoder to answer."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..data.dialogues import DialogueConfig
from ..models.decoder import DecoderConfig
from ..training.decoder_finetuning import ChatRowConfig, ChatTokenizerConfig
from ..training.decoder_finetuning import finetune_decoder as finetune_run
from ..training.finetuning import FinetuningConfig
from ..training.tuning import TuningConfig
from .pretrain_decoder import print_language_scores


@dataclass(frozen=True)
class Dialogues(DialogueConfig):
    """Dialogues, named by the first argument."""

    source: str
    """A file or folder (jsonl, parquet, csv, also .gz): messages, turns, or instruction, input and output."""


def finetune_decoder(
    data: Annotated[Dialogues, Parameter(name="*", group="Data")],
    *,
    out: Path,
    task: Literal["text-generation"] = "text-generation",
    template: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    decoder: Annotated[DecoderConfig, Parameter(name="*", group="Decoder")] = DecoderConfig(),  # noqa: B008 (frozen)
    tuning: Annotated[TuningConfig, Parameter(name="*", group="Fine-tuning")] = TuningConfig(),  # noqa: B008 (frozen)
    tokenizer: Annotated[ChatTokenizerConfig, Parameter(group="Tokenizer")] = ChatTokenizerConfig(),  # noqa: B008 (frozen)
    rows: Annotated[ChatRowConfig, Parameter(name="*", group="Rows")] = ChatRowConfig(),  # noqa: B008 (frozen)
    training: Annotated[FinetuningConfig, Parameter(name="*", group="Training")] = FinetuningConfig(),  # noqa: B008 (frozen)
) -> None:
    """Teach a decoder to answer, from instructions or dialogues; writes a RUN folder.

    For instance:

        kerasllm finetune instructions.jsonl --decoder runs/base --out runs/assistant

        kerasllm finetune dialogues/ --decoder smollm/ --out runs/assistant --lora-rank 8 --tokenizer.max-length 256

    Args:
        out: The RUN folder to make.
        task: What the decoder is fitted for.
        template: A file with the Jinja template of a dialogue (default: the decoder's own, else ChatML or plain words).
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
    """
    del task
    training = replace(training, seed=data.seed)  # one --seed for all that is drawn by chance
    run = finetune_run(
        data,
        decoder,
        tokenizer,
        rows,
        training,
        tuning,
        out,
        template=template,
        resume=resume,
        overwrite=overwrite,
    )
    print_language_scores(run)
