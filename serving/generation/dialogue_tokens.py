"""The tokens of a dialogue: what a message says is text, and only the template writes control tokens."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import tokenizers

from ..texts import check_text
from .dialogue import ChatTemplate, Message, check_messages

# The first of the private-use characters of Unicode's last plane, and how many there are.
_PRIVATE, _COUNT = 0x100000, 0xFFFE


class DialogueTokens:
    """A chat template with the tokenizer that reads it. Threads may share it.

    The ids are those of Hugging Face's `apply_chat_template`, except where a message holds the text of a control token:
    there that would open or end a turn, here it is read as any other text. Control tokens are the special ones, and
    those that the template sets around a message though its tokenizer does not call them special. A template that
    marks turns by ordinary words, or not at all, keeps nobody from writing them.
    """

    def __init__(self, template: ChatTemplate, tokenizer: tokenizers.Tokenizer) -> None:
        """Binds a template to a tokenizer.

        Args:
            template: Writes dialogues.
            tokenizer: Reads them; it neither pads nor truncates.
        """
        self._template, self._tokenizer = template, tokenizer
        self._controls = _controls(template, tokenizer)
        texts = [token.content for token in self._controls.values()]
        self._literal = _any_of(texts)
        # A veil stands for a control token's text in a message, a pen for the token itself. Nobody can guess the key,
        # so no message holds them; and as private-use characters they are left alone by what templates do to texts.
        self._key = "".join(chr(_PRIVATE + secrets.randbelow(_COUNT)) for _ in range(5))
        self._veils = {text: f"{self._key}{chr(_PRIVATE + 2 * at)}" for at, text in enumerate(texts)}
        self._pens = {text: f"{self._key}{chr(_PRIVATE + 2 * at + 1)}" for at, text in enumerate(texts)}
        self._veiled = _any_of(self._veils.values())
        self._unveils = {veil: text for text, veil in self._veils.items()}

    def ids(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> list[int]:
        """The token ids of a dialogue, of a text's length; arguments and errors are those of `write` and `encode`."""
        text = self.write(messages, add_generation_prompt=add_generation_prompt)
        return self.encode(check_text(text, "A dialogue"))

    def write(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """Writes a dialogue as one text for `encode`, which may be given it in parts.

        Args:
            messages: {"role", "content"} each, one at least.
            add_generation_prompt: Whether the beginning of an answer comes last.

        Returns:
            What the template writes, with a veil for each control token's text in a message.

        Raises:
            TypeError: These are no messages.
            ValueError: There are none, the template refuses them, or it changes such a text.
        """
        check_messages(messages)
        veiled = [{**self._veil(message), "role": message["role"]} for message in messages]
        text = self._template.render(veiled, add_generation_prompt=add_generation_prompt)
        if any(new != old for new, old in zip(veiled, messages, strict=True)):
            plain = self._template.render(messages, add_generation_prompt=add_generation_prompt)
            if self._unveil(text) != plain:
                raise ValueError(
                    "A chat template must write the text of a control token in a message as it stands, to be told from "
                    "the token. Received: one that changes what messages say. Take such texts out of the messages."
                )
        return text

    def encode(self, text: str) -> list[int]:
        """The token ids of what `write` gives.

        Raises:
            ValueError: The tokenizer has no other way to read a control token's text.
        """
        if self._key not in text:
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
            # The tokenizer may find more, such as <|IM_END|> where it ignores case; then it is asked another way.
            if sum(token in self._controls for token in ids) == len(self._literal.findall(text)):
                return ids
        penned = self._literal.sub(lambda found: self._pens[found[0]], text)
        ids = self._twin.encode(self._unveil(penned), add_special_tokens=False).ids
        stray = next((self._controls[token] for token in ids if token in self._controls), None)
        if stray is not None:
            raise ValueError(
                "A message must hold no control token that its tokenizer cannot read as text. "
                f"Received: {stray.content!r}. Take it out of the message."
            )
        return [self._written.get(token, token) for token in ids]

    @cached_property
    def _twin(self) -> tokenizers.Tokenizer:
        """A tokenizer that reads control tokens as text, and pens in their place; large, so made when it is needed."""
        twin = tokenizers.Tokenizer.from_str(self._tokenizer.to_str())
        twin.add_special_tokens(list(self._controls.values()))
        twin.add_tokens([_pen(token, self._pens[token.content]) for token in self._controls.values()])
        twin.encode_special_tokens = True
        return twin

    @cached_property
    def _written(self) -> dict[int | None, int]:
        """The control token that each pen writes: ids of the twin to ids of the tokenizer."""
        return {self._twin.token_to_id(self._pens[token.content]): found for found, token in self._controls.items()}

    def _veil(self, value: Any) -> Any:
        """A message, or a part of one, with veils."""
        if isinstance(value, str):
            return self._literal.sub(lambda found: self._veils[found[0]], value)
        if isinstance(value, Mapping):
            return {self._veil(key): self._veil(each) for key, each in value.items()}
        return [self._veil(each) for each in value] if isinstance(value, (list, tuple)) else value

    def _unveil(self, text: str) -> str:
        return self._veiled.sub(lambda found: self._unveils[found[0]], text)


def _controls(template: ChatTemplate, tokenizer: tokenizers.Tokenizer) -> dict[int, tokenizers.AddedToken]:
    """Control tokens by their ids. The unknown token controls nothing, and stands for more than its own text."""
    written = template.frame()
    unknown = (getattr(tokenizer.model, "unk_token", None), "<unk>")
    return {
        number: token
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if token.content not in unknown and (token.special or (_is_mark(token.content) and token.content in written))
    }


def _is_mark(text: str) -> bool:
    """Whether a token marks something, such as <start_of_turn>: words and line breaks were added to be read."""
    return bool(text.strip()) and not text.strip().isalnum()


def _pen(token: tokenizers.AddedToken, text: str) -> tokenizers.AddedToken:
    """A token that is found where the other would be."""
    flags = {"single_word": token.single_word, "lstrip": token.lstrip, "rstrip": token.rstrip}
    return tokenizers.AddedToken(text, normalized=False, special=False, **flags)


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds the first of some texts, the longest where several begin at one place, as tokenizers do."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)")
