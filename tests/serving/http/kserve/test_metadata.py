"""What the tritonclient reads about the server and its models."""

import pytest
from tritonclient.utils import InferenceServerException

from ..running import running


def test_the_server_is_live_and_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("moods")
    assert client.is_model_ready("moods", "1")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready("moods", "7")


def test_the_server_says_what_it_speaks(client):
    about = client.get_server_metadata()
    assert about["name"] == "kerasllm"
    assert "binary_tensor_data" in about["extensions"]


def test_a_model_says_its_tensors(client):
    about = client.get_model_metadata("reader")
    assert (about["name"], about["versions"], about["platform"]) == ("reader", ["1"], "onnx_onnxv1")
    inputs = {each["name"]: (each["datatype"], each["shape"]) for each in about["inputs"]}
    assert inputs["input_ids"] == ("INT64", [-1, -1])
    assert inputs["question"] == inputs["context"] == ("BYTES", [-1])
    assert {"answer", "score", "start", "end", "start_logits"} <= {each["name"] for each in about["outputs"]}


def test_a_decoder_says_its_tensors_without_its_cache(client):
    about = client.get_model_metadata("writer")
    assert {each["name"] for each in about["inputs"]} == {"input_ids", "attention_mask", "text"}
    outputs = {each["name"]: each["shape"] for each in about["outputs"]}
    assert outputs.keys() == {"logits", "text_output"}
    assert outputs["logits"][2] > 0


def test_a_config_has_tritons_types(client):
    config = client.get_model_config("moods")
    assert config["max_batch_size"] == 0
    assert {each["name"]: each["data_type"] for each in config["input"]} == {
        "input_ids": "TYPE_INT64",
        "attention_mask": "TYPE_INT64",
        "text": "TYPE_STRING",
    }


def test_the_index_has_all_models(client, bundles):
    index = client.get_model_repository_index()
    assert {each["name"] for each in index} == set(bundles)
    assert {each["state"] for each in index} == {"READY"}


def test_a_model_that_is_not_there_is_an_error_in_the_protocols_form(client, server):
    with pytest.raises(InferenceServerException, match="There is no model 'nobody' here"):
        client.get_model_metadata("nobody")
    with pytest.raises(InferenceServerException, match=r"in version 1 alone\. Received: 7"):
        client.get_model_metadata("moods", "7")
    status, body = server.ask("/v2/models/nobody")
    assert (status, list(body)) == (404, ["error"])


def test_nothing_is_ready_while_models_load(bundles):
    with running({"moods": bundles["moods"]}, wait=False) as server:
        seen = set()
        server.until(lambda: seen.add(server.ask("/v2/health/ready")[0]) or 200 in seen)
        assert seen <= {200, 503}
        assert server.ask("/v2/health/live")[0] == 200
        server.app.state.models._loaded.clear()
        assert server.ask("/v2/health/ready")[0] == 503
        assert server.ask("/v2/models/moods/ready")[0] == 503
        assert server.ask("/v2/repository/index", {})[1] == [
            {"name": "moods", "state": "UNAVAILABLE", "reason": "loading"}
        ]
