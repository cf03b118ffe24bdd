"""`kerasllm generate`: let a text-generation BUNDLE go on from a prompt."""

import json as json_format
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..inputs import read_inputs
from ..serving.generation.options import GenerationOptions

_TASK = "text-generation"


@dataclass(frozen=True, kw_only=True)
class Asked(GenerationOptions):
    """The options as a command line has them."""

    stop: tuple[str, ...] = ()
    """Strings that end the text; they are not part of it."""
    logit_bias: Annotated[Mapping[int, float] | None, Parameter(parse=False)] = None
    """For Python alone."""
    json_schema: str | None = None
    """Write JSON that fits this schema: a file, or the JSON itself (needs the package llguidance)."""

    def __post_init__(self) -> None:
        if self.json_schema and not self.json_schema.lstrip().startswith("{"):
            object.__setattr__(self, "json_schema", _read_schema(Path(self.json_schema)))
        super().__post_init__()


def generate(
    bundle: Path,
    *prompts: str,
    file: Path | None = None,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | None = None,
    options: Annotated[Asked, Parameter(name="*", group="Generation")] = Asked(),
    json: bool = False,
) -> None:
    """Let a text-generation BUNDLE go on from a prompt; the text appears as it is written.

    Prompts are given as arguments, one a line in a file, or one a line on standard input.

    For example:

    kerasllm generate bundles/stories "Once upon a time"

    kerasllm generate bundles/stories "Once upon" --do-sample --temperature 0.8 --top-p 0.95 --n 3 --seed 1

    kerasllm generate bundles/stories --file prompts.txt --max-new-tokens 64 --json

    Args:
        bundle: The bundle folder.
        prompts: Texts to go on from.
        file: A UTF-8 file with a prompt a line, or a .jsonl file with a string or an object with "prompt" a line.
        variant: fp32, int8 or another that the bundle has (default: the bundle's own).
        threads: Threads to compute with (default: every core that this process may use).
        providers: cpu or cuda (default: CUDA where there is a device, else the CPU).
        json: Print a JSON line a prompt, once all are written.
    """
    texts = [_prompt(entry) for entry in read_inputs(prompts, file)]
    generator = load_generator(bundle, variant, threads, providers)
    if json:
        for text, result in zip(texts, generator.generate(texts, options), strict=True):
            several = result if isinstance(result, list) else [result]
            print(json_format.dumps({"prompt": text, "generations": list(map(as_json, several))}, ensure_ascii=False))
        return
    for text in texts:
        if options.n > 1 or options.num_beams > 1:
            results = generator.generate(text, options)
            for result in results if isinstance(results, list) else [results]:
                print(result.text)
        else:
            show(generator.stream(text, options))


def load_generator(bundle: Path, variant: str | None, threads: int | None, providers: str | None) -> Any:
    """The served bundle, if it generates text."""
    from ..serving import load

    generator = load(bundle, variant=variant, threads=threads, providers=providers)
    if generator.graph.task != _TASK:
        raise ValueError(
            f"This verb is for {_TASK} bundles. Received: a bundle for {generator.graph.task}. Use kerasllm predict."
        )
    return generator


def show(pieces: Iterator[Any]) -> tuple[str, str]:
    """Prints a text as it comes, and a line end; gives the text, and why it ended."""
    written, reason = [], "length"
    for piece in pieces:
        print(piece.text, end="", flush=True)
        written.append(piece.text)
        reason = piece.finish_reason or reason
    print()
    return "".join(written), reason


def as_json(result: Any) -> dict[str, Any]:
    """A `Generation` for JSON: what was not asked for is left out."""
    document = {name: value for name, value in asdict(result).items() if value is not None}
    if "logprobs" in document:
        document["logprobs"] = [entry.logprob for entry in result.logprobs]
    if "top_logprobs" in document:
        document["top_logprobs"] = [[each._asdict() for each in place] for place in result.top_logprobs]
    return document


def _prompt(entry: Any) -> str:
    prompt = entry.get("prompt") if isinstance(entry, dict) else entry
    if not isinstance(prompt, str):
        raise ValueError(f'A prompt must be a string or an object with "prompt". Received: {entry!r}.')
    return prompt


def _read_schema(file: Path) -> str:
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no JSON schema at {file}. Name a file, or write the schema itself: '{{...}}'."
        )
    return file.read_text(encoding="utf-8")
