"""PyTorch with transformers: float32, bfloat16, and int8 linear layers quantized as they go."""

from pathlib import Path

import numpy as np
import torch
from encoding import Bind, Run, pad, serve
from transformers import AutoModel


def prepare(checkpoint: Path, out: Path) -> None:
    """Nothing to convert."""


def load(checkpoint: Path, prepared: Path, threads: int):
    torch.set_num_threads(threads)
    return {
        "fp32": lambda: bind(_model(checkpoint, torch.float32)),
        "bf16": lambda: bind(_model(checkpoint, torch.bfloat16)),
        "int8, dynamic": lambda: bind(
            torch.ao.quantization.quantize_dynamic(_model(checkpoint, torch.float32), {torch.nn.Linear}, torch.qint8)
        ),
    }


def _model(checkpoint: Path, dtype: torch.dtype) -> torch.nn.Module:
    return AutoModel.from_pretrained(checkpoint, dtype=dtype).eval()


def bind(model: torch.nn.Module) -> Bind:
    def of(rows: list[np.ndarray]) -> Run:
        ids, mask = map(torch.from_numpy, pad(rows))

        @torch.inference_mode()
        def run() -> np.ndarray:
            return model(input_ids=ids, attention_mask=mask).last_hidden_state.float().numpy()

        return run

    return of


if __name__ == "__main__":
    serve(prepare, load)
