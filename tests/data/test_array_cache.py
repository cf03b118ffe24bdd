"""Arrays on disk: made once, whole or made anew, and what is written in chunks is what one array holds."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.array_cache import array_cache, write_chunks

from .damage import DAMAGES, damage

CHUNKS = st.lists(st.lists(st.integers(0, 2**16 - 1), max_size=5), max_size=6)


@pytest.fixture
def made():
    """The folders that `write` was given."""
    return []


@pytest.fixture
def write(made):
    def write(folder):
        made.append(folder)
        np.save(folder / "train.ids.npy", np.arange(9))
        np.save(folder / "train.marks.npy", np.ones(3, np.uint8))

    return write


def test_an_entry_is_made_once_and_only_read(tmp_path, made, write):
    for _ in range(2):
        found = array_cache((1, "a"), write, tmp_path)
        assert set(found) == {"train.ids", "train.marks"}
        assert isinstance(found["train.ids"], np.memmap)
        assert found["train.ids"].tolist() == list(range(9))
        with pytest.raises(ValueError, match="read-only"):
            found["train.ids"][0] = 1
    assert len(made) == 1
    array_cache((1, "b"), write, tmp_path)
    assert len(made) == len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_entry_is_made_anew(tmp_path, made, write, how):
    array_cache((1,), write, tmp_path)
    (entry,) = tmp_path.iterdir()
    damage(entry, how)
    assert array_cache((1,), write, tmp_path)["train.ids"].tolist() == list(range(9))
    assert len(made) == 2


def test_a_failure_leaves_nothing_behind(tmp_path, write):
    def fail(folder):
        write(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        array_cache((1,), fail, tmp_path)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=50)
@given(CHUNKS, CHUNKS)
def test_chunks_make_the_arrays_that_one_write_makes(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("chunks")
    chunks = [{"a": np.array(values, np.int64)} for values in first]
    chunks += [{"a": np.array(values, np.int64), "b": np.array(values, np.int64)} for values in second]
    write_chunks(folder, {"a": np.uint16, "b": np.int64}, chunks, prefix="train.")
    expected = {"a": list(chain(*first, *second)), "b": list(chain(*second))}
    for name, dtype in (("a", np.uint16), ("b", np.int64)):
        found = np.load(folder / f"train.{name}.npy")
        assert (found.dtype, found.tolist()) == (dtype, expected[name])


def test_a_header_has_room_for_a_length_of_any_size(tmp_path):
    chunk = np.zeros(1_000_001, np.uint8)
    write_chunks(tmp_path, {"a": np.uint8}, [{"a": chunk}] * 12)
    assert np.load(tmp_path / "a.npy", mmap_mode="r").shape == (12_000_012,)
