"""The tasks as they are called in process: /classify, /ner, /qa, /fill."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from .encoders import Asked
from .limits import check_count

router = APIRouter(tags=["kerasllm"])


class TextPair(BaseModel):
    """Two texts that belong together."""

    model_config = ConfigDict(extra="forbid")

    text: str
    text_pair: str


class ClassifyRequest(Asked):
    """A text (or a pair), or a list of them."""

    inputs: str | TextPair | list[str | TextPair]
    top_k: int | None = Field(None, ge=1, lt=2**31, description="How many labels, best first; left out: all.")
    truncation: bool = True


class TextsRequest(Asked):
    """A text, or a list of them."""

    inputs: str | list[str]


class FillRequest(TextsRequest):
    """Texts with masks."""

    top_k: int = Field(5, ge=1, le=1000)


class Question(BaseModel):
    """What is asked, and the text that has the answer."""

    model_config = ConfigDict(extra="ignore")

    question: str
    context: str


class AskRequest(Asked):
    """A question with its context, or `inputs`: a list of such."""

    question: str | None = None
    context: str | None = None
    inputs: Question | list[Question] | None = None
    top_k: int = Field(1, ge=1, le=1000)
    max_answer_len: int | None = Field(None, ge=1, lt=2**31)
    handle_impossible_answer: bool | None = None


@router.post("/classify", response_model=None)
async def classify(request: Request, asked: ClassifyRequest) -> list[Any]:
    """The labels of a text, best first; for a list, of each."""
    inputs: Any = asked.inputs
    given = [each.model_dump() if isinstance(each, TextPair) else each for each in _listed(inputs)]
    texts = given if isinstance(inputs, list) else given[0]
    return await _call(
        request, asked, "text-classification", len(given), texts, top_k=asked.top_k, truncation=asked.truncation
    )


@router.post("/ner", response_model=None)
async def tag(request: Request, asked: TextsRequest) -> list[Any]:
    """The entities of a text, in order; for a list, of each."""
    return await _call(request, asked, "token-classification", len(_listed(asked.inputs)), asked.inputs)


@router.post("/fill", response_model=None)
async def fill(request: Request, asked: FillRequest) -> list[Any]:
    """The words that fit a mask, best first."""
    return await _call(request, asked, "fill-mask", len(_listed(asked.inputs)), asked.inputs, top_k=asked.top_k)


@router.post("/qa", response_model=None)
async def answer(request: Request, asked: AskRequest) -> Any:
    """The answer to a question, a part of its context; for a list, to each."""
    if (asked.inputs is None) == (asked.question is None or asked.context is None):
        raise ValueError('A question needs "question" and "context", or a list of such as "inputs". Received: neither.')
    found: Any = asked.inputs or Question(question=asked.question or "", context=asked.context or "")
    questions = [each.model_dump() for each in _listed(found)]
    return await _call(
        request,
        asked,
        "question-answering",
        len(questions),
        questions if isinstance(found, list) else questions[0],
        top_k=asked.top_k,
        max_answer_len=asked.max_answer_len,
        handle_impossible_answer=asked.handle_impossible_answer,
    )


async def _call(request: Request, asked: Asked, task: str, count: int, inputs: Any, **options: Any) -> Any:
    """Calls the model that does a task as one calls it in process."""
    state = request.app.state
    model = state.models.get(asked.model, task)
    check_count(range(count), state.settings)
    return await state.work.run(model, lambda: model.served(inputs, **options))


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
