import json

import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.evaluation.report import evaluate
from kerasllm.metrics.classification import classification_metrics
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.classifier_training import train
from kerasllm.training.settings import TrainingConfig

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A quick run on the built-in reviews."""
    return train(
        DataConfig(source="builtin:reviews", limit=120),
        TokenizerConfig(max_length=12),
        ClassifierConfig(encoder="lstm", embedding_dim=8, units=8, pooling="max"),
        BatchConfig(),
        TrainingConfig(epochs=1),
        tmp_path_factory.mktemp("runs") / "reviews",
    )


def test_a_run_scores_as_it_did_when_it_was_trained(run):
    report = evaluate(run.path)
    assert (report["kind"], report["split"], report["examples"]) == ("run", "test", 120)
    scores = {name: report[name] for name in run.metrics["test"]}
    assert json.dumps(scores) == json.dumps(run.metrics["test"])
    assert evaluate(run.path, split="validation")["accuracy"] == run.metrics["validation"]["accuracy"]


def test_other_data_are_scored_by_the_names_of_their_labels(run, tmp_path):
    rows = [("what a great film", "positive"), ("what a dull film", "positive"), ("bad", "negative")]
    (tmp_path / "more.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    report = evaluate(run.path, data=DataConfig(source=str(tmp_path / "more.csv")))
    probabilities = run.probabilities([text for text, _ in rows])
    labels = np.array([run.labels.index(label) for _, label in rows])
    assert report["confusion"] == classification_metrics(labels, probabilities, run.labels)["confusion"]
    (tmp_path / "odd.csv").write_text("text,label\na film,mixed\n")
    with pytest.raises(ValueError, match="mixed"):
        evaluate(run.path, data=DataConfig(source=str(tmp_path / "odd.csv")))


def test_pictures_are_written_where_they_are_asked_for_and_nowhere_else(run, tmp_path):
    before = sorted(run.path.rglob("*"))
    report = evaluate(run.path, out=tmp_path / "report")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "confusion.png",
        "metrics.json",
        "reliability.png",
    ]
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == report
    assert sorted(run.path.rglob("*")) == before


def test_a_bundle_of_the_run_scores_the_same(run, tmp_path):
    from kerasllm.export.sources import export_run

    export_run(run.path, tmp_path / "bundle", variants=["fp32", "int8"], max_drop=1.0)
    keras = run.metrics["test"]
    for variant, tolerance in (("fp32", 1e-5), ("int8", 0.02)):
        bundle = evaluate(tmp_path / "bundle", variant=variant)
        assert (bundle["kind"], bundle["split"], bundle["examples"]) == ("bundle", "test", keras["examples"])
        assert bundle["loss"] == pytest.approx(keras["loss"], abs=tolerance)
        assert variant == "int8" or bundle["confusion"] == keras["confusion"]


def test_requests_that_make_no_sense_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match=r"train, validation, test .* Received: dev"):
        evaluate(run.path, split="dev")
    with pytest.raises(ValueError, match="Only a bundle"):
        evaluate(run.path, variant="int8")
    with pytest.raises(FileNotFoundError, match="a RUN or a BUNDLE folder"):
        evaluate(tmp_path)
