"""`kerasllm predict`: ask a BUNDLE, whatever its task is."""

import json as json_format
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..atomic import replace_file
from ..inputs import read_inputs


def predict(
    bundle: Path,
    *texts: str,
    file: Path | None = None,
    question: str | None = None,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | None = None,
    top_k: int | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Ask a BUNDLE: label texts, find entities, answer questions, embed texts, fill masks.

    Texts are given as arguments, one a line in a file, or one a line on standard input. What comes back follows the
    bundle's task.

    For example:

    kerasllm predict bundles/reviews "not bad at all" "never again"

    kerasllm predict bundles/entities --file news.txt --json

    kerasllm predict bundles/reader --question "Who wrote it?" "Ada wrote the notes in 1843."

    kerasllm predict bundles/vectors --file texts.txt --out vectors.npy

    kerasllm predict bundles/words "Paris is the [MASK] of France."

    Args:
        bundle: The bundle folder.
        texts: Texts; a model of pairs takes them two by two, and question answering reads the contexts here.
        file: A UTF-8 file with a text a line (of a pair: two with a tab between), or a .jsonl file with a string or an
            object a line: {"text", "text_pair"} for a pair, {"question", "context"} for a question.
        question: The question to answer from each text.
        variant: fp32, int8 or another that the bundle has (default: the bundle's own).
        threads: Threads to compute with (default: every core that this process may use).
        providers: cpu or cuda (default: CUDA where there is a device, else the CPU).
        top_k: Labels, answers or fillings to give for each text, best first (default: 1; 5 to fill a mask).
        out: Write the vectors of an embedding bundle to this .npy file, float32 [texts, hidden].
        json: Print a JSON line a text.
    """
    from ..serving import load

    served = load(bundle, variant=variant, threads=threads, providers=providers)
    task, pair = served.graph.task, getattr(served, "pair", False)
    if task not in _PARTS and task != "feature-extraction":
        raise ValueError(
            f"This verb labels, finds, answers, fills and embeds. Received: a bundle for {task}. Use kerasllm generate."
        )
    _check(task, question, top_k, out, json)
    entries = [_named(entry) for entry in read_inputs(texts, file, pair=pair)]
    if question is not None:
        entries = [{"question": question, "context": entry.get("text")} for entry in entries]
    inputs = _inputs(entries, _PARTS["pair" if pair else task])
    if task == "feature-extraction":
        _embed(served(inputs), entries, out)
        return
    options = {"top_k": _TOP_K[task] if top_k is None else top_k} if task in _TOP_K else {}
    key, lines = _RESULTS[task]
    for entry, answer in zip(entries, served(inputs, **options), strict=True):
        answers = answer if isinstance(answer, list) else [answer]
        if json:
            print(_json({**entry, key: answers}))
        else:
            print(*lines(entry, answers), sep="\n")


def _check(task: str, question: str | None, top_k: int | None, out: Path | None, json: bool) -> None:
    """Refuses options of another task."""
    if question is not None and task != "question-answering":
        raise ValueError(f"--question is for question-answering bundles. Received: a bundle for {task}. Leave it out.")
    if out is not None and task != "feature-extraction":
        raise ValueError(f"--out is for feature-extraction bundles. Received: a bundle for {task}. Use --json.")
    if top_k is not None and task in ("feature-extraction", "token-classification"):
        raise ValueError(f"--top-k has no meaning for {task}. Received: {top_k}. Leave it out.")
    if task == "feature-extraction" and (out is None) is not json:
        raise ValueError("Vectors are printed with --json or written with --out FILE.npy: ask for one of the two.")


def _named(entry: Any) -> dict[str, Any]:
    """An input by the names of its parts."""
    if isinstance(entry, tuple):
        return {"text": entry[0], "text_pair": entry[1]}
    return entry if isinstance(entry, dict) else {"text": entry}


def _inputs(entries: Sequence[dict[str, Any]], parts: tuple[str, ...]) -> list[Any]:
    """Of each entry what the task reads; entries of a file may have more, such as an id."""
    for number, entry in enumerate(entries, 1):
        if not all(isinstance(entry.get(part), str) for part in parts):
            cure = " Give it with --question." if "question" in parts and "question" not in entry else ""
            raise ValueError(
                f"An input must have {' and '.join(parts)}, all of them strings. "
                f"Received: {', '.join(entry) or 'nothing'}, as number {number}.{cure}"
            )
    if parts == ("text",):
        return [entry["text"] for entry in entries]
    return [{part: entry[part] for part in parts} for entry in entries]


def _embed(vectors: Any, entries: Sequence[dict[str, Any]], out: Path | None) -> None:
    """Prints vectors as JSON lines, or writes them to a file."""
    import numpy as np

    if out is None:
        for entry, vector in zip(entries, vectors, strict=True):
            print(_json({**entry, "embedding": vector.tolist()}))
        return
    with replace_file(out) as temporary, temporary.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)


def _label_lines(entry: dict[str, Any], scores: list[dict[str, Any]]) -> list[str]:
    """The label and score, tab-separated, then the text: easy to read and to cut."""
    best = "\t".join(f"{each['label']}\t{each['score']:.4f}" for each in scores)
    return ["\t".join([best, *(entry[part] for part in _PARTS["pair"] if part in entry)])]


def _entity_lines(entry: dict[str, Any], entities: list[dict[str, Any]]) -> list[str]:
    """The text, then a line an entity: its name, score, place and words."""
    found = [f"  {e['entity_group']}\t{e['score']:.4f}\t{e['start']}-{e['end']}\t{e['word']}" for e in entities]
    return [entry["text"], *found]


def _answer_lines(entry: dict[str, Any], answers: list[dict[str, Any]]) -> list[str]:
    """A line an answer: its words, score and place, then the question."""
    return [f"{a['answer']}\t{a['score']:.4f}\t{a['start']}-{a['end']}\t{entry['question']}" for a in answers]


def _filling_lines(entry: dict[str, Any], fillings: list[Any]) -> list[str]:
    """A line a token: it, its score, and the text with it; masks one after the other."""
    flat = [each for mask in fillings for each in (mask if isinstance(mask, list) else [mask])]
    return [f"{each['token_str']}\t{each['score']:.4f}\t{each['sequence']}" for each in flat]


def _json(document: dict[str, Any]) -> str:
    return json_format.dumps(document, ensure_ascii=False)


# How many answers there are where nobody says.
_TOP_K = {"text-classification": 1, "question-answering": 1, "fill-mask": 5}
# The parts of an input.
_PARTS = {
    "text-classification": ("text",),
    "pair": ("text", "text_pair"),
    "token-classification": ("text",),
    "question-answering": ("question", "context"),
    "feature-extraction": ("text",),
    "fill-mask": ("text",),
}
# Task to the key of its result in JSON, and to the lines that people read.
_RESULTS: dict[str, tuple[str, Callable[[dict[str, Any], list[Any]], list[str]]]] = {
    "text-classification": ("labels", _label_lines),
    "token-classification": ("entities", _entity_lines),
    "question-answering": ("answers", _answer_lines),
    "fill-mask": ("fillings", _filling_lines),
}
