"""Triton's own client, asking the server."""

from collections.abc import Iterator

import pytest

triton = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")


@pytest.fixture
def client(server) -> Iterator[triton.InferenceServerClient]:
    found = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield found
    found.close()
