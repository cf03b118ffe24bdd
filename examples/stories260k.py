"""A Llama of llama2.c as a bundle: its weights go into Keras layers, its vocabulary into a tokenizer.json.

    python examples/stories260k.py SOURCE_FOLDER OUT_BUNDLE
    kerasllm generate OUT_BUNDLE "Once upon a time"

SOURCE_FOLDER holds stories260K.bin and tok512.bin, a model of 264,128 parameters that tells stories; a
stories260K.md or expected_greedy.json beside them is what the variants are measured on. Both formats are those of
llama2.c (https://github.com/karpathy/llama2.c, version 0).
"""

import argparse
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, processors

from kerasllm.models.causal_models import DecoderShape, build_causal_lm

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"  # ids 0, 1 and 2
SPACE = "▁"  # a space inside a piece, as tokenizer.json holds it


def main() -> None:
    """Reads the folder, writes the bundle."""
    from kerasllm.export import export_bundle

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variants", default="fp32,int8", help="which to write, with commas between")
    parser.add_argument("--overwrite", action="store_true", help="replace a bundle that is there")
    options = parser.parse_args()
    manifest = export_bundle(
        read_model(options.source / "stories260K.bin"),
        options.out,
        tokenizer=read_tokenizer(options.source / "tok512.bin"),
        task="text-generation",
        # A story begins with <s>, and the next one's <s> ends it.
        settings={"eos_token_ids": [1, 2], "bos_token_id": 1, "add_bos": True},
        variants=options.variants.split(","),
        max_length=read_shape(options.source / "stories260K.bin").context,
        validation=stories(options.source) or None,
        overwrite=options.overwrite,
    )
    print(json.dumps(manifest["variants"], indent=2))


def read_model(path: Path) -> Any:
    """The weights as a KerasHub Llama, from `token_ids` and `padding_mask` to logits.

    The file is seven int32 sizes, then float32 arrays, a matrix as [out, in], all layers of a kind together; all of it
    little-endian.
    """
    shape = read_shape(path)
    arrays = _arrays(path, shape)
    model = build_causal_lm(shape)
    model.set_weights(
        [_weight(variable.path, arrays, shape.head_size).reshape(variable.shape) for variable in model.weights]
    )
    return model


def read_shape(path: Path) -> DecoderShape:
    """The sizes at the beginning of the file."""
    with path.open("rb") as file:
        hidden, intermediate, layers, heads, kv_heads, vocab_size, context = struct.unpack("<7i", file.read(28))
    if vocab_size < 0:
        raise ValueError(f"The output matrix must be the embedding. Received: {path}, with one of its own.")
    return DecoderShape(
        decoder=path.stem,
        architecture="llama",
        vocab_size=vocab_size,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_size=hidden // heads,
        hidden=hidden,
        intermediate=intermediate,
        context=context,
        tied=True,
    )


def _arrays(path: Path, shape: DecoderShape) -> dict[str, np.ndarray]:
    """The file's arrays in their order, under the names of Keras's variables."""
    layers, hidden, inner, keys = shape.layers, shape.hidden, shape.intermediate, shape.kv_heads * shape.head_size
    sizes: dict[str, tuple[int, ...]] = {
        "token_embedding/embeddings": (shape.vocab_size, hidden),
        "self_attention_layernorm/scale": (layers, hidden),
        "self_attention/query/kernel": (layers, hidden, hidden),
        "self_attention/key/kernel": (layers, keys, hidden),
        "self_attention/value/kernel": (layers, keys, hidden),
        "self_attention/attention_output/kernel": (layers, hidden, hidden),
        "feedforward_layernorm/scale": (layers, hidden),
        "feedforward_gate_dense/kernel": (layers, inner, hidden),
        "feedforward_output_dense/kernel": (layers, hidden, inner),
        "feedforward_intermediate_dense/kernel": (layers, inner, hidden),
        "sequence_output_layernorm/scale": (hidden,),
    }
    ends = np.cumsum([math.prod(size) for size in sizes.values()])
    numbers = np.fromfile(path, "<f4", offset=28)  # after the sizes; sines and cosines are at the end
    if len(numbers) < ends[-1]:
        raise ValueError(f"The file must hold all the weights that its sizes ask for. Received: {path}, cut short.")
    parts = np.split(numbers[: ends[-1]], ends[:-1])
    return {name: part.reshape(size) for (name, size), part in zip(sizes.items(), parts, strict=True)}


def _weight(path: str, arrays: dict[str, np.ndarray], head_size: int) -> np.ndarray:
    """A Keras variable's values, from the array of all layers."""
    layer, _, name = path.partition("/")
    if not layer.startswith("transformer_layer_"):
        return arrays[path]
    array = arrays[name][int(layer.rpartition("_")[2])]
    if name.endswith(("query/kernel", "key/kernel")):
        array = _halves(array, head_size)
    return array.T


def _halves(matrix: np.ndarray, head_size: int) -> np.ndarray:
    """Rows of a head in another order: llama2.c rotates neighbours, Keras the first half with the second."""
    heads = matrix.reshape(-1, head_size // 2, 2, matrix.shape[-1])
    return heads.swapaxes(1, 2).reshape(matrix.shape)


def read_tokenizer(path: Path) -> Tokenizer:
    """The vocabulary as a tokenizer: pieces are joined best score first, and what is no piece falls into bytes.

    The file is the length of the longest piece, then for each piece its float32 score, its int32 length, its bytes.
    """
    scores = _pieces(path)
    vocab = {piece: number for number, piece in enumerate(scores)}
    best_first = sorted(vocab, key=lambda piece: -scores[piece])
    merges = [
        (piece[:cut], piece[cut:])
        for piece in best_first
        if not piece.startswith("<")
        for cut in range(1, len(piece))
        if piece[:cut] in vocab and piece[cut:] in vocab
    ]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    # A text begins with a space, as every word does.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 1)])
    tokenizer.add_special_tokens([UNKNOWN, BEGIN, END])
    return tokenizer


def _pieces(path: Path) -> dict[str, float]:
    """Score of each piece, in the order of their ids."""
    content, position, scores = path.read_bytes(), 4, {}
    while position < len(content):
        score, length = struct.unpack_from("<fi", content, position)
        piece = content[position + 8 : position + 8 + length].decode().replace(" ", SPACE)
        scores[piece.strip("\n") or piece] = score  # <s> and </s> stand between line ends
        position += 8 + length
    return scores


def stories(source: Path) -> list[str]:
    """Stories that this model told, in the files beside it: blocks of text after a command that runs it."""
    notes = source / "stories260K.md"
    blocks = notes.read_text(encoding="utf-8").split("```")[1::2] if notes.is_file() else []
    return [block.split("\n", 2)[2].strip() for block in blocks if block.lstrip("\n").startswith("$ ./run")]


if __name__ == "__main__":
    main()
