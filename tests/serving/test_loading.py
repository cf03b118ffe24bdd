"""Loading: what is looked for in a graph's file before it is opened."""

import pytest

from kerasllm.serving import loading


@pytest.mark.parametrize(("content", "there"), [(b"", False), (b"..needle..", True), (b"......needl", False)])
@pytest.mark.parametrize("piece", range(1, 12))
def test_bytes_are_found_wherever_the_pieces_of_a_file_end(monkeypatch, tmp_path, content, there, piece):
    monkeypatch.setattr(loading, "_PIECE", piece)
    (tmp_path / "file").write_bytes(content)
    assert loading._contains(tmp_path / "file", b"needle") == there
