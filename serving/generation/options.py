"""What can be asked of a generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

_SAMPLING = ("temperature", "top_k", "top_p", "min_p")
_MOST_STOPS, _LONGEST_STOP = 64, 1000


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How a text goes on. Names and meanings are those of Hugging Face, or else of OpenAI."""

    max_new_tokens: int = 128
    """Most tokens to write; the model's context ends a text, too."""
    min_new_tokens: int = 0
    """So many tokens are written before the text may end by itself."""
    do_sample: bool = False
    """Draw tokens by chance, instead of taking the most likely one."""
    temperature: float | None = None
    """Logits are divided by it before drawing: below 1 is safer, above 1 is wilder."""
    top_k: int | None = None
    """Draw among so many of the most likely tokens."""
    top_p: float | None = None
    """Draw among the fewest most likely tokens that together have this probability."""
    min_p: float | None = None
    """Draw among tokens that are at least so probable, as a share of the most likely one's probability."""
    repetition_penalty: float = 1.0
    """Above 1, tokens of the prompt and the text become less likely: their logits are divided by it (or multiplied, if
    negative)."""
    presence_penalty: float = 0.0
    """Taken from the logits of tokens that the text already has."""
    frequency_penalty: float = 0.0
    """Taken from the logits of tokens, as often as the text already has them."""
    logit_bias: Mapping[int, float] | None = None
    """Token id to what is added to its logit."""
    seed: int | None = None
    """The same seed draws the same text, whatever else is generated beside it; left out, each call differs."""
    stop: str | Sequence[str] = ()
    """Strings that end the text; they are not part of it."""
    logprobs: bool = False
    """Give the log probability of every token, as the model has it before any of these options."""
    top_logprobs: int = 0
    """Give those of so many of the most likely tokens, too."""
    n: int = 1
    """So many texts of a prompt."""
    num_beams: int = 1
    """Search with so many beams for the most likely text."""
    length_penalty: float = 1.0
    """Beams are compared by their log probability over their length to this power."""
    prompt_lookup_num_tokens: int | None = None
    """Guess so many tokens from what followed the last words before, and check them in one run: the same text, faster
    where texts repeat themselves."""
    prompt_cache: bool = False
    """Keep the keys and values for a next prompt that starts alike, and use those of an earlier one."""
    json_schema: str | Mapping[str, Any] | None = None
    """Write JSON that fits this schema (needs the package llguidance)."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_stops(self.stop)
        self._check_together()

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end the text."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def _check_together(self) -> None:
        if not self.do_sample:
            given = [name for name in _SAMPLING if getattr(self, name) is not None]
            if given:
                raise ValueError(
                    f"{given[0]} is for drawing by chance. Received: {given[0]}={getattr(self, given[0])} with "
                    f"do_sample=False. Set do_sample=True, or leave {given[0]} out."
                )
            if self.n > max(self.num_beams, 1):
                raise ValueError(
                    f"Without do_sample, every text of a prompt is the same. Received: n={self.n}. Set do_sample=True, "
                    "or num_beams to as many."
                )
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens must not be more than max_new_tokens. Received: {self.min_new_tokens} and "
                f"{self.max_new_tokens}."
            )
        if self.top_logprobs and not self.logprobs:
            raise ValueError(f"top_logprobs needs logprobs=True. Received: top_logprobs={self.top_logprobs} alone.")
        if self.num_beams > 1:
            self._check_beams()

    def _check_beams(self) -> None:
        apart = {
            "do_sample": self.do_sample,
            "logprobs": self.logprobs,
            "prompt_lookup_num_tokens": self.prompt_lookup_num_tokens,
            "json_schema": self.json_schema,
            "prompt_cache": self.prompt_cache,
            "stop": self.stop,
        }
        given = [name for name, value in apart.items() if value]
        if given:
            raise ValueError(
                f"Beam search does not go with {given[0]}. Received: num_beams={self.num_beams} and {given[0]}. "
                "Leave one of them out."
            )


def _check_numbers(options: GenerationOptions) -> None:
    """Each number by itself: its type, and the range that it must be in."""
    for name, (kind, low, high, rule) in _RANGES.items():
        value = getattr(options, name)
        if value is None and name in (*_SAMPLING, "seed", "prompt_lookup_num_tokens"):
            continue
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            raise ValueError(f"{name} must be {rule}. Received: {value!r}.")
    if options.logit_bias is not None:
        for token, bias in options.logit_bias.items():
            if not isinstance(token, Integral) or not isinstance(bias, Real) or bias != bias:
                raise ValueError(f"logit_bias must map token ids to numbers. Received: {token!r}: {bias!r}.")


def _check_stops(stop: Any) -> None:
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, Sequence) or not all(isinstance(each, str) for each in stops):
        raise ValueError(f"stop must be a string or a list of strings. Received: {stop!r}.")
    if "" in stops:
        raise ValueError("A stop string must have a character: an empty one would end every text. Received: ''.")
    if len(stops) > _MOST_STOPS or any(len(each) > _LONGEST_STOP for each in stops):
        raise ValueError(
            f"stop may have {_MOST_STOPS} strings of {_LONGEST_STOP} characters at most. "
            f"Received: {len(stops)}, the longest of {max(map(len, stops))}."
        )


_TINY, _INFINITE = 1e-4, float("inf")
_LARGE = 2**31 - 1
# Name to its type, the least and the most it can be, and these in words.
_RANGES: dict[str, tuple[Any, float, float, str]] = {
    "max_new_tokens": (Integral, 1, _LARGE, "a whole number from 1"),
    "min_new_tokens": (Integral, 0, _LARGE, "a whole number from 0"),
    "temperature": (Real, _TINY, 1e4, "a number from 0.0001 to 10000 (for the most likely tokens: do_sample=False)"),
    "top_k": (Integral, 1, _LARGE, "a whole number from 1"),
    "top_p": (Real, 1e-9, 1, "a probability above 0, up to 1"),
    "min_p": (Real, 0, 1, "a probability from 0 to 1"),
    "repetition_penalty": (Real, 1e-2, 100, "a number from 0.01 to 100 (1: none)"),
    "presence_penalty": (Real, -100, 100, "a number from -100 to 100 (0: none)"),
    "frequency_penalty": (Real, -100, 100, "a number from -100 to 100 (0: none)"),
    "seed": (Integral, 0, _INFINITE, "a whole number from 0"),
    "top_logprobs": (Integral, 0, 1000, "a whole number from 0 to 1000"),
    "n": (Integral, 1, 1024, "a whole number from 1 to 1024"),
    "num_beams": (Integral, 1, 64, "a whole number from 1 to 64"),
    "length_penalty": (Real, -100, 100, "a number from -100 to 100"),
    "prompt_lookup_num_tokens": (Integral, 1, 256, "a whole number from 1 to 256"),
}
