"""CTranslate2, int8."""

from pathlib import Path

import ctranslate2
import numpy as np
from encoding import Bind, Run, serve


def prepare(checkpoint: Path, out: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(checkpoint)).convert(str(out), quantization="int8", force=True)


def load(checkpoint: Path, prepared: Path, threads: int):
    def opened() -> Bind:
        return bind(ctranslate2.Encoder(str(prepared), device="cpu", intra_threads=threads, inter_threads=1))

    return {"int8": opened}


def bind(encoder: ctranslate2.Encoder) -> Bind:
    def of(rows: list[np.ndarray]) -> Run:
        ids = [row.tolist() for row in rows]  # it pads them itself
        return lambda: np.array(encoder.forward_batch(ids).last_hidden_state)

    return of


if __name__ == "__main__":
    serve(prepare, load)
