import io

import pytest
from rich.console import Console

from kerasllm.training import history
from kerasllm.training.history import best_epoch, log_row, read_history, score_column, show_row, write_history


def row(epoch, accuracy, loss):
    return {
        "epoch": epoch,
        "train_loss": 0.5,
        "validation_loss": loss,
        "validation_accuracy": accuracy,
        "learning_rate": 1e-3,
        "tokens_per_second": 12_345,
    }


def test_the_best_epoch_has_the_best_score_then_the_lowest_loss_then_comes_first():
    assert best_epoch([row(1, 0.8, 0.5), row(2, 0.9, 0.9), row(3, 0.85, 0.4)]) == 2
    assert best_epoch([row(1, 0.9, 0.5), row(2, 0.9, 0.4), row(3, 0.9, 0.6)]) == 2
    assert best_epoch([row(1, 0.9, 0.5), row(2, 0.9, 0.5)]) == 1


def test_the_score_is_the_validation_column_that_is_no_loss():
    assert score_column(row(1, 0.8, 0.5)) == "validation_accuracy"
    rows = [{"epoch": epoch, "validation_loss": 1.0, "validation_f1": score} for epoch, score in ((1, 0.3), (2, 0.4))]
    assert best_epoch(rows) == 2


def test_rows_come_back_from_the_file_exactly(tmp_path):
    rows = [row(1, 1 / 3, 0.1 + 0.2), row(2, 2 / 3, 1e-17)]
    write_history(tmp_path / "history.csv", rows)
    assert read_history(tmp_path / "history.csv") == rows
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,train_loss,validation_loss,validation_accuracy,learning_rate,tokens_per_second"


def test_rows_stand_below_their_names_in_a_narrow_terminal(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(history, "console", Console(file=shown, width=80))
    show_row(row(1, 0.8123456, 0.5))
    show_row(row(2, 0.9, 0.4))
    lines = shown.getvalue().splitlines()
    assert len(lines) == 3
    assert " ".join(lines[0].split()) == "epoch train loss val. loss val. accuracy learning rate tokens / s"
    assert len({len(line) for line in lines}) == 1
    assert "0.8123" in lines[1]
    assert "12,345" in lines[2]


def test_tensorboard_reads_what_was_logged(tmp_path):
    import tensorflow as tf

    log_row(tmp_path, row(7, 0.25, 0.5))
    (events,) = tmp_path.iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(events)):
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[value.tag] = (7, float(tf.make_ndarray(value.tensor)))
    assert found["validation_accuracy"] == (7, pytest.approx(0.25))
    assert set(found) == set(row(7, 0, 0))
