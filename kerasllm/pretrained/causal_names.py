"""Where a decoder's weights lie in a folder of Hugging Face: a tensor for every variable of Keras."""

from dataclasses import dataclass

import numpy as np

from ..models.causal_models import DecoderShape


@dataclass(frozen=True)
class Place:
    """Where a variable's values are.

    Attributes:
        tensor: Name of the tensor, without the prefix of the architecture.
        shape: The tensor's.
        transposed: Whether it is [out, in] where Keras has [in, out].
        third: Which third of its columns it is; None: all of them.
    """

    tensor: str
    shape: tuple[int, ...]
    transposed: bool = False
    third: int | None = None

    def values(self, tensor: np.ndarray) -> np.ndarray:
        """The variable's values; heads are still side by side."""
        if self.third is not None:
            tensor = np.split(tensor, 3, axis=-1)[self.third]
        return tensor.T if self.transposed else tensor


def weight_places(shape: DecoderShape) -> dict[str, Place]:
    """The place of every variable of the model that `build_causal_lm` makes of `shape`, by its path."""
    return _gpt2(shape) if shape.architecture == "gpt2" else _llama(shape)


def _gpt2(shape: DecoderShape) -> dict[str, Place]:
    """GPT-2 has [in, out], and queries, keys and values side by side."""
    hidden, inner = shape.hidden, shape.intermediate
    places = {
        "token_embedding/embeddings": Place("wte.weight", (shape.vocab_size, hidden)),
        "position_embedding/embeddings": Place("wpe.weight", (shape.context, hidden)),
    }

    def norm(path: str, name: str) -> None:
        places[f"{path}/gamma"] = Place(f"{name}.weight", (hidden,))
        places[f"{path}/beta"] = Place(f"{name}.bias", (hidden,))

    def dense(path: str, name: str, width: int, out: int, third: int | None = None) -> None:
        places[f"{path}/kernel"] = Place(f"{name}.weight", (width, out), third=third)
        places[f"{path}/bias"] = Place(f"{name}.bias", (out,), third=third)

    for number in range(shape.layers):
        path, name = f"transformer_layer_{number}", f"h.{number}"
        for third, part in enumerate(("query", "key", "value")):
            dense(f"{path}/self_attention/{part}", f"{name}.attn.c_attn", hidden, 3 * hidden, third)
        dense(f"{path}/self_attention/attention_output", f"{name}.attn.c_proj", hidden, hidden)
        norm(f"{path}/self_attention_layer_norm", f"{name}.ln_1")
        dense(f"{path}/feedforward_intermediate_dense", f"{name}.mlp.c_fc", hidden, inner)
        dense(f"{path}/feedforward_output_dense", f"{name}.mlp.c_proj", inner, hidden)
        norm(f"{path}/feedforward_layer_norm", f"{name}.ln_2")
    norm("layer_norm", "ln_f")
    return places


def _llama(shape: DecoderShape) -> dict[str, Place]:
    """Llama and its kin have [out, in], as all layers of PyTorch."""
    hidden, inner = shape.hidden, shape.intermediate
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    places = {"token_embedding/embeddings": Place("embed_tokens.weight", (shape.vocab_size, hidden))}
    if not shape.tied:
        places["token_embedding/reverse_embeddings"] = Place("lm_head.weight", (shape.vocab_size, hidden), True)

    def norm(path: str, name: str, width: int = hidden) -> None:
        places[f"{path}/scale"] = Place(f"{name}.weight", (width,))

    def dense(path: str, name: str, width: int, out: int, bias: bool = False) -> None:
        places[f"{path}/kernel"] = Place(f"{name}.weight", (out, width), True)
        if bias:
            places[f"{path}/bias"] = Place(f"{name}.bias", (out,))

    for number in range(shape.layers):
        path, name = f"transformer_layer_{number}", f"layers.{number}"
        for part, short, out in (("query", "q", queries), ("key", "k", keys), ("value", "v", keys)):
            bias = shape.architecture == "qwen2"
            dense(f"{path}/self_attention/{part}", f"{name}.self_attn.{short}_proj", hidden, out, bias)
            if shape.architecture == "qwen3" and part != "value":
                norm(f"{path}/self_attention/{part}_dense_layernorm", f"{name}.self_attn.{short}_norm", shape.head_size)
        dense(f"{path}/self_attention/attention_output", f"{name}.self_attn.o_proj", queries, hidden)
        norm(f"{path}/self_attention_layernorm", f"{name}.input_layernorm")
        dense(f"{path}/feedforward_gate_dense", f"{name}.mlp.gate_proj", hidden, inner)
        dense(f"{path}/feedforward_intermediate_dense", f"{name}.mlp.up_proj", hidden, inner)
        dense(f"{path}/feedforward_output_dense", f"{name}.mlp.down_proj", inner, hidden)
        norm(f"{path}/feedforward_layernorm", f"{name}.post_attention_layernorm")
    norm("sequence_output_layernorm", "norm")
    return places
