"""`kerasllm chat`: talk with a text-generation BUNDLE."""

import json as json_format
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..console import console
from .generate import Asked, as_json, load_generator, show


def chat(
    bundle: Path,
    message: str | None = None,
    *,
    system: str | None = None,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | None = None,
    options: Annotated[Asked, Parameter(name="*", group="Generation")] = Asked(),  # noqa: B008 (frozen)
    json: bool = False,
) -> None:
    """Talk with a text-generation BUNDLE that has a chat template; answers appear as they are written.

    Without a message it reads one a line, from the terminal or from standard input, until the end (Ctrl-D).

    For example:

    kerasllm chat bundles/assistant

    kerasllm chat bundles/assistant "What is the capital of France?" --max-new-tokens 50 --json

    Args:
        bundle: The bundle folder.
        message: The only message of the dialogue.
        system: What the model is told first.
        variant: fp32, int8 or another that the bundle has (default: the bundle's own).
        threads: Threads to compute with (default: every core that this process may use).
        providers: cpu or cuda (default: CUDA where there is a device, else the CPU).
        json: Print a JSON line an answer.
    """
    if options.n > 1:
        raise ValueError(f"A dialogue has one answer to a message. Received: n={options.n}. Use kerasllm generate.")
    options = replace(options, prompt_cache=options.num_beams == 1)  # the dialogue so far is not read again
    generator = load_generator(bundle, variant, threads, providers)
    messages: list[dict[str, Any]] = [] if system is None else [{"role": "system", "content": system}]
    if message is not None:
        _answer(generator, messages, message, options, json)
        return
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        console.print("Write a message and press Enter; Ctrl-D ends.", style="dim")
    while (line := _next(terminal)) is not None:
        if line.strip():
            _answer(generator, messages, line, options, json)


def _next(terminal: bool) -> str | None:
    """The next message; None at the end."""
    try:
        return input("> " if terminal else "")
    except EOFError:
        return None


def _answer(generator: Any, messages: list[dict[str, Any]], message: str, options: Asked, json: bool) -> None:
    """Adds a message and its answer to the dialogue, and prints the answer."""
    messages.append({"role": "user", "content": message})
    if json or options.num_beams > 1:
        result = generator.chat(messages, options)
        text = result.text
        print(json_format.dumps({"message": message, **as_json(result)}, ensure_ascii=False) if json else text)
    else:
        text, _ = show(generator.stream_chat(messages, options))
    messages.append({"role": "assistant", "content": text})
