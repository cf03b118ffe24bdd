"""The example page in Chromium: what a user copies, with a bundle beside it."""

import json
import shutil
from pathlib import Path

import pytest

from kerasllm.serving import load
from tests.browser import opened, served

from .cases import STORIES
from .consumers import BROWSER, CONSUMERS, NODE
from .matrix import Matrix

SECONDS = 1000  # of Playwright's milliseconds


@pytest.fixture
def page_of(tmp_path: Path, matrix: Matrix):
    """A function from a case to the folder of the page with its bundle."""
    reason = CONSUMERS["transformers.js in Chromium"].missing()
    if reason:
        pytest.skip(reason)

    def make(case: str) -> Path:
        site = tmp_path / "site"
        shutil.copytree(BROWSER, site, ignore=shutil.ignore_patterns("node_modules", "bundle"))
        (site / "node_modules").symlink_to(NODE / "node_modules")
        (site / "bundle").symlink_to(matrix.bundle(case))
        return site

    return make


def test_a_story_is_streamed_and_is_the_golden_one(page_of, matrix):
    with served(page_of("stories260K")) as address, opened(address) as page:
        page.wait_for_selector("#form:not([hidden])", timeout=60 * SECONDS)
        page.select_option("#variant", "fp32")
        page.wait_for_function("document.getElementById('status').textContent.includes('fp32: ready')")
        page.evaluate(
            "() => { window.lengths = []; const output = document.getElementById('output');"
            "new MutationObserver(() => lengths.push(output.textContent.length)).observe(output, {childList: true}); }"
        )
        page.fill("#text", "Once upon a time")
        page.click("#form button >> nth=0")
        page.wait_for_function(
            "document.getElementById('status').textContent.includes('a second')", timeout=60 * SECONDS
        )
        written = page.text_content("#output")
        lengths = page.evaluate("lengths")
    golden = json.loads((STORIES / "expected_greedy.json").read_text())["text"].lstrip()
    assert golden.startswith("Once upon a time")
    story = golden.removeprefix("Once upon a time")
    assert len(written) > 200
    assert written.startswith(story[: len(written)]) or story.startswith(written)
    assert len(lengths) > 50
    assert lengths == sorted(lengths)


def test_the_lstm_classifies_in_int8(page_of, matrix):
    text = "not a very good film"
    with served(page_of("LSTM")) as address, opened(address) as page:
        page.wait_for_selector("#form:not([hidden])", timeout=60 * SECONDS)
        page.select_option("#variant", "int8")
        page.wait_for_function("document.getElementById('status').textContent.includes('int8: ready')")
        page.fill("#text", text)
        page.click("#form button >> nth=0")
        page.wait_for_function("document.getElementById('output').textContent")
        shown = page.text_content("#output")
    expected = load(matrix.bundle("LSTM"), variant="int8")(text, top_k=None)
    assert shown == "\n".join(f"{each['label']}  {each['score']:.4f}" for each in expected)
