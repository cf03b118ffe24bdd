import base64

import numpy as np
import openai
import pytest

from kerasllm.serving import load


def test_vectors_are_those_of_in_process(client, bundles):
    texts = ["ada met alan", "paris", "who"]
    answer = client.embeddings.create(model="vectors", input=texts)  # the client asks for base64
    found = np.array([each.embedding for each in answer.data], np.float32)
    np.testing.assert_array_equal(found, load(bundles["vectors"], threads=1)(texts))
    assert [each.index for each in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens == 5 + 3 + 3


def test_numbers_and_base64_are_the_same(server):
    body = {"model": "vectors", "input": "ada met"}
    numbers = server.ask("/v1/embeddings", body)[1]["data"][0]["embedding"]
    coded = server.ask("/v1/embeddings", {**body, "encoding_format": "base64"})[1]["data"][0]["embedding"]
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), np.float32(numbers))


def test_dimensions_cut_and_normalise(client):
    answer = client.embeddings.create(model="vectors", input="ada", dimensions=1, encoding_format="float")
    assert answer.data[0].embedding == [1.0]
    with pytest.raises(openai.BadRequestError, match="dimensions must be at most 2"):
        client.embeddings.create(model="vectors", input="ada", dimensions=3)


def test_token_ids(client, bundles):
    served = load(bundles["vectors"], threads=1)
    ids = served.rows(["ada met"])[0].ids
    answer = client.embeddings.create(model="vectors", input=[int(token) for token in ids], encoding_format="float")
    np.testing.assert_allclose(answer.data[0].embedding, served("ada met"))
    with pytest.raises(openai.BadRequestError, match="Token ids must be below 13"):
        client.embeddings.create(model="vectors", input=[99])
