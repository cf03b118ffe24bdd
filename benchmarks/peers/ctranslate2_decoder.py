"""CTranslate2, float32 and int8."""

import json
from pathlib import Path

import ctranslate2
from generating import Generator, serve

TYPES = {"fp32": "float32", "int8": "int8"}


def prepare(checkpoint: Path, out: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    for name, kind in TYPES.items():
        TransformersConverter(str(checkpoint)).convert(str(out / name), quantization=kind, force=True)


def load(checkpoint: Path, prepared: Path, threads: int):
    return {name: lambda name=name, kind=kind: opened(prepared / name, kind, threads) for name, kind in TYPES.items()}


def opened(folder: Path, kind: str, threads: int) -> Generator:
    model = ctranslate2.Generator(str(folder), device="cpu", compute_type=kind, intra_threads=threads, inter_threads=1)
    words = json.loads((folder / "vocabulary.json").read_text())

    def generate(prompt: list[int], count: int) -> list[int]:
        answer = model.generate_batch(
            [[words[token] for token in prompt]], max_length=count, beam_size=1, include_prompt_in_result=False
        )
        return answer[0].sequences_ids[0]

    return Generator(generate, folder)


if __name__ == "__main__":
    serve(prepare, load)
