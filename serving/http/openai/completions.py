"""POST /v1/completions: texts that go on from prompts."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from ...generation.continuation import Generation
from ...generation.generator import TextGenerator
from ...generation.sampling import TokenScore
from ..events import open_stream
from ..limits import check_count
from ..work import Writing
from .sampling import Sampling, refuse, usage

router = APIRouter(prefix="/v1", tags=["OpenAI"])
_Token = Annotated[int, Field(ge=0, lt=2**31)]
MAX_TOKENS = 16  # OpenAI's default


class CompletionRequest(Sampling):
    """A prompt is a text, or its token ids; there may be several. Special tokens that a text spells out are such."""

    prompt: str | list[_Token] | list[str] | list[list[_Token]]
    max_tokens: int | None = Field(None, ge=1, lt=2**31)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = False
    suffix: str | None = None
    best_of: int | None = None

    def prompts(self) -> list[Any]:
        """All of them."""
        one = isinstance(self.prompt, str) or (bool(self.prompt) and isinstance(self.prompt[0], int))
        return [self.prompt] if one else list(self.prompt)


@router.post("/completions", response_model=None)
async def complete(request: Request, asked: CompletionRequest) -> Any:
    """Writes on from each prompt; as server-sent events with `stream`."""
    refuse(asked.echo and asked.logprobs is not None, "echo", "Prompts have no log probabilities here.")
    refuse(asked.suffix, "suffix", "Texts are not filled in between.")
    refuse(asked.best_of is not None and asked.best_of != (asked.n or 1), "best_of", "All texts are given back.")
    state = request.app.state
    model = state.models.get(asked.model, "text-generation")
    check_count(asked.prompts(), state.settings)
    generator: TextGenerator = model.served
    prompts = await state.work.run(model, lambda: [generator.prompt_ids(prompt) for prompt in asked.prompts()])
    scores = {} if asked.logprobs is None else {"logprobs": True, "top_logprobs": asked.logprobs}
    options = asked.options(asked.max_tokens or MAX_TOKENS, **scores)
    answer = _Answer(asked, generator, prompts)
    if asked.stream:
        writing = await state.work.write(model, prompts, options)
        return open_stream(request, writing, answer.chunks(writing))
    return answer.whole(await state.work.write_all(request, model, prompts, options))


class _Answer:
    """What is answered to one request."""

    def __init__(self, asked: CompletionRequest, generator: TextGenerator, prompts: Sequence[list[int]]) -> None:
        self._asked, self._tokenizer, self._prompts = asked, generator.tokenizer, prompts
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": asked.model,
        }

    def whole(self, written: Sequence[Generation]) -> dict[str, Any]:
        choices = []
        for index, each in enumerate(written):
            echo = self._echo(index)
            scores = None if each.logprobs is None else self._scores(each.logprobs, each.top_logprobs or [], len(echo))
            choices.append(_choice(index, echo + each.text, each.finish_reason, scores))
        used = usage(sum(map(len, self._prompts)), sum(len(each.token_ids) for each in written))
        return {**self._head, "choices": choices, "usage": used}

    async def chunks(self, writing: Writing) -> AsyncIterator[dict[str, Any]]:
        texts = [writing.text(index) for index in range(len(self._prompts) * (self._asked.n or 1))]
        scored, lengths, tokens = [0] * len(texts), [len(self._echo(index)) for index in range(len(texts))], 0
        blank = {"usage": None} if self._asked.with_usage else {}
        for index, length in enumerate(lengths):
            if length:
                yield {**self._head, "choices": [_choice(index, self._echo(index), None, None)], **blank}
        async for index, piece, whole in writing.pieces():
            scores = None
            if self._asked.logprobs is not None:
                new = slice(scored[index], scored[index] + len(piece.token_ids))
                scores = self._scores(texts[index].logprobs[new], texts[index].top_logprobs[new], lengths[index])
                scored[index] = new.stop
            lengths[index] += len(piece.text)
            tokens += len(whole.token_ids) if whole else 0
            choice = _choice(index, piece.text, piece.finish_reason, scores)
            yield {**self._head, "choices": [choice], **blank}
        if self._asked.with_usage:
            yield {**self._head, "choices": [], "usage": usage(sum(map(len, self._prompts)), tokens)}

    def _echo(self, index: int) -> str:
        if not self._asked.echo:
            return ""
        place = index // (self._asked.n or 1)
        prompt = self._asked.prompts()[place]
        return prompt if isinstance(prompt, str) else self._tokenizer.decode(prompt, skip_special_tokens=False)

    def _scores(self, scores: Sequence[TokenScore], top: Sequence[Sequence[TokenScore]], start: int) -> dict[str, Any]:
        """OpenAI's form: lists over the tokens; offsets are characters from where the text begins."""
        words = [self._word(score.token) for score in scores]
        offsets = [start]
        for word in words:
            offsets.append(offsets[-1] + len(word))
        return {
            "tokens": words,
            "token_logprobs": [score.logprob for score in scores],
            "top_logprobs": [{self._word(each.token): each.logprob for each in place} for place in top]
            if self._asked.logprobs
            else None,
            "text_offset": offsets[:-1],
        }

    def _word(self, token: int) -> str:
        return self._tokenizer.decode([token], skip_special_tokens=False)


def _choice(index: int, text: str, reason: str | None, scores: dict[str, Any] | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": scores, "finish_reason": reason}
