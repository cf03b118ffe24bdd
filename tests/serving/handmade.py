"""Small bundles made by hand: a graph whose answers can be worked out on paper, and a word-level tokenizer."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, pre_tokenizers

WORDS = ["[PAD]", "[UNK]", "good", "bad", "film", "very", "not"]
# Logits of a text: the mean of its words' rows (negative, positive); padding counts nothing.
SCORES = np.array([[9, -9], [0, 0], [-2, 2], [2, -2], [0.5, 0], [0, 1], [1, 0]], np.float32)


def word_tokenizer() -> tokenizers.Tokenizer:
    model = models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding()  # what a file says of padding must not matter
    return tokenizer


def mean_graph(scores: np.ndarray = SCORES, *, mask: bool = True, ids: str = "input_ids", dtype: int = 7) -> bytes:
    """Mean of the score rows of the tokens; `mask=False` reads the ids alone and counts id 0 as padding."""
    shape = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(ids, dtype, shape)]
    nodes = [helper.make_node("Gather", ["scores", ids], ["rows"])]
    if mask:
        inputs.append(helper.make_tensor_value_info("attention_mask", dtype, shape))
        nodes.append(helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT))
    else:
        nodes += [helper.make_node("Cast", [ids], ["float_ids"], to=TensorProto.FLOAT)]
        nodes += [helper.make_node("Sign", ["float_ids"], ["real"])]
    nodes += [
        helper.make_node("Unsqueeze", ["real", "last"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "first"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "first"], ["count"], keepdims=0),
        helper.make_node("Max", ["count", "one"], ["divisor"]),
        helper.make_node("Div", ["total", "divisor"], ["logits"]),
    ]
    constants = {"scores": scores, "last": np.array([-1]), "first": np.array([1]), "one": np.ones(1, np.float32)}
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", int(scores.shape[1])])]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "mean", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_bundle(folder: Path, graphs: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """Writes a bundle; `changes` replace keys of the manifest."""
    graphs = graphs or {"fp32": mean_graph()}
    contents = {"tokenizer.json": word_tokenizer().to_str().encode(), "config.json": b"{}"}
    contents |= {f"onnx/{name}.onnx": graph for name, graph in graphs.items()}
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    manifest = {
        "format": 1,
        "task": "text-classification",
        "labels": ["negative", "positive"],
        "multi_label": False,
        "activation": "softmax",
        "preprocessing": {"max_length": 6, "pad_token_id": 0},
        "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask"},
        "default_variant": next(iter(graphs)),
        "variants": {name: {"file": f"onnx/{name}.onnx", "bytes": len(graph)} for name, graph in graphs.items()},
        "files": {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in contents.items()},
        **changes,
    }
    (folder / "kerasllm.json").write_text(json.dumps(manifest))
    return folder


def by_hand(text: str, scores: np.ndarray = SCORES, limit: int = 6) -> np.ndarray:
    """The oracle of every test: softmax of the mean of the score rows of the words."""
    rows = [scores[WORDS.index(word) if word in WORDS else 1] for word in text.split()[:limit]]
    powers = np.exp(np.mean(rows, axis=0) if rows else np.zeros(scores.shape[1]))
    return powers / powers.sum()
