"""Triton's generate extension: one JSON, or events."""

import json

import pytest

from kerasllm.serving import load


@pytest.fixture(scope="module")
def writer(bundles):
    return load(bundles["writer"], threads=1)


def test_a_prompt_goes_on(server, writer):
    expected = writer.generate("hello", max_new_tokens=8, do_sample=True, temperature=0.7, seed=3).text
    parameters = {"max_tokens": 8, "temperature": 0.7, "seed": 3}
    for asked in ({"parameters": parameters}, parameters):
        status, answer = server.ask("/v2/models/writer/generate", {"text_input": "hello", **asked})
        assert status == 200
        assert answer == {"model_name": "writer", "model_version": "1", "text_output": expected}


def test_events_are_the_same_text(server, writer):
    asked = {"text_input": "hello", "max_tokens": 12, "temperature": 0}
    status, body = server.ask("/v2/models/writer/versions/1/generate_stream", asked)
    events = [json.loads(line.removeprefix("data: ")) for line in body.decode().split("\n\n") if line]
    expected = writer.generate("hello", max_new_tokens=12)
    assert status == 200
    assert len(events) > 2
    assert "".join(event["text_output"] for event in events) == expected.text
    assert [event["finish_reason"] for event in events][-1] == expected.finish_reason


@pytest.mark.parametrize("path", ["generate", "generate_stream"])
def test_what_cannot_be_written_is_refused(server, path):
    assert server.ask(f"/v2/models/moods/{path}", {"text_input": "a"})[0] == 400
    status, answer = server.ask(f"/v2/models/writer/{path}", {"text_input": "a", "temperature": -1})
    assert status == 400
    assert "temperature" in answer["error"]
    assert server.ask(f"/v2/models/writer/{path}", {"text_input": "a", "max_tokens": 10**6})[0] == 400
    assert server.ask(f"/v2/models/writer/{path}", {"text_input": ""})[0] == 400
