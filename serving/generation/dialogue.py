"""The prompt of a dialogue, as a chat template writes it."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ...extras import require

# A template is a page or two.
_LONGEST = 200_000
# Templates write roles into the tokens that mark turns, <|{{ role }}|>, so a role is nothing but a name.
_ROLE = re.compile(r"[\w .-]+")
Message = Mapping[str, Any]


class ChatTemplate:
    """A Jinja template as Hugging Face's `apply_chat_template` knows it, in a sandbox. Threads may share it."""

    def __init__(self, source: str, *, bos_token: str = "", eos_token: str = "") -> None:
        """Compiles the template.

        Args:
            source: Its text. It reads messages, add_generation_prompt, bos_token and eos_token, and may call
                raise_exception and strftime_now.
            bos_token: The token that starts a text, as it is written.
            eos_token: The token that ends one.

        Raises:
            ImportError: Jinja is not installed.
            ValueError: It is no template, or far too long.
        """
        sandbox, jinja = require("serving", "jinja2.sandbox"), require("serving", "jinja2")
        if len(source) > _LONGEST:
            raise ValueError(
                f"A chat template may have {_LONGEST} characters. Received: {len(source)}. It is something else."
            )
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        environment = sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
        environment.filters["tojson"] = _to_json
        self._error = jinja.TemplateError
        try:
            self._template = environment.from_string(source)
        except jinja.TemplateError as error:
            raise ValueError(f"The chat template cannot be read: {error}.") from error

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True, **more: Any) -> str:
        """Writes a dialogue as one text.

        Args:
            messages: {"role", "content"} each, one at least.
            add_generation_prompt: Whether the beginning of an answer comes last.
            **more: What else the template reads, such as tools.

        Raises:
            TypeError: These are no messages.
            ValueError: There are none, a role is no name, or the template refuses them.
        """
        check_messages(messages)
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                **self._tokens,
                **more,
            )
        except self._error as error:
            raise ValueError(f"The chat template of this bundle refuses the messages: {error}.") from error

    def frame(self) -> str:
        """What it writes around a message, with the tokens that start and end a text."""
        try:
            return "".join([*self._tokens.values(), self.render([{"role": "user", "content": "x"}])])
        except (TypeError, ValueError):  # it wants another dialogue
            return "".join(self._tokens.values())


def check_messages(messages: Any) -> None:
    """Refuses what is no dialogue."""
    if isinstance(messages, (str, Mapping)) or not isinstance(messages, Sequence):
        raise TypeError(f"A dialogue must be a list of messages. Received: {type(messages).__name__}.")
    if not messages:
        raise ValueError("A dialogue must have a message at least. Received: none.")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not all(isinstance(message.get(k), str) for k in ("role", "content")):
            raise TypeError(
                'A message must be {"role": "user", "content": "..."}. '
                f"Received: {message if isinstance(message, str) else type(message).__name__!r} at position {number}."
            )
        if not _ROLE.fullmatch(message["role"]):
            raise ValueError(
                "A role must be a name, of letters, digits, spaces, dots, hyphens and underscores. "
                f"Received: {message['role']!r:.60} at position {number}. Name system, user or assistant."
            )


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as it is, where Jinja's own filter escapes for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise require("serving", "jinja2").TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
