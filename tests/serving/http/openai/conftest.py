"""The real client, unchanged."""

import openai
import pytest

from kerasllm.serving import load


@pytest.fixture(scope="session")
def client(server):
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as found:
        yield found


@pytest.fixture(scope="session")
def writer(bundles):
    """The decoder in process."""
    return load(bundles["writer"], threads=1)
