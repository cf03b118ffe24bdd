import openai
import pytest

from kerasllm.serving.http.keys import Rates, read_keys

from .running import running

KEY = "k" * 20


@pytest.fixture(scope="module")
def guarded(bundles, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.txt"
    file.write_text(f"# who may\n\nada:{KEY}\n{'z' * 16}\n")
    with running({"moods": bundles["moods"]}, keys=file, rate=5) as server:
        yield server


def test_without_a_key_the_answer_is_401_in_each_dialect(guarded):
    for path, form in (("/v1/models", {"error": {}}), ("/v2/models/moods", {"error": ""}), ("/info", {"error": ""})):
        status, told = guarded.ask(path)
        assert status == 401
        assert isinstance(told["error"], type(form["error"]))
    with (
        openai.OpenAI(base_url=f"{guarded.address}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="a wrong one"),
    ):
        client.models.list()


def test_what_lives_and_the_page_are_open(guarded):
    assert guarded.ask("/health")[0] == 200


def test_a_key_is_let_in_until_it_asks_too_often(guarded):
    with openai.OpenAI(base_url=f"{guarded.address}/v1", api_key=KEY, max_retries=0) as client:
        for _ in range(5):
            assert client.models.list().data[0].id == "moods"
        with pytest.raises(openai.RateLimitError) as caught:
            client.models.list()
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 13
    assert guarded.ask("/v1/models", headers={"X-API-Key": "z" * 16})[0] == 200  # another one's bucket


def test_a_bucket_fills_again(monkeypatch):
    now = 100.0
    monkeypatch.setattr("kerasllm.serving.http.keys.time.monotonic", lambda: now)
    rates = Rates(60)
    assert [rates.wait("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait("a") == pytest.approx(1.0)
    now += 1.0
    assert rates.wait("a") == 0.0
    assert rates.wait("a") > 0


@pytest.mark.parametrize(("text", "message"), [("short", "16 characters"), ("# nothing\n", "one at least")])
def test_a_file_that_is_none(tmp_path, text, message):
    file = tmp_path / "keys.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_keys(file)
