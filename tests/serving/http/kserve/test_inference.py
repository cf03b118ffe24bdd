"""The tritonclient sends texts and raw tensors, as JSON and as bytes; the answers are those in process."""

import json
import struct

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from kerasllm.serving import load


def tensor(name, values, datatype, binary=True):
    found = triton.InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=binary)
    return found


def texts(name, *values, binary=True):
    return tensor(name, np.array([value.encode() for value in values], object), "BYTES", binary)


@pytest.mark.parametrize("binary", [False, True])
def test_texts_are_classified(client, bundles, binary):
    served = load(bundles["moods"], threads=1)
    given = ["very bad film", "good"]
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("labels", "scores")]
    answer = client.infer("moods", [texts("text", *given, binary=binary)], outputs=outputs, request_id="7")
    expected = served(given, top_k=None)
    assert answer.get_response()["id"] == "7"
    assert answer.get_response()["model_version"] == "1"
    labels = answer.as_numpy("labels").tolist()
    assert [[each.decode() if binary else each for each in row] for row in labels] == [
        [each["label"] for each in row] for row in expected
    ]
    np.testing.assert_allclose(answer.as_numpy("scores"), [[each["score"] for each in row] for row in expected])


def test_top_k_is_a_parameter(client):
    answer = client.infer("moods", [texts("text", "good")], parameters={"top_k": 1})
    assert answer.as_numpy("labels").shape == answer.as_numpy("scores").shape == (1, 1)


def test_pairs_questions_entities_vectors_and_fills(client, bundles):
    pair = client.infer("pairs", [texts("text", "ada met"), texts("text_pair", "who")])
    expected = load(bundles["pairs"], threads=1)(("ada met", "who"), top_k=None)
    assert pair.as_numpy("labels")[0, 0].decode() == expected[0]["label"]
    question = {"question": "who ?", "context": "ada met alan"}
    found = client.infer("reader", [texts("question", question["question"]), texts("context", question["context"])])
    expected = load(bundles["reader"], threads=1)(question)
    assert found.as_numpy("answer")[0].decode() == expected["answer"]
    assert found.as_numpy("start")[0] == expected["start"]
    tagged = client.infer("tagger", [texts("text", "ada met alan")])
    expected = load(bundles["tagger"], threads=1)("ada met alan")
    assert json.loads(tagged.as_numpy("entities")[0]) == expected
    vectors = client.infer("vectors", [texts("text", "ada met", "alan")]).as_numpy("embedding")
    np.testing.assert_array_equal(vectors, load(bundles["vectors"], threads=1)(["ada met", "alan"]))
    fills = client.infer("words", [texts("text", "ada [MASK] alan")], parameters={"top_k": 2}).as_numpy("fills")
    assert json.loads(fills[0]) == load(bundles["words"], threads=1)("ada [MASK] alan", top_k=2)


def test_texts_are_written(client, bundles):
    writer = load(bundles["writer"], threads=1)
    answer = client.infer("writer", [texts("text", "hello", "a")], parameters={"temperature": 0, "max_tokens": 8})
    expected = writer.generate(["hello", "a"], max_new_tokens=8)
    assert [text.decode() for text in answer.as_numpy("text_output")] == [each.text for each in expected]


@pytest.mark.parametrize("binary", [False, True])
def test_a_graph_is_asked_with_its_own_inputs(client, bundles, binary):
    served = load(bundles["tagger"], threads=1)
    ids = np.array([[2, 3, 4], [5, 6, 0]])
    mask = np.array([[1, 1, 1], [1, 1, 0]])
    inputs = [tensor("input_ids", ids, "INT64", binary), tensor("attention_mask", mask, "INT64", binary)]
    (name,) = served.graph.outputs
    got = client.infer("tagger", inputs, outputs=[triton.InferRequestedOutput(name, binary_data=binary)])
    feeds = {
        node.name: {"input_ids": ids, "attention_mask": mask}[node.name] for node in served.graph.session.get_inputs()
    }
    (expected,) = served.graph.session.run([name], feeds)
    np.testing.assert_allclose(got.as_numpy(name), np.where(mask[..., None], expected, 0), atol=1e-6)


def test_a_decoders_graph_gives_logits(client, bundles):
    writer = load(bundles["writer"], threads=1)
    ids = np.array([[5, 6, 7]])
    got = client.infer("writer", [tensor("input_ids", ids, "INT64")]).as_numpy("logits")
    np.testing.assert_allclose(got[0], writer.logits(ids[0]), atol=1e-6)


def test_calls_may_be_asynchronous(client):
    asked = [client.async_infer("moods", [texts("text", word)]) for word in ("good", "bad", "good")]
    labels = [each.get_result().as_numpy("labels")[0, 0] for each in asked]
    assert labels == [b"positive", b"negative", b"positive"]


IDS = np.array([[2, 3]])
WRONG = {
    "an unknown input": ([texts("txt", "good")], "has the inputs .*, text. Received: 'txt'"),
    "another datatype": ([tensor("input_ids", IDS.astype(np.int32), "INT32")], "must be INT64. Received: 'INT32'"),
    "both kinds": ([texts("text", "good"), tensor("input_ids", IDS, "INT64")], "must not come together"),
    "too large an id": ([tensor("input_ids", IDS + 10**6, "INT64")], "must be those of the model's tokenizer"),
    "a negative id": ([tensor("input_ids", IDS - 10, "INT64")], "must be those of the model's tokenizer"),
    "an axis too few": ([tensor("input_ids", IDS[0], "INT64")], "must be \\[rows, length\\]"),
    "a row too long": ([tensor("input_ids", np.full((1, 4000), 2), "INT64")], "reads up to .* tokens"),
    "no text": ([tensor("text", np.array([b"\xff\xfe"], object), "BYTES")], "must be UTF-8"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_inputs_are_refused(client, what):
    inputs, message = WRONG[what]
    with pytest.raises(InferenceServerException, match=message):
        client.infer("moods", inputs)


@pytest.mark.parametrize("mask", [[[0, 0]], [[0, 1]], [[1, 2]]])
def test_a_mask_that_padding_does_not_make_is_refused(client, mask):
    inputs = [tensor("input_ids", IDS, "INT64"), tensor("attention_mask", np.array(mask), "INT64")]
    with pytest.raises(InferenceServerException, match="A mask must be 1 for tokens"):
        client.infer("tagger", inputs)


def test_an_output_that_there_is_not_is_refused(client):
    with pytest.raises(InferenceServerException, match="outputs for texts are labels, scores"):
        client.infer("moods", [texts("text", "good")], outputs=[triton.InferRequestedOutput("logits")])


def _binary(header, body, length=None):
    head = json.dumps(header).encode()
    return head + body, {"Inference-Header-Content-Length": str(len(head) if length is None else length)}


@pytest.mark.parametrize(
    ("size", "body", "length", "message"),
    [
        (9, struct.pack("<I", 4) + b"good", None, "follow the JSON"),
        (8, struct.pack("<I", 4) + b"good!", None, "Received: 1 more"),
        (8, struct.pack("<I", 2**31) + b"good", None, "There are 4"),
        (3, b"\x01\0\0", None, "in the middle of a string's length"),
        (8, struct.pack("<I", 4) + b"good", 10**6, "must be at most the body's"),
        (8, struct.pack("<I", 4) + b"good", -1, "must be at most the body's"),
    ],
)
def test_bytes_that_are_not_the_tensors_are_refused(server, size, body, length, message):
    given = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    whole, headers = _binary({"inputs": [given]}, body, length)
    status, answer = server.ask("/v2/models/moods/infer", whole, headers=headers)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    "given",
    [
        {"shape": [2], "data": ["good"]},
        {"shape": [2**31], "data": ["good"]},
        {"shape": [2**30, 2**30], "data": []},
        {"shape": [-1], "data": ["good"]},
        {"shape": [1], "data": [3]},
        {"shape": [1, 1], "data": ["good", ["bad"]]},
        {"shape": [1], "data": ["good"], "parameters": {"binary_data_size": 3}},
        {"shape": [1], "parameters": {"shared_memory_region": "mine"}},
    ],
)
def test_json_that_is_not_the_tensor_is_refused(server, given):
    entry = {"name": "text", "datatype": "BYTES", **given}
    status, answer = server.ask("/v2/models/moods/infer", {"inputs": [entry]})
    assert status == 400
    assert isinstance(answer["error"], str)


def test_nested_data_are_read_as_flat_ones(server):
    rows = [
        server.ask("/v2/models/moods/infer", {"inputs": [{"name": "input_ids", "datatype": "INT64", **given}]})[1]
        for given in ({"shape": [2, 2], "data": [[2, 3], [4, 5]]}, {"shape": [2, 2], "data": [2, 3, 4, 5]})
    ]
    assert rows[0]["outputs"] == rows[1]["outputs"]
