"""Requests at a fixed concurrency: whoever has an answer asks the next question at once, as a closed loop."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_ATTEMPTS, _PAUSE = 4, 0.1  # seconds
_PATIENCE = aiohttp.ClientTimeout(total=900)


@dataclass
class Answer:
    """What one request was answered with, and when; times are seconds of one monotonic clock."""

    began: float
    ended: float = 0.0
    body: dict[str, Any] = field(default_factory=dict)
    """Of a request without a stream."""
    chunks: list[float] = field(default_factory=list)
    """When each piece of a stream came that has text."""
    tokens: int = 0
    """Generated ones, as the server counts them."""


def ask_all(url: str, bodies: Iterator[dict[str, Any]], concurrency: int, seconds: float) -> list[Answer]:
    """Asks for so long, and waits for the answers that are still due.

    Args:
        url: Where requests are sent to.
        bodies: What is asked; with "stream", server-sent events are read.
        concurrency: Requests at once, each on a connection that it keeps.
        seconds: No request begins after them.

    Returns:
        The answers, in the order in which they ended.

    Raises:
        RuntimeError: A request is answered by an error; the message is its beginning.
    """
    return asyncio.run(_ask_all(url, bodies, concurrency, seconds))


async def _ask_all(url: str, bodies: Iterator[dict[str, Any]], concurrency: int, seconds: float) -> list[Answer]:
    answers: list[Answer] = []
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session:
        until = time.perf_counter() + seconds

        async def one_after_the_other() -> None:
            asked = False
            while not asked or time.perf_counter() < until:
                answers.append(await _ask(session, url, next(bodies)))
                asked = True

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(one_after_the_other())
    return answers


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> Answer:
    answer = Answer(began=time.perf_counter())
    for attempt in range(_ATTEMPTS):
        try:
            await _post(session, url, body, answer)
            break
        except aiohttp.ClientConnectionError:  # a kept connection that the server has closed meanwhile
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(_PAUSE)
    answer.ended = time.perf_counter()
    return answer


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any], answer: Answer) -> None:
    async with session.post(url, json=body) as response:
        if response.status != 200:
            raise RuntimeError(f"{url} answered {response.status}: {(await response.text())[:200]}")
        if body.get("stream"):
            await _listen(response, answer)
        else:
            answer.body = await response.json()


async def _listen(response: aiohttp.ClientResponse, answer: Answer) -> None:
    """Reads server-sent events up to [DONE]."""
    async for line in response.content:
        data = line.removeprefix(b"data:").strip()
        if line.isspace() or data == line.strip() or data == b"[DONE]":
            continue
        event = json.loads(data)
        if "error" in event:
            raise RuntimeError(f"A stream broke off: {event['error']}")
        if any(choice.get("text") for choice in event.get("choices", [])):
            answer.chunks.append(time.perf_counter())
        if event.get("usage"):
            answer.tokens = event["usage"]["completion_tokens"]
