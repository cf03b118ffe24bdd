import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest


def test_a_completion_is_the_text_that_is_written_in_process(client, writer):
    answer = client.completions.create(model="writer", prompt="hello", max_tokens=12, temperature=0)
    expected = writer.generate("hello", max_new_tokens=12)
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason) == (expected.text, expected.finish_reason)
    assert answer.object == "text_completion"
    assert answer.usage.prompt_tokens == expected.prompt_tokens
    assert answer.usage.completion_tokens == len(expected.token_ids)


def test_sixteen_tokens_and_chance_are_the_default(client, writer):
    answer = client.completions.create(model="writer", prompt="hello", seed=3)
    assert (
        answer.choices[0].text
        == writer.generate("hello", max_new_tokens=16, do_sample=True, temperature=1.0, seed=3).text
    )


def test_a_stream_has_the_same_text_then_the_usage(client, writer):
    chunks = list(
        client.completions.create(
            model="writer", prompt="hello", max_tokens=12, seed=5, stream=True, stream_options={"include_usage": True}
        )
    )
    expected = writer.generate("hello", max_new_tokens=12, do_sample=True, temperature=1.0, seed=5)
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == expected.text
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == expected.finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(expected.token_ids)


def test_several_prompts_and_samples_keep_their_order(client, writer):
    answer = client.completions.create(model="writer", prompt=["a", "b"], n=2, max_tokens=6, seed=1)
    expected = writer.generate(["a", "b"], n=2, max_new_tokens=6, do_sample=True, temperature=1.0, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices] == [each.text for texts in expected for each in texts]


def test_token_ids_are_prompts_too(client, writer):
    ids = writer.prompt_ids("hello")
    texts = [
        client.completions.create(model="writer", prompt=prompt, max_tokens=6, temperature=0).choices[0].text
        for prompt in ("hello", ids, [ids])
    ]
    assert len(set(texts)) == 1


def test_echo_puts_the_prompt_before(client, writer):
    answer = client.completions.create(model="writer", prompt="hello", max_tokens=4, temperature=0, echo=True)
    assert answer.choices[0].text == "hello" + writer.generate("hello", max_new_tokens=4).text


def test_stop_ends_the_text(client, writer):
    whole = writer.generate("hello", max_new_tokens=12).text
    stop = whole[3:5]
    answer = client.completions.create(model="writer", prompt="hello", max_tokens=12, temperature=0, stop=[stop, "zz"])
    assert answer.choices[0].text == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_logit_bias_forbids_a_token(client, writer):
    first = writer.generate("hello", max_new_tokens=1).token_ids[0]
    answer = client.completions.create(
        model="writer", prompt="hello", max_tokens=1, temperature=0, logit_bias={str(first): -100}, logprobs=1
    )
    assert answer.choices[0].logprobs.tokens != [writer.tokenizer.decode([first])]


def test_logprobs_are_those_of_in_process(client, writer):
    expected = writer.generate("hello", max_new_tokens=4, logprobs=True, top_logprobs=3)
    scores = [each.logprob for each in expected.logprobs]
    whole = client.completions.create(model="writer", prompt="hello", max_tokens=4, temperature=0, logprobs=3)
    found = whole.choices[0].logprobs
    assert found.token_logprobs == pytest.approx(scores, abs=1e-5)
    assert len(found.tokens) == len(found.text_offset) == len(found.top_logprobs) == 4
    chunks = client.completions.create(
        model="writer", prompt="hello", max_tokens=4, temperature=0, logprobs=3, stream=True
    )
    streamed = [score for chunk in chunks for score in chunk.choices[0].logprobs.token_logprobs]
    assert streamed == pytest.approx(scores, abs=1e-5)


def test_answers_among_strangers_are_those_of_in_process(client, writer):
    """Issue: batched with others, the same seed gives the same text."""
    asked = [(f"prompt number {index} " * (1 + index % 5), index) for index in range(40)]

    def ask(each):
        return client.completions.create(model="writer", prompt=each[0], seed=each[1], max_tokens=24).choices[0].text

    with ThreadPoolExecutor(20) as pool:
        texts = list(pool.map(ask, asked))
    assert texts == [
        writer.generate(prompt, seed=seed, max_new_tokens=24, do_sample=True, temperature=1.0).text
        for prompt, seed in asked
    ]


def test_the_asynchronous_client(server, writer):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none") as client:
            stream = await client.completions.create(
                model="writer", prompt="hello", max_tokens=6, temperature=0, stream=True
            )
            return "".join([chunk.choices[0].text async for chunk in stream])

    assert asyncio.run(ask()) == writer.generate("hello", max_new_tokens=6).text


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "There is no model 'nobody'"),
        ({"model": "moods"}, openai.BadRequestError, "does text-classification"),
        ({"prompt": ""}, openai.BadRequestError, "must have a character"),
        ({"prompt": []}, openai.BadRequestError, "from 1 to 1024 texts"),
        ({"prompt": [9999]}, openai.BadRequestError, "vocabulary"),
        ({"prompt": "a" * 300}, openai.BadRequestError, "leave room"),
        ({"max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        ({"temperature": -1}, openai.BadRequestError, "temperature"),
        ({"temperature": 0, "n": 2}, openai.BadRequestError, "do_sample"),
        ({"suffix": "end"}, openai.BadRequestError, "suffix"),
    ],
)
def test_what_is_wrong_is_the_clients_own_error(client, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        client.completions.create(**{"model": "writer", "prompt": "hello", "max_tokens": 2, **changes})
    assert set(caught.value.body) == {"message", "type", "param", "code"}


def test_the_bytes_of_a_stream(server, writer):
    """By a socket: every event ends with an empty line, characters of several bytes are whole, [DONE] comes last."""
    body = b'{"model":"writer","prompt":"\xc3\xa9","max_tokens":40,"seed":2,"stream":true}'
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    headers, _, chunked = answer.partition(b"\r\n\r\n")
    assert b"text/event-stream" in headers
    assert b"200 OK" in headers
    parts = []
    while chunked:  # RFC 9112, section 7.1
        size, _, rest = chunked.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        chunked = rest[int(size, 16) + 2 :]
    events = b"".join(parts).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    assert all(event.startswith(b'data: {"id":"cmpl-') for event in events[:-2])
    assert all(part.decode() for part in parts if part)
