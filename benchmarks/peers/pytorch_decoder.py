"""PyTorch with transformers: `generate`, in float32, and with int8 linear layers quantized as they go."""

from pathlib import Path

import torch
from generating import Generator, serve
from transformers import AutoModelForCausalLM, PreTrainedModel


def prepare(checkpoint: Path, out: Path) -> None:
    """Nothing to convert."""


def load(checkpoint: Path, prepared: Path, threads: int):
    torch.set_num_threads(threads)
    weights = checkpoint / "model.safetensors"
    return {
        "fp32": lambda: Generator(generate_with(_model(checkpoint)), weights),
        "int8": lambda: Generator(generate_with(_quantized(_model(checkpoint))), weights),
    }


def _model(checkpoint: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()


def _quantized(model: PreTrainedModel) -> PreTrainedModel:
    if model.config.model_type == "gpt2":
        raise ValueError("its products are Conv1D, which PyTorch does not quantize")
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())  # no longer the embeddings' table
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)


def generate_with(model: PreTrainedModel):
    """Through `generate`, as transformers and Optimum have it."""

    def generate(prompt: list[int], count: int) -> list[int]:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            answer = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False
            )
        return answer[0, len(prompt) :].tolist()

    return generate


if __name__ == "__main__":
    serve(prepare, load)
