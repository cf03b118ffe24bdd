"""Small bundles made by hand: graphs whose answers can be worked out on paper, and word-level tokenizers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "good", "bad", "film", "very", "not"]
# Logits of a text: the mean of its words' rows (negative, positive); padding counts nothing.
SCORES = np.array([[9, -9], [0, 0], [-2, 2], [2, -2], [0.5, 0], [0, 1], [1, 0]], np.float32)

# A vocabulary as BERT's: the last word is the only piece that goes on with a word.
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ada", "met", "alan", "in", "paris", "who", "?", "##ville"]


def word_tokenizer() -> tokenizers.Tokenizer:
    model = models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding()  # what a file says of padding must not matter
    return tokenizer


def piece_tokenizer() -> tokenizers.Tokenizer:
    """WordPiece, with [CLS], [SEP] and segments as BERT has them; case is kept."""
    model = models.WordPiece({piece: index for index, piece in enumerate(PIECES)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", PIECES.index("[CLS]")), ("[SEP]", PIECES.index("[SEP]"))],
    )
    tokenizer.add_special_tokens(PIECES[:5])
    return tokenizer


def mean_graph(
    scores: np.ndarray = SCORES,
    *,
    mask: bool = True,
    ids: str = "input_ids",
    dtype: int = 7,
    output: str = "logits",
) -> bytes:
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
        helper.make_node("Div", ["total", "divisor"], [output]),
    ]
    constants = {"scores": scores, "last": np.array([-1]), "first": np.array([1]), "one": np.ones(1, np.float32)}
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", int(scores.shape[1])])]
    return _model(nodes, inputs, outputs, constants)


def token_graph(tables: dict[str, np.ndarray], *, types: bool = False) -> bytes:
    """Of each token its row in a table: outputs by name, [batch, sequence, ...].

    With `types`, the table has the rows of the second segment after those of the first.
    """
    names = ["input_ids", "attention_mask", *["token_type_ids"] * types]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    nodes, rows, constants = [], "input_ids", dict(tables)
    if types:
        constants["size"] = np.array(len(next(iter(tables.values()))) // 2)
        nodes += [helper.make_node("Mul", ["token_type_ids", "size"], ["shift"])]
        nodes += [helper.make_node("Add", ["input_ids", "shift"], [rows := "shifted"])]
    nodes += [helper.make_node("Gather", [f"table_{name}", rows], [name]) for name in tables]
    nodes += [helper.make_node("Identity", ["attention_mask"], ["unused"])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "sequence", *table.shape[1:]])
        for name, table in tables.items()
    ]
    constants = {f"table_{name}" if name in tables else name: value for name, value in constants.items()}
    return _model(nodes, inputs, outputs, constants)


def _model(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> bytes:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "handmade", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_bundle(
    folder: Path,
    graphs: dict[str, bytes] | None = None,
    *,
    tokenizer: tokenizers.Tokenizer | None = None,
    more_files: dict[str, bytes] | None = None,
    **changes: Any,
) -> Path:
    """Writes a bundle; `changes` replace keys of the manifest."""
    graphs = graphs or {"fp32": mean_graph()}
    contents = {"tokenizer.json": (tokenizer or word_tokenizer()).to_str().encode(), "config.json": b"{}"}
    contents |= more_files or {}
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


def piece_table(width: int, **rows: list[float]) -> np.ndarray:
    """A row of `width` zeros for every piece but those that are given: float32 [pieces, width]."""
    table = np.zeros((len(PIECES), width), np.float32)
    for piece, row in rows.items():
        table[PIECES.index({"ville": "##ville", "cls": "[CLS]", "mask": "[MASK]"}.get(piece, piece))] = row
    return table


TAGS = ["O", "B-person", "I-person", "B-place", "I-place"]


def write_tagger(folder: Path, **changes: Any) -> Path:
    """Tags ada, alan as persons and paris as a place; "who" goes on with a person, a piece of a word says person."""
    table = piece_table(5, ada=[0, 4, 0, 0, 0], alan=[0, 4, 0, 0, 0], who=[0, 0, 4, 0, 0], paris=[0, 0, 0, 4, 0])
    table += piece_table(5, ville=[0, 9, 0, 0, 0])
    table[:, 0] += 1
    return _write_piece_bundle(folder, token_graph({"logits": table}), "token-classification", labels=TAGS, **changes)


def write_reader(folder: Path, **changes: Any) -> Path:
    """Answers start at ada (3) or paris (2), and end at ada (1), alan (3) or paris (2); "no answer" has the logit 3."""
    start = piece_table(1, ada=[3], paris=[2], cls=[1.5])[:, 0]
    end = piece_table(1, ada=[1], alan=[3], paris=[2], cls=[1.5])[:, 0]
    graph = token_graph({"start_logits": start, "end_logits": end})
    return _write_piece_bundle(folder, graph, "question-answering", **changes)


def write_filler(folder: Path, **changes: Any) -> Path:
    """Whatever the text, the mask is best filled with paris, then with ada, then met."""
    best = {"paris": 3.0, "ada": 2.0, "met": 1.0}
    table = piece_table(len(PIECES), mask=[best.get(piece, 0.0) for piece in PIECES])
    return _write_piece_bundle(folder, token_graph({"logits": table}), "fill-mask", **changes)


def write_embedder(folder: Path, **changes: Any) -> Path:
    """Vectors of tokens, [2] each, to be pooled by serving: ada (3, 0), alan (0, 4), [CLS] (1, 1), others (0, 0)."""
    table = piece_table(2, ada=[3, 0], alan=[0, 4], cls=[1, 1])
    return _write_piece_bundle(folder, token_graph({"last_hidden_state": table}), "feature-extraction", **changes)


def _write_piece_bundle(folder: Path, graph: bytes, task: str, **changes: Any) -> Path:
    settings = {"labels": [], "preprocessing": {"max_length": 32, "pad_token_id": 0}, **changes}
    return write_bundle(folder, {"fp32": graph}, tokenizer=piece_tokenizer(), task=task, **settings)


def by_hand(text: str, scores: np.ndarray = SCORES, limit: int = 6) -> np.ndarray:
    """The oracle of every test: softmax of the mean of the score rows of the words."""
    rows = [scores[WORDS.index(word) if word in WORDS else 1] for word in text.split()[:limit]]
    powers = np.exp(np.mean(rows, axis=0) if rows else np.zeros(scores.shape[1]))
    return powers / powers.sum()
