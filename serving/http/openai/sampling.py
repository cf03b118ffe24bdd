"""What completions and chat have in common: how a text is to go on, in OpenAI's words."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ...generation.options import GenerationOptions
from ..errors import RequestError

Name = Annotated[str, Field(max_length=200)]
_Stop = Annotated[str, Field(min_length=1, max_length=1000)]
# Below, drawing is as good as taking the likeliest token.
_COLD = 1e-4


class StreamOptions(BaseModel):
    """What a stream has beside the text."""

    include_usage: bool = False


class Sampling(BaseModel):
    """OpenAI's options of a text, and top_k, min_p and repetition_penalty. What else a client sends is ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: Name
    temperature: float | None = Field(None, ge=0, le=100)
    top_p: float | None = Field(None, gt=0, le=1)
    n: int | None = Field(None, ge=1, le=128)
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**64)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: Annotated[dict[int, float], Field(max_length=10_000)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    top_k: int | None = Field(None, ge=-1, lt=2**31, description="Not OpenAI's own; -1 or 0: no limit.")
    min_p: float | None = Field(None, ge=0, le=1, description="Not OpenAI's own.")
    repetition_penalty: float | None = Field(None, ge=0.01, le=100, description="Not OpenAI's own.")

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def options(self, max_new_tokens: int, **more: Any) -> GenerationOptions:
        """The same in our own words. Without a temperature it is 1, as OpenAI has it; 0 takes the likeliest token.

        Args:
            max_new_tokens: Most tokens.
            more: What only one of the two paths has.

        Raises:
            ValueError: Options contradict each other.
        """
        temperature = 1.0 if self.temperature is None else self.temperature
        given: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "n": self.n,
            "stop": self.stop,
            "seed": None if self.seed is None else self.seed % 2**64,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "logit_bias": self.logit_bias,
            "repetition_penalty": self.repetition_penalty,
            **more,
        }
        if temperature >= _COLD:
            given |= {"do_sample": True, "temperature": temperature, "top_p": self.top_p, "min_p": self.min_p}
            given["top_k"] = self.top_k if self.top_k and self.top_k > 0 else None
        return GenerationOptions(**{name: value for name, value in given.items() if value is not None})


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """OpenAI's count of tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def refuse(given: Any, name: str, why: str) -> None:
    """Refuses an option that there is no use for here, unless it was left out or says so itself.

    Raises:
        RequestError: It is given.
    """
    if given:
        raise RequestError(400, f"{why} Received: {name}. Leave it out.", param=name, code="unsupported_parameter")
