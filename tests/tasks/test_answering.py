import json
from functools import cache

import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.questions import QuestionDataset, QuestionSplit, TrueAnswer
from kerasllm.data.sources import DataConfig
from kerasllm.evaluation.report import evaluate
from kerasllm.export.sources import export_run
from kerasllm.models.encoder import EncoderConfig
from kerasllm.serving import load
from kerasllm.tasks import answering
from kerasllm.tasks.answering import AnsweringHead, AnsweringTask, answer_place, ends_cross_entropy
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.tuning import TuningConfig

from .small import ANIMALS, PLACES, small_encoder, small_tokenizer

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHORT = "the cat sleeps in the barn ."
LONG = " ".join(["the cat sleeps in the barn ."] * 4) + " the old dog sleeps ."


small = cache(small_encoder)


def questions(*rows):
    """Rows of question, context and the texts of its answers, each where it first occurs."""
    answers = [tuple(TrueAnswer(text, context.find(text)) for text in texts) for _, context, texts in rows]
    return QuestionSplit([row[0] for row in rows], [row[1] for row in rows], answers)


def task(*rows, encoder=None, **head):
    split = questions(*rows)
    dataset = QuestionDataset(name="farm", splits={"train": split, "validation": split})
    return AnsweringTask(dataset, encoder or small(), AnsweringHead(**head), BatchConfig(batch_size=2), max_length=16)


def told(made):
    """Each window of the training split: its words, and what is asked of them."""
    split = made._tokens["train"]
    rows = [slice(split.offsets[row], split.offsets[row + 1]) for row in range(len(split))]
    return [
        ([small_tokenizer().id_to_token(token) for token in split.ids[row]], split.labels[row].tolist()) for row in rows
    ]


def test_context_and_first_token_may_be_the_answer_and_nothing_else():
    ((words, labels),) = told(task(("the cow", SHORT, ["in the barn"])))
    assert words[:4] == ["[CLS]", "the", "cow", "[SEP]"]
    assert words[4:] == [*SHORT.split(), "[SEP]"]
    assert labels == [0, -1, -1, -1, 0, 0, 0, 1, 0, 2, 0, -1]


def test_an_answer_of_one_token_starts_and_ends_there_and_none_is_the_first_token():
    assert told(task(("cow", SHORT, ["cat"])))[0][1] == [0, -1, -1, 0, 3, 0, 0, 0, 0, 0, -1]
    assert told(task(("cow", SHORT, [])))[0][1] == [3, -1, -1, *[0] * 7, -1]


@pytest.mark.parametrize("answer", ["old dog", "in the barn . the old dog"])
def test_each_window_has_the_answer_if_it_holds_all_of_it(answer):
    rows = told(task(("cow", LONG, [answer]), stride=8))
    parts = 0
    for words, labels in rows:
        pieces = " ".join(words).replace(" ##", "")
        assert labels[1:3] == [-1, -1]
        if answer in pieces:
            start, end = labels.index(1), labels.index(2)
            assert " ".join(words[start : end + 1]).replace(" ##", "") == answer
            assert labels[0] == 0
        else:
            parts += "barn . the" in pieces
            assert labels[0] == 3
            assert set(labels[1:]) <= {0, -1}
    assert any(labels[0] == 0 for _, labels in rows)
    assert parts > 1


def test_the_first_true_answer_that_is_in_the_context_counts():
    encoding = small_tokenizer().encode("cow", SHORT)
    assert answer_place(SHORT, (TrueAnswer("dog", -1), TrueAnswer(" cat ", 3)), encoding) == (1, 1)
    assert answer_place(SHORT, (), encoding) is None
    vanished = SHORT + " \u200b"
    assert answer_place(vanished, (TrueAnswer("\u200b", 29),), small_tokenizer().encode("cow", vanished)) is None


def test_whether_there_may_be_no_answer_is_read_off_the_training_split():
    assert task(("cow", SHORT, ["cat"])).head.null is False
    assert task(("cow", SHORT, ["cat"]), ("hen", SHORT, [])).head.null is True
    assert task(("cow", SHORT, []), null=False).head.null is False


def test_the_loss_is_the_mean_of_both_cross_entropies_over_what_may_be_the_answer():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (2, 5, 2)).astype("float32")
    labels = np.array([[0, -1, 1, 2, -1], [3, -1, 0, -1, -1]])
    wanted = [(0, 0, 2), (0, 1, 3), (1, 0, 0), (1, 1, 0)]  # row, side, place
    losses = []
    for row, side, place in wanted:
        allowed = logits[row, labels[row] >= 0, side]
        losses.append(np.log(np.exp(allowed).sum()) - logits[row, place, side])
    assert float(ends_cross_entropy(labels, logits)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_the_report_s_loss_is_that_of_training_and_training_has_the_same_weights(architecture):
    made = task(("cow", SHORT, ["cat"]), ("hen", LONG, []), encoder=small(architecture))
    model = made.build()
    trained = made.training_model(model)
    assert [each.path for each in trained.weights] == [each.path for each in model.weights]
    assert set(model.output) == {"start_logits", "end_logits"}
    split = made._tokens["validation"]
    losses = []
    for row in range(len(split)):
        place = slice(split.offsets[row], split.offsets[row + 1])
        ids = split.ids[place][None]
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if architecture == "bert":
            inputs["token_type_ids"] = split.types[place][None]
        losses.append(float(made.loss()(split.labels[place][None], trained(inputs))))
    assert made.report(model, "validation")["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_perfect_reader_of_windows_has_perfect_scores(monkeypatch):
    made = task(("cow", SHORT, ["the barn"]), ("hen", LONG, ["old dog"]), ("dog", LONG, []), stride=4)

    def outputs(model, split, config):
        rows = np.split(split.labels, split.offsets[1:-1])
        return [{"start_logits": 9.0 * np.isin(row, [1, 3]), "end_logits": 9.0 * np.isin(row, [2, 3])} for row in rows]

    monkeypatch.setattr(answering, "token_outputs", outputs)
    report = made.report(None, "validation")
    assert (report["exact_match"], report["f1"]) == (1, 1)
    assert (report["answerable"]["examples"], report["unanswerable"]["examples"]) == (2, 1)


def test_a_question_without_room_and_wrong_settings_are_refused():
    with pytest.raises(ValueError, match=r"Shorten the question\. It is example 1 of the train split of farm"):
        task(("the cow " * 8, SHORT, []))
    with pytest.raises(ValueError, match="positions"):
        AnsweringTask(None, small(), AnsweringHead(), BatchConfig(), max_length=33)
    for wrong in ({"stride": -1}, {"max_answer": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="Received: "):
            AnsweringHead(**wrong)


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """Of each sentence: who sleeps, where, and when, which it does not say."""
    folder = tmp_path_factory.mktemp("farm")
    rows = []
    for animal in ANIMALS:
        for place in PLACES:
            context = f"the {animal} sleeps in the {place} ."
            for question, texts in (("who ?", [animal]), ("where ?", [f"the {place}"]), ("when ?", [])):
                answers = {"text": texts, "answer_start": [context.find(text) for text in texts]}
                rows.append({"question": question, "context": context, "answers": answers})
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows * (3 if split == "train" else 1))))
    return folder


@pytest.fixture(scope="module")
def run(farm, tmp_path_factory):
    sizes = {"layers": 1, "hidden": 32, "intermediate": 64, "positions": 32}
    return finetune(
        DataConfig(source=str(farm)),
        EncoderConfig(encoder="tiny", dropout=0.0, **sizes),
        TokenizerConfig(vocab_size=120, max_length=32),
        AnsweringHead(dropout=0.0, max_answer=5),
        BatchConfig(batch_size=8),
        FinetuningConfig(epochs=4, patience=0, learning_rate=5e-3),
        TuningConfig(),
        tmp_path_factory.mktemp("run") / "run",
    )


def test_a_reader_learns_who_where_and_that_it_is_not_said(run):
    scores = run.metrics["validation"]
    assert scores["f1"] > 0.95
    assert scores["unanswerable"]["f1"] > 0.9
    assert run.config["head"] == {"stride": 128, "max_answer": 5, "null": True, "dropout": 0.0}


def test_its_bundle_gives_the_same_answers(run, tmp_path):
    manifest = export_run(run.path, tmp_path / "bundle", variants=("fp32",))
    assert manifest["variants"]["fp32"]["metric"]["value"] == pytest.approx(run.metrics["validation"]["f1"])
    assert evaluate(tmp_path / "bundle", split="validation")["exact_match"] == run.metrics["validation"]["exact_match"]
    served = load(tmp_path / "bundle")
    answer = served(question="where ?", context="the hen sleeps in the house .")
    assert (answer["answer"], answer["start"]) == ("the house", 18)
    assert served(question="when ?", context="the hen sleeps in the house .")["answer"] == ""
