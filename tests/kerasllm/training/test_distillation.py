import json

import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.export import export_run
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.models.encoder import EncoderConfig
from kerasllm.serving import load
from kerasllm.tasks.distillation import DistillationConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training import trainer as fitting
from kerasllm.training.distillation import distill, read_texts
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.teacher import Teacher

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STUDENT = ClassifierConfig(encoder="mlp", embedding_dim=4, units=6)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Sixty films, where "good" and "bad" decide, but every fourth label says the opposite; and a validation split."""
    folder = tmp_path_factory.mktemp("films")
    for split, count in (("train", 60), ("validation", 12)):
        rows = [(number % 2, number % 4 == 3 and split == "train") for number in range(count)]
        texts = [f"{('bad', 'good')[kind]} film {number % 7}" for number, (kind, _) in enumerate(rows)]
        lines = [f"{('no', 'yes')[kind ^ wrong]}\t{text}\n" for text, (kind, wrong) in zip(texts, rows, strict=True)]
        (folder / f"{split}.txt").write_text("".join(lines))
    return DataConfig(source=str(folder))


@pytest.fixture(scope="module")
def teacher(films, tmp_path_factory):
    """A run whose answers are set by hand: "good" is yes, whatever the labels say; its labels are in another order."""
    from kerasllm.training.classifier_training import train

    run = train(
        films,
        TokenizerConfig(max_length=8),
        ClassifierConfig(encoder="mlp", embedding_dim=8, units=6),
        BatchConfig(),
        TrainingConfig(epochs=1),
        tmp_path_factory.mktemp("teacher") / "run",
    )
    config = run.config
    config["labels"] = ["yes", "no"]
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Teacher,
            "logits",
            lambda self, split: np.array([[3, -3] if "good" in text else [-3, 3] for text in split.texts], np.float32),
        )
        yield run.path


def learn(teacher, films, out, student=STUDENT, *, epochs=3, distillation=None, max_length=8, **options):
    return distill(
        teacher,
        films,
        student,
        TokenizerConfig(max_length=max_length),
        BatchConfig(batch_size=8),
        TrainingConfig(epochs=epochs, learning_rate=0.05, patience=0),
        distillation or DistillationConfig(),
        out,
        **options,
    )


def test_a_student_believes_its_teacher_more_than_the_labels(teacher, films, tmp_path):
    run = learn(teacher, films, tmp_path / "run", distillation=DistillationConfig(teacher_vectors=True))
    assert run.metrics["validation"]["accuracy"] == 1
    assert run.labels == ("no", "yes")
    assert run.config["teacher"]["path"] == str(teacher)
    assert run.config["distillation"]["temperature"] == 2.0
    texts = ["good film 1", "bad film 1", "film good"]
    assert run.probabilities(texts).argmax(axis=1).tolist() == [1, 0, 1]
    export_run(run.path, tmp_path / "bundle", variants=("fp32",))
    served = load(tmp_path / "bundle")
    assert [answer["label"] for answer in served(texts)] == ["yes", "no", "yes"]


def test_stopped_it_goes_on_to_the_same_end(teacher, films, tmp_path, monkeypatch):
    whole = learn(teacher, films, tmp_path / "whole", epochs=2)
    real = fitting.Trainer.epoch

    def stop(self, number, examples):
        if number == 1:
            raise KeyboardInterrupt
        return real(self, number, examples)

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Trainer, "epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            learn(teacher, films, tmp_path / "run", epochs=2)
    resumed = learn(teacher, films, tmp_path / "run", epochs=2, resume=True)
    for one, other in zip(resumed.load_model().get_weights(), whole.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"distillation\.soft = 0\.1"):
        learn(teacher, films, tmp_path / "run", epochs=2, distillation=DistillationConfig(soft=0.1), resume=True)


def test_the_teacher_labels_more_texts(teacher, films, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("good thing\nbad thing\ngood film 1\n\nbad thing\n")  # known, empty and repeated ones are left out
    settings = DistillationConfig(unlabelled=(more,), tokenizer="own")
    run = learn(teacher, films, tmp_path / "run", epochs=1, distillation=settings)
    assert run.config["examples"]["train"] == 62
    assert "thing" in run.load_tokenizer().get_vocab()


def test_an_encoder_as_the_student(teacher, films, tmp_path):
    student = EncoderConfig(encoder="tiny", layers=1, heads=1, hidden=8, intermediate=8, positions=8)
    run = learn(teacher, films, tmp_path / "run", student, epochs=1)
    assert run.config["encoder"]["hidden"] == 8
    assert run.load_tokenizer().get_vocab().keys() >= {"good", "bad"}
    run.load_model()
    with pytest.raises(ValueError, match="8 positions"):
        learn(teacher, films, tmp_path / "long", student, max_length=9)


def test_a_teacher_of_other_labels(teacher, tmp_path):
    (tmp_path / "colours.txt").write_text("red\ta rose\nblue\ta sky\n" * 9)
    with pytest.raises(ValueError, match=r"labels of the data, blue, red\. Received: .* with yes, no"):
        learn(teacher, DataConfig(source=str(tmp_path / "colours.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_texts_are_read_from_lines_and_columns(tmp_path):
    (tmp_path / "lines.txt").write_text("one\n\n two \r\none\n")
    (tmp_path / "table.csv").write_text("id,sentence\n1,three\n2,four\n")
    (tmp_path / "other.csv").write_text("id,name\n1,three\n")
    assert read_texts(tmp_path / "lines.txt") == ["one", "two"]
    assert read_texts(tmp_path / "table.csv") == ["three", "four"]
    with pytest.raises(ValueError, match=r"column of texts.*id, name"):
        read_texts(tmp_path / "other.csv")
    with pytest.raises(FileNotFoundError, match=r"missing\.txt"):
        read_texts(tmp_path / "missing.txt")
