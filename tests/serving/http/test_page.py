"""The playground in a real browser: by mouse, by keyboard, on a phone, and with nothing from elsewhere."""

import io
import re

import numpy as np
import pytest

from kerasllm.serving import load
from tests.browser import chromium, opened

from .running import running

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
PHONE = {"width": 360, "height": 640}
# The lengths the result takes on the way, one for every change of it.
WATCH = """() => {
    window.seen = [];
    const result = document.getElementById("result");
    new MutationObserver(() => seen.push(result.textContent.length))
        .observe(result, {childList: true, subtree: true, characterData: true});
}"""


def choose(page, model):
    page.wait_for_selector("#model:not([disabled])")
    page.select_option("#model", model)


def done(page):
    """Waits for the answer, and gives the line that says tokens and time."""
    expect(page.locator("#status")).to_contain_text(re.compile("tokens"), timeout=30_000)
    return page.text_content("#status")


def pixels(locator):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return np.asarray(image.open(io.BytesIO(locator.screenshot())).convert("L"))


def test_a_chat_is_streamed_into_the_page(server, bundles, tmp_path):
    with opened(server.address) as page:
        choose(page, "writer")
        before = pixels(page.locator("main"))
        page.fill("[name=text]", "hello")
        page.fill("[name=max_tokens]", "40")
        page.fill("[name=seed]", "3")
        page.evaluate(WATCH)
        page.click("button.main")
        line = done(page)
        turns = [each.text_content() for each in page.locator(".turn").all()]
        seen = page.evaluate("seen")
        after = pixels(page.locator("main"))
        page.screenshot(path=tmp_path / "chat.png", full_page=True)
    options = {"max_new_tokens": 40, "do_sample": True, "temperature": 0.8, "top_p": 0.95, "seed": 3}
    expected = load(bundles["writer"], threads=1).chat([{"role": "user", "content": "hello"}], **options)
    assert turns == ["hello", expected.text]
    assert f"{len(expected.token_ids)} written" in line
    assert len(seen) > 5
    assert before.shape != after.shape or (before != after).any()
    assert after.std() > 5  # not a blank page
    assert (tmp_path / "chat.png").stat().st_size > 1000


def test_a_dialogue_goes_on_and_starts_anew(server):
    with opened(server.address) as page:
        choose(page, "writer")
        for message in ("a", "b"):
            page.fill("[name=max_tokens]", "4")
            page.fill("[name=text]", message)
            page.click("button.main")
            done(page)
            page.wait_for_selector("button.main:not([disabled])")
        assert page.locator(".turn").count() == 4
        page.click("#forget")
        assert page.locator(".turn").count() == 0


def test_a_classifier_is_asked_by_keyboard_alone(server, bundles):
    with opened(server.address) as page:
        choose(page, "moods")
        page.focus("#model")
        page.keyboard.press("Tab")
        page.keyboard.type("very bad film")
        page.keyboard.press("Control+Enter")
        assert "ms" in done(page)
        rows = [each.text_content() for each in page.locator("#result tr").all()]
    expected = load(bundles["moods"], threads=1)("very bad film", top_k=None)
    assert rows == [f"{each['label']}{100 * each['score']:.1f} %" for each in expected]


FIELDS = {
    "pairs": {"text": "ada met", "text_pair": "who ?"},
    "tagger": {"text": "ada met alan"},
    "reader": {"question": "who ?", "context": "ada met alan"},
    "vectors": {"texts": "ada met\nalan"},
    "words": {"text": "ada [MASK] alan"},
}


@pytest.mark.parametrize("model", FIELDS)
def test_every_task_is_answered_on_a_phone(server, model):
    with opened(server.address, viewport=PHONE) as page:
        choose(page, model)
        for name, text in FIELDS[model].items():
            page.fill(f"[name={name}]", text)
        page.click("button.main")
        done(page)
        assert page.text_content("#result")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_entities_and_answers_are_marked_in_the_text(server, bundles):
    question = {"question": "who ?", "context": "ada met alan"}
    with opened(server.address) as page:
        for model in ("tagger", "reader"):
            choose(page, model)
            for name, text in FIELDS[model].items():
                page.fill(f"[name={name}]", text)
            page.click("button.main")
            done(page)
            marks = [each.text_content() for each in page.locator("#result mark").all()]
            if model == "tagger":
                found = load(bundles["tagger"], threads=1)("ada met alan")
                assert [mark.split()[0][: len(each["word"])] for mark, each in zip(marks, found, strict=True)] == [
                    each["word"] for each in found
                ]
            else:
                answer = load(bundles["reader"], threads=1)(question)["answer"]
                assert marks == ([answer] if answer else [])


def test_a_text_that_is_html_stays_a_text(server):
    with opened(server.address) as page:
        choose(page, "vectors")
        page.fill("[name=texts]", "<img src=x onerror=alert(1)>\n<b>bold</b>")
        page.click("button.main")
        done(page)
        assert page.locator("#result img, #result b").count() == 0
        assert "<b>bold</b>" in page.text_content("#result")


def test_an_error_is_shown_as_the_servers_sentence(server):
    with opened(server.address, fails=True) as page:
        choose(page, "writer")
        page.evaluate("document.querySelector('[name=max_tokens]').removeAttribute('min')")
        page.fill("[name=max_tokens]", "0")
        page.fill("[name=text]", "a")
        page.click("button.main")
        page.wait_for_selector("#status.wrong")
        assert "max_tokens" in page.text_content("#status")
        assert page.is_enabled("button.main")


def test_a_key_is_asked_for_and_then_used(bundles, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ada:0123456789abcdef")
    with running({"moods": bundles["moods"]}, keys=keys) as server, opened(server.address, fails=True) as page:
        page.wait_for_selector("#key-field:not([hidden])")
        assert server.ask("/v1/models")[0] == 401
        page.fill("#key", "0123456789abcdef")
        page.press("#key", "Tab")
        choose(page, "moods")
        page.fill("[name=text]", "good")
        page.click("button.main")
        done(page)


def test_the_paths_are_shown_without_anything_from_elsewhere(server):
    with opened(f"{server.address}/docs") as page:
        page.wait_for_selector("article")
        shown = page.text_content("main")
    assert "POST /v1/chat/completions" in shown
    assert "messages" in shown


def test_only_the_pages_own_files_are_served(server):
    for name in ("..%2fpage.py", "nothing.js", "%2e%2e/app.py", "playground.html/.."):
        assert server.ask(f"/static/{name}")[0] == 404
