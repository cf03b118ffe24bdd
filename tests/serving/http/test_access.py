import json
import logging
import re

from .running import running


def test_a_request_is_a_line_of_json_without_its_text(server, caplog):
    with caplog.at_level(logging.INFO, "kerasllm.access"):
        server.ask("/classify", {"model": "moods", "inputs": "very good"}, headers={"X-Request-Id": "mine-1"})
        server.until(lambda: caplog.records)
    line = json.loads(caplog.records[-1].message)
    assert line["id"] == "mine-1"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/classify", 200)
    assert line["ms"] > 0
    assert "very good" not in caplog.text


def test_its_text_is_written_where_that_is_asked_for(bundles, caplog):
    with caplog.at_level(logging.INFO, "kerasllm.access"), running({"a": bundles["moods"]}, log_texts=True) as server:
        server.ask("/classify", {"inputs": "very good"})
        server.until(lambda: caplog.records)
    assert "very good" in json.loads(caplog.records[-1].message)["body"]


def test_an_id_that_could_forge_lines_is_replaced(server, caplog):
    with caplog.at_level(logging.INFO, "kerasllm.access"):
        server.ask("/health", headers={"X-Request-Id": 'a" forged'})
        server.until(lambda: caplog.records)
    assert re.fullmatch(r"[0-9a-f]{16}", json.loads(caplog.records[-1].message)["id"])


def test_requests_are_counted_by_route_and_status(bundles):
    with running({"moods": bundles["moods"], "writer": bundles["writer"]}) as server:
        server.ask("/classify", {"inputs": "good"})
        server.ask("/classify", {"inputs": 1})
        server.ask("/nowhere/of/mine")
        server.ask("/v1/completions", {"model": "writer", "prompt": "abc", "max_tokens": 5, "temperature": 0})
        status, page = server.ask("/metrics")
    lines = page.decode().splitlines()
    assert status == 200
    assert 'te_request_count_total{method="POST",path="/classify",status="200"} 1.0' in lines
    assert 'te_request_count_total{method="POST",path="/classify",status="422"} 1.0' in lines
    assert 'te_request_count_total{method="GET",path="other",status="404"} 1.0' in lines
    assert 'te_batch_next_size_count{model="moods"} 3.0' in lines  # two to warm up
    assert 'prompt_tokens_total{model="writer"} 3.0' in lines
    assert 'generation_tokens_total{model="writer"} 5.0' in lines
    assert 'time_to_first_token_seconds_count{model="writer"} 1.0' in lines
    assert 'num_requests_running{model="writer"} 0.0' in lines
    assert "nowhere" not in page.decode()
