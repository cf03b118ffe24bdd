import json
from functools import cache

import keras
import numpy as np
import pytest
from tokenizers import Tokenizer, models

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.data.tagged import TaggedDataset, TaggedSplit
from kerasllm.evaluation.report import evaluate
from kerasllm.export.sources import export_run
from kerasllm.models.encoder import EncoderConfig
from kerasllm.serving import load
from kerasllm.serving.spans import Span
from kerasllm.tasks import tagging
from kerasllm.tasks.tagging import TaggingHead, TaggingTask, token_cross_entropy, token_labels
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.tuning import TuningConfig

from .small import ANIMALS, PLACES, small_encoder, small_tokenizer

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LABELS = ("O", "B-animal", "I-animal", "B-place", "I-place")
INDEX = {label: number for number, label in enumerate(LABELS)}


small = cache(small_encoder)


def labelled(text, *spans):
    """Each piece of the text with its label, None where it has none."""
    encoding = small_tokenizer().encode(text)
    labels = token_labels(encoding, [Span(*span) for span in spans], INDEX)
    own = [token for token, sequence in zip(encoding.tokens, encoding.sequence_ids, strict=True) if sequence == 0]
    return list(zip(own, [LABELS[label] if label >= 0 else None for label in labels], strict=True))


def test_the_first_piece_of_a_word_has_its_label():
    assert labelled("the horsec", ("animal", 4, 10)) == [("the", "O"), ("horse", "B-animal"), ("##c", None)]


def test_a_span_has_every_word_that_the_tokenizer_makes_of_it():
    assert labelled("cat.dog house", ("animal", 0, 7), ("place", 8, 13)) == [
        ("cat", "B-animal"), (".", "I-animal"), ("dog", "I-animal"), ("house", "B-place")
    ]  # fmt: skip
    assert labelled("cat.dog", ("animal", 4, 7)) == [("cat", "O"), (".", "O"), ("dog", "B-animal")]
    assert labelled("cat.dog", ("animal", 0, 3)) == [("cat", "B-animal"), (".", "O"), ("dog", "O")]


def test_a_span_within_a_word_has_the_word_and_the_first_of_two():
    assert labelled("the catdog", ("animal", 7, 10))[1] == ("cat", "B-animal")
    both = labelled("the catdog", ("animal", 4, 7), ("place", 7, 10))
    assert [label for _, label in both if label] == ["O", "B-animal"]


def test_a_span_that_vanishes_in_tokenization_has_nothing():
    assert labelled("cat \u200b dog", ("animal", 4, 5)) == [("cat", "O"), ("dog", "O")]


def long_split():
    """A text of three windows of 16 tokens, one of a few words, and one of nothing that the tokenizer sees."""
    texts = [" ".join(["the cat sleeps in the old barn ."] * 5), "the dog .", "\u200b"]
    starts = [33 * place for place in range(5)]
    found = [[("animal", start + 4, start + 7), ("place", start + 22, start + 30)] for start in starts]
    spans = [tuple(Span(*span) for pair in found for span in pair), (Span("animal", 4, 7),), ()]
    return TaggedSplit(texts, spans)


def long_task(**options):
    split = long_split()
    dataset = TaggedDataset(name="farm", labels=LABELS, splits={"train": split, "validation": split})
    return TaggingTask(dataset, small(), TaggingHead(), BatchConfig(batch_size=2), max_length=16, **options)


def test_long_texts_are_read_in_windows_and_merged_for_the_score(monkeypatch):
    task = long_task()
    assert task.notes == ()
    assert len(task._tokens["train"]) > 4
    perfect = np.eye(len(LABELS), dtype=np.float32)

    def outputs(model, split, config):
        rows = np.split(np.maximum(split.labels, 0), split.offsets[1:-1])
        return [{"logits": 20 * perfect[row]} for row in rows]

    monkeypatch.setattr(tagging, "token_outputs", outputs)
    report = task.report(None, "validation")
    assert report["f1"] == 1
    assert report["examples"] == 3
    assert report["per_type"]["place"]["spans"] == 5
    assert report["loss"] == pytest.approx(0, abs=1e-6)


def test_every_word_of_every_window_is_asked_for_and_nothing_else():
    split = long_task()._tokens["train"]
    special = np.isin(split.ids, [small_tokenizer().token_to_id(name) for name in ("[CLS]", "[SEP]")])
    pieces = np.array([small_tokenizer().id_to_token(token).startswith("##") for token in split.ids])
    assert ((split.labels >= 0) == ~(special | pieces)).all()


def test_spans_that_no_model_can_find_are_noted():
    split = TaggedSplit(["the catdog"], [(Span("animal", 4, 7),)])
    dataset = TaggedDataset(name="farm", labels=LABELS, splits={"train": split, "validation": split})
    task = TaggingTask(dataset, small(), TaggingHead(), BatchConfig(), max_length=16)
    assert task.notes == tuple(
        f"1 of 1 {name} spans cut words of the tokenizer: no model can find them." for name in ("train", "validation")
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_of_the_tokens_asked_for(smoothing):
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (2, 3, 4)).astype("float32")
    labels = np.array([[2, -1, 0], [-1, -1, 3]])
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    losses = [
        -((1 - smoothing) * logs[row, place, labels[row, place]] + smoothing * logs[row, place].mean())
        for row, place in [(0, 0), (0, 2), (1, 2)]
    ]
    assert float(token_cross_entropy(labels, logits, smoothing)) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(token_cross_entropy(np.full((2, 3), -1), logits)) == 0


def test_the_loss_of_a_report_is_that_of_training():
    task = long_task()
    model = task.build()
    report = task.report(model, "validation")
    split = task._tokens["validation"]
    total, count = 0.0, 0
    for row in range(len(split)):
        place = slice(split.offsets[row], split.offsets[row + 1])
        inputs = {"input_ids": split.ids[place][None], "token_type_ids": split.types[place][None]}
        logits = model({**inputs, "attention_mask": np.ones_like(inputs["input_ids"])})
        known = int((split.labels[place] >= 0).sum())
        total += float(task.loss()(split.labels[place][None], logits)) * known
        count += known
    assert report["loss"] == pytest.approx(total / count, rel=1e-4)


def test_a_tokenizer_must_cut_words_and_an_encoder_have_the_positions():
    encoder = small_encoder()
    with pytest.raises(ValueError, match="positions"):
        TaggingTask(None, encoder, TaggingHead(), BatchConfig(), max_length=33)
    object.__setattr__(encoder, "tokenizer", Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")))
    with pytest.raises(ValueError, match="cuts texts into words"):
        TaggingTask(None, encoder, TaggingHead(), BatchConfig(), max_length=16)


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """Sentences of an animal in a place, of one word or two."""
    folder = tmp_path_factory.mktemp("farm")
    rows = []
    for old in (False, True):
        for animal in ANIMALS:
            for place in PLACES:
                tokens = ["the", animal, "sleeps", "in", "the", *["old"] * old, place, "."]
                place_tags = ["B-place", "I-place"][: 1 + old]
                rows.append({"tokens": tokens, "tags": ["O", "B-animal", "O", "O", "O", *place_tags, "O"]})
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows * (4 if split == "train" else 1))))
    return folder


@pytest.fixture(scope="module")
def run(farm, tmp_path_factory):
    sizes = {"layers": 1, "hidden": 32, "intermediate": 64, "positions": 32}
    return finetune(
        DataConfig(source=str(farm)),
        EncoderConfig(encoder="tiny", dropout=0.0, **sizes),
        TokenizerConfig(vocab_size=120, max_length=32),
        TaggingHead(dropout=0.0),
        BatchConfig(batch_size=8),
        FinetuningConfig(epochs=2, patience=0, learning_rate=5e-3),
        TuningConfig(),
        tmp_path_factory.mktemp("run") / "run",
    )


def test_a_tagger_learns_what_is_an_animal_and_what_a_place(run):
    assert run.metrics["validation"]["f1"] > 0.95
    assert run.labels == LABELS
    assert run.config["task"] == "token-classification"
    assert isinstance(run.load_model(), keras.Model)


def test_its_bundle_finds_the_same_spans(run, tmp_path):
    manifest = export_run(run.path, tmp_path / "bundle", variants=("fp32",))
    assert manifest["variants"]["fp32"]["metric"]["value"] == pytest.approx(run.metrics["validation"]["f1"])
    report = evaluate(tmp_path / "bundle", split="validation")
    assert report["per_type"] == run.metrics["validation"]["per_type"]
    served = load(tmp_path / "bundle")
    found = served("The hen sleeps in the old barn.")
    assert [(entity["entity_group"], entity["word"]) for entity in found] == [("animal", "hen"), ("place", "old barn")]


def test_settings_that_the_task_does_not_read_are_refused(farm, tmp_path):
    with pytest.raises(ValueError, match="`balance_classes` is not for this task"):
        finetune(
            DataConfig(source=str(farm)),
            EncoderConfig(encoder="tiny", layers=1, hidden=16),
            TokenizerConfig(vocab_size=120, max_length=32),
            TaggingHead(),
            BatchConfig(),
            FinetuningConfig(balance_classes=True),
            TuningConfig(),
            tmp_path / "run",
        )
    with pytest.raises(ValueError, match="`dropout` must be"):
        TaggingHead(dropout=1.0)
