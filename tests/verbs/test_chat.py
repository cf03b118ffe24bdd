"""`kerasllm chat`: a dialogue on the terminal."""

import io
import json
import sys

import pytest

from kerasllm.serving import load

from ..serving.generation.tiny_decoder import Sizes, make_weights, write_decoder

SIZES = Sizes(context=128)
TEMPLATE = (
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    settings = {"eos_token_ids": [256], "bos_token_id": None, "add_bos": False, "chat_template": True}
    folder = tmp_path_factory.mktemp("chat") / "bundle"
    files = {"chat_template.jinja": TEMPLATE.encode()}
    return write_decoder(folder, make_weights(SIZES), SIZES, settings=settings, more_files=files)


@pytest.fixture(scope="module")
def generator(assistant):
    return load(assistant)


def test_jinja_is_needed_for_dialogues_alone(assistant, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2.sandbox", None)
    generator = load(assistant)
    assert generator.generate("hi", max_new_tokens=3).token_ids
    with pytest.raises(ImportError, match="serving"):
        generator.chat([{"role": "user", "content": "hi"}])


def test_a_message_is_written_as_the_template_says(generator):
    messages = [{"role": "user", "content": "hi"}]
    assert generator.chat_ids(messages) == generator.prompt_ids("u:hi;a:")
    answer = generator.chat(messages, max_new_tokens=5)
    assert answer.token_ids == generator.generate("u:hi;a:", max_new_tokens=5).token_ids
    assert "".join(piece.text for piece in generator.stream_chat(messages, max_new_tokens=5)) == answer.text


def test_one_message(command, assistant, generator):
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    expected = generator.chat(messages, max_new_tokens=6)
    result = command("chat", assistant, "hi", "--system", "be kind", "--max-new-tokens", "6")
    assert result == (0, expected.text + "\n", "")
    answer = json.loads(command("chat", assistant, "hi", "--system", "be kind", "--max-new-tokens", "6", "--json").out)
    assert (answer["message"], answer["text"], answer["token_ids"]) == ("hi", expected.text, expected.token_ids)


def test_a_dialogue_remembers(command, assistant, generator, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("hi\n\nand now\n"))
    result = command("chat", assistant, "--max-new-tokens", "4", "--json")
    first, second = map(json.loads, result.out.splitlines())
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": first["text"]}]
    messages.append({"role": "user", "content": "and now"})
    assert second["text"] == generator.chat(messages, max_new_tokens=4, prompt_cache=False).text


def test_bundles_without_a_template_and_answers_without_number(command, assistant, tmp_path):
    plain = write_decoder(tmp_path / "b", make_weights(SIZES), SIZES)
    assert "has no chat template" in command("chat", plain, "hi").err
    assert "one answer" in command("chat", assistant, "hi", "--n", "2", "--do-sample").err
