import numpy as np
import pytest

from kerasllm.training.checkpoints import Checkpoint, assign, latest_checkpoint, save_checkpoint, values_of


def checkpoint(epoch):
    arrays = [
        np.arange(12, dtype="float32").reshape(3, 4) + epoch,
        np.array(epoch, "int64"),
        np.empty((0, 2), "uint32"),
    ]
    return Checkpoint(epoch=epoch, progress={"history": [{"loss": 0.5 + epoch}]}, arrays=arrays)


def same(left, right):
    assert (left.epoch, left.progress) == (right.epoch, right.progress)
    for one, other in zip(left.arrays, right.arrays, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_what_was_saved_comes_back_and_the_newest_two_are_kept(tmp_path):
    folder = tmp_path / "checkpoints"
    assert latest_checkpoint(folder) is None
    for epoch in (1, 2, 10):
        save_checkpoint(folder, checkpoint(epoch))
        same(latest_checkpoint(folder), checkpoint(epoch))
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0002.npz", "epoch-0010.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_passed_over(damage, tmp_path):
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, checkpoint(2))
    newest = tmp_path / "epoch-0002.npz"
    content = bytearray(newest.read_bytes())
    place = content.index(np.float32(5).tobytes() + np.float32(6).tobytes())
    content[place] ^= 1
    newest.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
    same(latest_checkpoint(tmp_path), checkpoint(1))


def test_a_failed_write_leaves_the_old_state(tmp_path, monkeypatch):
    def full(path, **arrays):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    save_checkpoint(tmp_path, checkpoint(1))
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, checkpoint(2))
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0001.npz"]


def test_variables_take_their_values_back_but_no_others():
    import keras

    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32")]
    saved = values_of(variables)
    variables[0].assign([0.0, 0.0])
    assign(variables, saved)
    np.testing.assert_array_equal(variables[0].numpy(), [1, 2])
    with pytest.raises(ValueError, match="must fit the model"):
        assign(variables, saved[::-1])
