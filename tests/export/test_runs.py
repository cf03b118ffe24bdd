"""A RUN of each task: its bundle's metric is the run's own, whether Keras computes or onnxruntime."""

import json
from pathlib import Path

import pytest

from kerasllm.data.running_text import RunningTextConfig
from kerasllm.data.sources import DataConfig
from kerasllm.evaluation.report import evaluate
from kerasllm.export import export_source, verification
from kerasllm.run import to_settings
from kerasllm.serving import load

from .encoders import LABELS_OF, LENGTH, TASKS, bert_tokenizer, task_model

# Keras 3.15 reads variables in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
CONTEXT = "ada met alan in london . the film was very good . where was it ? in new york ."
ROWS = {
    "text-classification": [
        {"text": text, "text_pair": "who wrote it ?", "label": label}
        for text, label in (("the film was good", "positive"), ("bad", "negative"), ("not very bad", "positive"))
    ],
    "token-classification": [
        {"tokens": ["ada", "met", "alan", "in", "london"], "tags": ["B-PER", "O", "B-PER", "O", "B-LOC"]},
        {"tokens": ["where", "was", "new", "york", "?"], "tags": ["O", "O", "B-LOC", "I-LOC", "O"]},
    ],
    "question-answering": [
        {"question": "who met alan ?", "context": CONTEXT, "answers": {"text": ["ada"], "answer_start": [0]}},
        {"question": "where ?", "context": CONTEXT, "answers": {"text": ["london"], "answer_start": [16]}},
    ],
    "feature-extraction": [
        {"sentence1": "the film was good", "sentence2": "the film was very good", "score": 4.5},
        {"sentence1": "ada met alan", "sentence2": "where was the film ?", "score": 0.2},
        {"sentence1": "who wrote it ?", "sentence2": "who was it ?", "score": 3.0},
    ],
}
HEADS = {"question-answering": {"stride": 4, "max_answer": 5, "null": None}, "fill-mask": {"share": 0.2}}
SCORES = {
    "text-classification": "accuracy",
    "token-classification": "f1",
    "question-answering": "f1",
    "feature-extraction": "spearman",
    "fill-mask": "masked_accuracy",
}


def write_run(folder: Path, task: str) -> Path:
    """A RUN folder as training leaves it, of a model that learned nothing."""
    data = folder / "data"
    data.mkdir(parents=True)
    if task == "fill-mask":
        files = [data / name for name in ("train.txt", "validation.txt")]
        for file in files:
            file.write_text("\n\n".join([CONTEXT] * 20))
        settings = to_settings(RunningTextConfig(texts=(files[0],), validation=files[1])) | {"texts": [str(files[0])]}
    else:
        for split in ("train", "validation", "test"):
            (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[task]))
        pair = "text_pair" if task == "text-classification" else None
        settings = to_settings(DataConfig(source=str(data), pair_column=pair))
    config = {
        "format": 1,
        "task": task,
        "labels": LABELS_OF.get(task, []),
        "multi_label": False,
        "data": settings,
        "tokenizer": {"max_length": LENGTH},
        "encoder": {"encoder": "tiny"},
        "head": HEADS.get(task, {}),
    }
    run = folder / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps(config))
    bert_tokenizer().save(str(run / "tokenizer.json"))
    task_model(task).save(run / "model.keras")
    return run


@pytest.mark.parametrize("task", TASKS)
def test_run_and_bundle_score_the_same(task, tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "_SECONDS", 0.02)
    run, bundle = write_run(tmp_path, task), tmp_path / "bundle"
    manifest = export_source(run, bundle, variants=["fp32", "int8", "static"], max_drop=1.0)
    assert manifest["task"] == task
    expected = evaluate(run, split="validation")
    assert (expected["kind"], expected["task"], expected["split"]) == ("run", task, "validation")
    actual = evaluate(bundle, split="validation", variant="fp32")
    assert actual.keys() == expected.keys()
    assert actual[SCORES[task]] == pytest.approx(expected[SCORES[task]], abs=1e-6)
    for variant in ("fp32", "int8", "static"):
        metric = manifest["variants"][variant]["metric"]
        assert metric["value"] == evaluate(bundle, split="validation", variant=variant)[SCORES[task]]
        assert metric["examples"] > 0
    assert manifest["variants"]["static"]["parity"]["max_abs_difference"] > 0


def test_settings_of_the_run_reach_the_runtime(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "_SECONDS", 0.02)
    run = write_run(tmp_path, "question-answering")
    export_source(run, tmp_path / "bundle", variants=["fp32"])
    served = load(tmp_path / "bundle")
    assert (served.stride, served.max_answer, served.null) == (4, 5, False)


def test_a_run_says_its_task_itself(tmp_path):
    run = write_run(tmp_path, "token-classification")
    with pytest.raises(ValueError, match=r"for feature-extraction.*Received: 'question-answering'"):
        export_source(run, tmp_path / "bundle", task="question-answering")
    with pytest.raises(ValueError, match=r"The source says this itself\. Received: --max-length"):
        export_source(run, tmp_path / "bundle", max_length=12)
