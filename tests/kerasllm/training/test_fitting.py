import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasllm.run import open_run
from kerasllm.training import fitting as training_module
from kerasllm.training.checkpoints import latest_checkpoint
from kerasllm.training.classifier_training import train
from kerasllm.training.errors import TrainingError
from kerasllm.training.history import best_epoch, read_history
from kerasllm.training.settings import TrainingConfig

from .training_job import run_job, settings

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOB = Path(__file__).with_name("training_job.py")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eighty films, where "good" and "bad" decide, with a validation and a test split."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(0)
    for split, count in (("train", 80), ("validation", 20), ("test", 20)):
        with (folder / f"{split}.jsonl").open("w") as file:
            for number in range(count):
                label = ("bad", "good")[number % 2]
                words = [f"word{word}" for word in random.integers(0, 9, random.integers(1, 6))]
                words.insert(random.integers(0, len(words)), label)
                file.write(json.dumps({"text": " ".join(words), "label": label}) + "\n")
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing interrupted."""
    return run_job(data, tmp_path_factory.mktemp("whole") / "run")


def history(run):
    """Everything but the speed."""
    return [
        {name: value for name, value in row.items() if "second" not in name}
        for row in read_history(run.path / "history.csv")
    ]


def assert_same(run, other):
    assert history(run) == history(other)
    assert run.metrics == other.metrics
    for one, two in zip(run.load_model().get_weights(), other.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    left, right = latest_checkpoint(run.path / "checkpoints"), latest_checkpoint(other.path / "checkpoints")
    for one, two in zip(left.arrays, right.arrays, strict=True):
        np.testing.assert_array_equal(one, two)


def job(*words, **options):
    command = [sys.executable, str(JOB), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_a_run_learns_and_holds_everything_that_it_promises(whole):
    assert sorted(path.name for path in whole.path.iterdir()) == [
        "checkpoints",
        "config.json",
        "curves.png",
        "history.csv",
        "metrics.json",
        "model.keras",
        "tensorboard",
        "tokenizer.json",
    ]
    rows = read_history(whole.path / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert whole.metrics["best_epoch"] == best_epoch(rows)
    assert whole.metrics["validation"]["accuracy"] == rows[best_epoch(rows) - 1]["validation_accuracy"]
    assert whole.metrics["test"]["accuracy"] > 0.9
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert rows[-1]["learning_rate"] == pytest.approx(0, abs=1e-7)
    assert whole.config["fingerprint"]
    assert whole.config["producer"]["keras"]
    assert whole.labels == ("bad", "good")


def test_killed_in_epoch_two_it_goes_on_to_the_same_end(data, tmp_path):
    died = job(data, tmp_path / "run", "--encoder", "gru", "--die-in", 2)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").epoch == 1
    open_run(tmp_path / "run").load_model()  # what there was can be used
    (tmp_path / "run" / "checkpoints" / ".epoch-0002.npz.x.npz").write_bytes(b"half")
    resumed = run_job(data, tmp_path / "run", "gru", resume=True)
    assert not list(resumed.path.rglob(".*"))
    assert_same(resumed, run_job(data, tmp_path / "whole", "gru"))


def test_stopped_between_any_two_files_it_goes_on_to_the_same_end(whole, data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    for step, epoch in (("save_checkpoint", 1), ("save_curves", 1), ("write_history", 3), ("_finish", 3)):
        real = getattr(training_module, step)

        def stop(*arguments, real=real, epoch=epoch):
            if (
                latest_checkpoint(folder / "checkpoints") is None
                or latest_checkpoint(folder / "checkpoints").epoch == epoch
            ):
                raise KeyboardInterrupt
            real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(training_module, step, stop)
            with pytest.raises(KeyboardInterrupt):
                run_job(data, folder, resume=True)
        assert not (folder / "metrics.json").exists()
    assert_same(run_job(data, folder, resume=True), whole)


def test_resuming_a_finished_run_changes_nothing(whole, data):
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")}
    run_job(data, whole.path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")} == before


def test_resuming_with_nothing_there_starts(data, tmp_path):
    changed = settings(data)
    changed["training"] = TrainingConfig(epochs=1)
    assert train(**changed, out=tmp_path / "run", resume=True).finished


def test_other_settings_and_other_data_are_not_gone_on_with(whole, data, tmp_path):
    changed = settings(data)
    changed["training"] = dataclasses.replace(changed["training"], learning_rate=0.5)
    with pytest.raises(ValueError, match=r"training\.learning_rate = 0\.5, where .* has 0\.02"):
        train(**changed, out=whole.path, resume=True)
    config = whole.path / "config.json"
    content = config.read_text()
    config.write_text(content.replace(whole.config["fingerprint"], "0" * 64))
    with pytest.raises(ValueError, match="data changed"):
        run_job(data, whole.path, resume=True)
    config.write_text(content)


def test_a_folder_in_use_is_refused_unless_it_may_be_replaced(data, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="--resume"):
        run_job(data, tmp_path)
    assert (tmp_path / "mine.txt").exists()


def test_a_loss_that_is_no_number_stops_with_the_last_good_state(data, tmp_path, monkeypatch):
    from kerasllm.training import trainer as fitting

    real = fitting.Trainer.epoch

    def poisoned(self, number, examples):
        if number == 1:
            weights = self._model.get_weights()
            self._model.set_weights([np.full_like(weight, np.nan) for weight in weights])
        return real(self, number, examples)

    monkeypatch.setattr(fitting.Trainer, "epoch", poisoned)
    with pytest.raises(TrainingError, match=r"nan in epoch 2, step 1.*learning rate"):
        run_job(data, tmp_path / "run")
    assert np.isfinite(open_run(tmp_path / "run").probabilities(["good film"])).all()
    assert latest_checkpoint(tmp_path / "run" / "checkpoints").epoch == 1


def test_it_stops_when_no_better_epoch_comes_and_keeps_the_best(data, tmp_path):
    changed = settings(data)
    changed["training"] = TrainingConfig(epochs=50, patience=2, learning_rate=0.05)
    run = train(**changed, out=tmp_path / "run")
    rows = read_history(run.path / "history.csv")
    assert len(rows) < 50
    assert len(rows) == best_epoch(rows) + 2
    assert run.metrics["validation"]["loss"] == pytest.approx(rows[best_epoch(rows) - 1]["validation_loss"], rel=1e-5)


def test_many_labels_class_weights_and_vectors(tmp_path):
    """One small run through the other branches."""
    (tmp_path / "vectors.txt").write_text("good 1 0 0 0\nbad -1 0 0 0\n")
    table = tmp_path / "films.csv"
    rows = [("good long", "good|long"), ("bad", "bad"), ("good", "good"), ("bad long", "bad|long")] * 8
    table.write_text(
        "text,label\n" + "".join(f"{text} film {index},{label}\n" for index, (text, label) in enumerate(rows))
    )
    changed = settings(table)
    changed["data"] = dataclasses.replace(changed["data"], label_separator="|")
    changed["model"] = dataclasses.replace(
        changed["model"], encoder="mlp", embedding_dim=4, vectors=tmp_path / "vectors.txt"
    )
    run = train(**changed, out=tmp_path / "run")
    assert run.multi_label
    assert "validation_f1" in read_history(run.path / "history.csv")[0]
    changed["training"] = dataclasses.replace(changed["training"], balance_classes=True)
    with pytest.raises(ValueError, match="multi-label"):
        train(**changed, out=tmp_path / "weighted")
    assert not (tmp_path / "weighted").exists()


def test_two_devices_train_as_one(data, tmp_path):
    done = job(data, tmp_path / "run", "--devices", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "MirroredStrategy"
    run = open_run(tmp_path / "run")
    assert run.metrics["test"]["accuracy"] > 0.9
    assert run.probabilities(["good film"]).argmax() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"patience": -1},
        {"learning_rate": 0.0},
        {"clip_norm": -1.0},
        {"average": 1.0},
        {"drops": (0.5, 0.2)},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        TrainingConfig(**wrong)
