import pytest

from kerasllm.atomic import new_folder, replace_file


def test_a_replaced_file_is_the_new_one(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replace_file(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="full"), replace_file(target) as path:
        path.write_text("ne")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_whole_or_absent(tmp_path):
    target = tmp_path / "deep" / "bundle"
    with pytest.raises(RuntimeError), new_folder(target) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []
    with new_folder(target) as folder:
        (folder / "whole").write_text("x")
        assert not target.exists()
    assert [item.name for item in target.iterdir()] == ["whole"]
    assert target.stat().st_mode & 0o777 != 0o700


def test_an_existing_folder_is_kept_unless_asked(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").write_text("x")
    with pytest.raises(FileExistsError, match="Received"), new_folder(target):
        pass
    with pytest.raises(RuntimeError), new_folder(target, overwrite=True):
        raise RuntimeError
    assert (target / "old").exists()
    with new_folder(target, overwrite=True) as folder:
        (folder / "new").write_text("x")
    assert [item.name for item in target.iterdir()] == ["new"]
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]
