"""A decoder from nothing to answers: Wikipedia by a byte-level BPE, then instructions and dialogues, then a bundle.

    python benchmarks/instruction.py [--limit N]    (the data: wikitext, instruct_simple and sgd_dialogues in
                                                     KERASLLM_DATA, or in ../shared/data)

A micro decoder (6 layers of Llama's architecture, 256 wide) reads 800,000 words; perplexity is of articles that it has
not read. Fine-tuned, it is scored by the answers of held-out dialogues, and shown with some. `--limit` takes so many
articles and dialogues at most, for a quick try (and writes no results). The runs lie in benchmarks/work/instruction and
are resumed if this is started again.
"""

import argparse
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasllm.data.dialogues import DialogueConfig, load_dialogues
from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.data.sources import DataConfig
from kerasllm.evaluation.report import evaluate
from kerasllm.export import export_source
from kerasllm.models.decoder import DecoderConfig
from kerasllm.run import Run
from kerasllm.serving import load
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from kerasllm.training.decoder_finetuning import ChatRowConfig, ChatTokenizerConfig, finetune_decoder
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.finetuning import FinetuningConfig
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.tuning import TuningConfig

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results" / "instruction.md"
READ = ("wiki_articles_train.txt.gz", "wikitext103_head_train.txt.gz")
HELD_OUT = ("wiki_articles_test.txt.gz", "wikitext2_raw_test.txt.gz")
LENGTH, ROWS, SHOWN = 256, 8, 3  # tokens of a row, rows of a batch; dialogues of each kind that are shown
PRETRAINING = TrainingConfig(epochs=5, patience=0, learning_rate=1e-3, schedule="cosine")
FINETUNING = FinetuningConfig(epochs=3, patience=0, learning_rate=5e-4)
VARIANTS = ("fp32", "int8", "int4")
HEAD = """# A decoder from nothing to answers

`python benchmarks/instruction.py`. {parameters:,} parameters, {vocabulary:,} tokens of a byte-level BPE.

After {epochs} passes over {tokens:,} tokens of Wikipedia:

| text that it has not read | tokens | perplexity | bits a byte |
|---|---:|---:|---:|
{texts}
Fine-tuned on {dialogues:,} instructions and dialogues, scored by held-out answers:

| | MB | perplexity | right |
|---|---:|---:|---:|
{variants}
What the int8 bundle answers, always the likeliest token, to the first held-out ones:

{answers}"""


def main() -> None:
    """Trains, exports, and writes the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=None)
    limit = parser.parse_args().limit
    work = HERE / "work" / ("instruction" if limit is None else "instruction-try")
    reader = pretrained(work / "reader", limit)
    dialogues = write_dialogues(work / "dialogues", limit)
    chatter = fine_tuned(work / "chatter", reader, dialogues)
    manifest = export_source(
        chatter.path, work / "bundle", variants=VARIANTS, validation=str(dialogues), max_drop=0.05, overwrite=True
    )
    report = HEAD.format(
        parameters=reader.metrics["parameters"],
        vocabulary=reader.load_tokenizer().get_vocab_size(),
        epochs=PRETRAINING.epochs,
        tokens=reader.metrics["tokens_per_epoch"],
        texts="".join(_text_row(reader, name) for name in HELD_OUT),
        dialogues=len(load_dialogues(DialogueConfig(source=str(dialogues))).splits["train"]),
        variants="".join(_variant_row(work / "bundle", dialogues, name, manifest) for name in VARIANTS),
        answers="\n".join(answers(work / "bundle", dialogues)),
    )
    print(report)
    if limit is None:
        RESULTS.write_text(report)


def pretrained(out: Path, limit: int | None) -> Run:
    """A RUN that has read."""
    return pretrain_decoder(
        PlainTextConfig(texts=tuple(DATA / "wikitext" / name for name in READ), documents="article", limit=limit),
        DecoderTokenizerConfig(kind="bpe", vocab_size=4096, max_length=LENGTH, chat=True),
        DecoderConfig(decoder="micro"),
        CausalRowConfig(batch_size=ROWS, prompts=("The ", "In 1990 , ")),
        PRETRAINING,
        out,
        resume=out.exists(),
    )


def write_dialogues(out: Path, limit: int | None) -> Path:
    """Both kinds in one folder, a file a split, the last kind's questions as they are asked."""
    out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        lines = [json.dumps(each) for each in (*_instructions(split, limit), *_task_dialogues(split, limit))]
        (out / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return out


def _instructions(split: str, limit: int | None) -> Iterator[dict[str, Any]]:
    for row in _rows("instruct_simple", split)[:limit]:
        question = f"{row['instruction']}\n{row['input']}".strip()
        yield {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": row["output"]}]}


def _task_dialogues(split: str, limit: int | None) -> Iterator[dict[str, Any]]:
    roles = {"user": "user", "system": "assistant"}
    for row in _rows("sgd_dialogues", split)[:limit]:
        yield {"messages": [{"role": roles[who], "content": text} for who, text in row["turns"]]}


def _rows(name: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.open(DATA / name / f"{split}.jsonl.gz", "rt", encoding="utf-8")]


def fine_tuned(out: Path, reader: Run, dialogues: Path) -> Run:
    """A RUN that answers."""
    return finetune_decoder(
        DialogueConfig(source=str(dialogues)),
        DecoderConfig(decoder=str(reader.path)),
        ChatTokenizerConfig(max_length=LENGTH),
        ChatRowConfig(batch_size=ROWS),
        FINETUNING,
        TuningConfig(),
        out,
        resume=out.exists(),
    )


def _text_row(reader: Run, name: str) -> str:
    scores = evaluate(reader.path, data=DataConfig(source=str(DATA / "wikitext" / name)))
    title = name.partition(".")[0]
    return f"| {title} | {scores['tokens']:,} | {scores['perplexity']:.1f} | {scores['bits_per_byte']:.3f} |\n"


def _variant_row(bundle: Path, dialogues: Path, variant: str, manifest: dict[str, Any]) -> str:
    scores = evaluate(bundle, data=DialogueConfig(source=str(dialogues)), split="test", variant=variant)
    size = manifest["variants"][variant]["bytes"] / 1e6
    return f"| {variant} | {size:.1f} | {scores['perplexity']:.2f} | {scores['token_accuracy']:.1%} |\n"


def answers(bundle: Path, dialogues: Path) -> Iterator[str]:
    """Questions of the test split, and the bundle's answers, as a list in Markdown."""
    served = load(bundle, variant="int8")
    found = load_dialogues(DialogueConfig(source=str(dialogues))).splits["test"].dialogues
    first = len(list(_instructions("test", None)))
    for dialogue in (*found[:SHOWN], *found[first : first + SHOWN]):
        answer = served.chat(dialogue[:1], max_new_tokens=60).text
        yield f"- {' '.join(dialogue[0]['content'].split())}\n  **{' '.join(answer.split())}**"


if __name__ == "__main__":
    main()
