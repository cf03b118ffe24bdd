"""The bundles that foreign programs open, and what kerasllm.serving answers to the same inputs.

Answers have a plain form, so that a program in any language can give them:

- text-classification: label to score;
- token-classification: [place in the row, tag, score] of each token that has a tag;
- question-answering: the answer;
- feature-extraction: the text's vector, of length 1;
- fill-mask: [token, score] of the three likeliest;
- text-generation: the ids of the likeliest tokens, one after the other; the one that ends a text may be there or not.

Raw answers are the outputs of the graph for a text alone, by name; of text-generation the same ids.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers

from kerasllm.export import export_bundle
from kerasllm.serving import load
from tests.export.causal import decoders
from tests.export.causal.test_bundle import tokenizer as letters
from tests.export.encoders import LABELS_OF, bert_tokenizer, task_model

VARIANTS = ("fp32", "int8", "portable")
DECODER_VARIANTS = ("fp32", "int8", "int4", "portable")
NEW_TOKENS = 24
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A bundle, and what it is asked."""

    name: str
    task: str
    inputs: tuple[Any, ...]
    make: Callable[[Path], Any]
    """Writes the bundle."""
    source: Path | None = None
    """What it is made of; none: weights at random."""

    @property
    def variants(self) -> Sequence[str]:
        """What its bundle has."""
        return DECODER_VARIANTS if self.task == "text-generation" else VARIANTS


def _lstm(out: Path) -> None:
    from kerasllm.models.classifier import ClassifierConfig, build_classifier

    words = ["[PAD]", "[UNK]", "a", "film", "good", "bad", "very", "not", "dull", "fine", "plot", ".", ","]
    tokenizer = tokenizers.Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = build_classifier(ClassifierConfig(units=32), vocab_size=len(words), classes=2)
    draw = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + draw.normal(0, 0.5, weight.shape))
    export_bundle(model, out, tokenizer=tokenizer, labels=["negative", "positive"], variants=VARIANTS, max_drop=10.0)


def _encoder(task: str) -> Callable[[Path], Any]:
    def make(out: Path) -> None:
        options = {"tokenizer": bert_tokenizer(), "task": task, "labels": LABELS_OF.get(task, ())}
        export_bundle(task_model(task), out, variants=VARIANTS, max_drop=10.0, **options)

    return make


def _gpt2(out: Path) -> None:
    model = decoders.small("gpt2")
    export_bundle(
        model, out, tokenizer=letters(), task="text-generation", variants=DECODER_VARIANTS, max_length=decoders.CONTEXT,
        max_drop=10.0,
    )  # fmt: skip


def _stories(out: Path) -> None:
    from examples import stories260k as stories

    source = STORIES
    export_bundle(
        stories.read_model(source / "stories260K.bin"),
        out,
        tokenizer=stories.read_tokenizer(source / "tok512.bin"),
        task="text-generation",
        settings={"eos_token_ids": [1, 2], "bos_token_id": 1, "add_bos": True},
        variants=DECODER_VARIANTS,
        max_length=stories.read_shape(source / "stories260K.bin").context,
        max_drop=10.0,
    )


STORIES = ROOT.parent / "shared" / "data" / "pretrained" / "stories260K"
_TEXTS = ("ada met alan in new york", "the film was not very good , it was bad .")
CASES = {
    case.name: case
    for case in (
        Case(name="LSTM", task="text-classification", inputs=("a very good film", "not bad , dull ."), make=_lstm),
        Case(name="classifier", task="text-classification", inputs=_TEXTS, make=_encoder("text-classification")),
        Case(
            name="tagger",
            task="token-classification",
            inputs=("ada met alan in new york", "the film was good"),
            make=_encoder("token-classification"),
        ),
        Case(
            name="reader",
            task="question-answering",
            inputs=({"question": "who met alan ?", "context": "ada met alan in london . the film was good ."},),
            make=_encoder("question-answering"),
        ),
        Case(name="embedder", task="feature-extraction", inputs=_TEXTS, make=_encoder("feature-extraction")),
        Case(name="filler", task="fill-mask", inputs=("the [MASK] was good",), make=_encoder("fill-mask")),
        # After these texts no two tokens are near each other: runtimes add in different orders, and their int4 products
        # round activations in different ways. By log-probability the nearest are 0.23 (GPT-2) and 0.4 apart.
        Case(name="GPT-2", task="text-generation", inputs=("mat why", "how why", "abc mat"), make=_gpt2),
        Case(
            name="stories260K",
            task="text-generation",
            inputs=("Tim likes to play", "Jack likes to play"),
            make=_stories,
            source=STORIES,
        ),
    )
}


def answers(case: Case, bundle: Path, variant: str, *, raw: bool = False) -> list[Any]:
    """What kerasllm.serving answers.

    Args:
        case: What is asked.
        bundle: Its bundle.
        variant: One of the bundle's; what portable must answer is what fp32 does.
        raw: Whether the graph's outputs are wanted.
    """
    served = load(bundle, variant="fp32" if variant == "portable" else variant, threads=1)
    if case.task == "text-generation":
        return [served.generate(text, max_new_tokens=NEW_TOKENS).token_ids for text in case.inputs]
    if raw:
        return [_outputs(served, given) for given in case.inputs]
    return [_ANSWERS[case.task](served, given) for given in case.inputs]


def until_end(ids: list[int], bundle: Path) -> list[int]:
    """Token ids without the one that ends the text."""
    ends = np.atleast_1d(json.loads((bundle / "config.json").read_text())["eos_token_id"]).tolist()
    return ids[:-1] if ids and ids[-1] in ends else ids


def _outputs(served: Any, given: Any) -> dict[str, Any]:
    (values,) = served.graph.run_all(served.rows([given]))
    return {name: value.tolist() for name, value in values.items()}


def _tags(served: Any, text: str) -> list[Any]:
    logits = np.array(_outputs(served, text)["logits"])
    scores = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    best = scores.argmax(axis=-1)
    inside = range(1, len(best) - 1)  # not [CLS] and [SEP]
    tags = LABELS_OF["token-classification"]
    return [
        [place, tags[best[place]], float(scores[place, best[place]])] for place in inside if tags[best[place]] != "O"
    ]


_ANSWERS: dict[str, Callable[[Any, Any], Any]] = {
    "text-classification": lambda served, text: {each["label"]: each["score"] for each in served(text, top_k=None)},
    "token-classification": _tags,
    "question-answering": lambda served, asked: served(asked)["answer"],
    "feature-extraction": lambda served, text: served([text])[0].tolist(),
    "fill-mask": lambda served, text: [[each["token_str"], each["score"]] for each in served(text, top_k=3)],
}
