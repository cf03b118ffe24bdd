"""POST /v1/chat/completions: the next message of a dialogue."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ...generation.continuation import Generation
from ...generation.generator import TextGenerator
from ...generation.sampling import TokenScore
from ..events import open_stream
from ..work import Writing
from .sampling import Sampling, refuse, usage

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class TextPart(BaseModel):
    """A part of a message; there are no pictures or sounds here."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """What somebody says."""

    model_config = ConfigDict(extra="ignore")

    role: Annotated[str, Field(min_length=1, max_length=50)]
    content: str | Annotated[list[TextPart], Field(max_length=1000)] | None = None

    def plain(self) -> dict[str, str]:
        """As chat templates have it."""
        parts = self.content if isinstance(self.content, list) else []
        text = "".join(part.text for part in parts) if parts else self.content or ""
        return {"role": self.role, "content": text if isinstance(text, str) else ""}


class JsonSchema(BaseModel):
    """A schema with a name."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    name: str = "schema"
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """What form the answer has."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def as_schema(self) -> dict[str, Any] | None:
        """The JSON schema of the answer; None: it is any text.

        Raises:
            ValueError: There is no schema where there must be one.
        """
        if self.type == "text":
            return None
        if self.type == "json_object":
            return {"type": "object"}
        if self.json_schema is None:
            raise ValueError('response_format of the type json_schema must have "json_schema". Received: none.')
        return self.json_schema.schema_


class ChatRequest(Sampling):
    """A dialogue, and how its next message is written."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_tokens: int | None = Field(None, ge=1, lt=2**31)
    max_completion_tokens: int | None = Field(None, ge=1, lt=2**31)
    logprobs: bool | None = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None


@router.post("/chat/completions", response_model=None)
async def chat(request: Request, asked: ChatRequest) -> Any:
    """Writes the next message; as server-sent events with `stream`."""
    refuse(asked.tools, "tools", "Models here call no tools.")
    refuse(asked.functions, "functions", "Models here call no functions.")
    state = request.app.state
    model = state.models.get(asked.model, "text-generation")
    generator: TextGenerator = model.served
    prompt = await state.work.run(model, generator.chat_ids, [message.plain() for message in asked.messages])
    prompt = generator.prompt_ids(prompt)
    room = min(generator.graph.context - len(prompt), state.settings.most_tokens // (asked.n or 1) - len(prompt))
    most = asked.max_completion_tokens or asked.max_tokens or max(1, room)
    schema = asked.response_format.as_schema() if asked.response_format else None
    scores = {"logprobs": True, "top_logprobs": asked.top_logprobs} if asked.logprobs else {}
    options = asked.options(most, json_schema=schema, **scores)
    answer = _Answer(asked, generator, len(prompt))
    if asked.stream:
        writing = await state.work.write(model, [prompt], options)
        return open_stream(request, writing, answer.chunks(writing))
    return answer.whole(await state.work.write_all(request, model, [prompt], options))


class _Answer:
    """What is answered to one request."""

    def __init__(self, asked: ChatRequest, generator: TextGenerator, prompt_tokens: int) -> None:
        self._asked, self._generator, self._prompt_tokens = asked, generator, prompt_tokens
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion.chunk" if asked.stream else "chat.completion",
            "created": int(time.time()),
            "model": asked.model,
        }

    def whole(self, written: Sequence[Generation]) -> dict[str, Any]:
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": each.text, "refusal": None},
                "logprobs": self._scores(each.logprobs or [], each.top_logprobs or []),
                "finish_reason": each.finish_reason,
            }
            for index, each in enumerate(written)
        ]
        used = usage(self._prompt_tokens, sum(len(each.token_ids) for each in written))
        return {**self._head, "choices": choices, "usage": used}

    async def chunks(self, writing: Writing) -> AsyncIterator[dict[str, Any]]:
        count, tokens = self._asked.n or 1, 0
        scored = [0] * count
        for index in range(count):
            yield self._chunk(index, {"role": "assistant", "content": ""})
        async for index, piece, whole in writing.pieces():
            text, new = writing.text(index), slice(scored[index], scored[index] + len(piece.token_ids))
            scored[index] = new.stop
            scores = self._scores(text.logprobs[new], text.top_logprobs[new])
            if piece.text or scores:
                yield self._chunk(index, {"content": piece.text}, scores)
            if whole is not None:
                tokens += len(whole.token_ids)
                yield self._chunk(index, {}, reason=piece.finish_reason)
        if self._asked.with_usage:
            yield {**self._head, "choices": [], "usage": usage(self._prompt_tokens, tokens)}

    def _chunk(
        self, index: int, delta: dict[str, str], scores: dict[str, Any] | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": scores, "finish_reason": reason}
        return {**self._head, "choices": [choice], **({"usage": None} if self._asked.with_usage else {})}

    def _scores(self, scores: Sequence[TokenScore], top: Sequence[Sequence[TokenScore]]) -> dict[str, Any] | None:
        if not self._asked.logprobs or not scores:
            return None
        places = zip(scores, top or [[]] * len(scores), strict=True)
        content = [{**self._score(each), "top_logprobs": [self._score(one) for one in best]} for each, best in places]
        return {"content": content, "refusal": None}

    def _score(self, score: TokenScore) -> dict[str, Any]:
        token = self._generator.tokenizer.decode([score.token], skip_special_tokens=False)
        return {"token": token, "logprob": score.logprob, "bytes": list(token.encode())}
