import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models

from kerasllm.models.vectors import initial_vectors
from kerasllm.tokenizing.tokenizer import load_tokenizer

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "encoder_vectors.py"


def test_the_input_embeddings_of_an_encoder_become_vectors(tmp_path):
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "good": 2, "##ly": 3}
    Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    other, table = np.ones((2, 2), "<f4"), np.random.default_rng(0).normal(size=(4, 3)).astype("<f4")
    header = {
        "pooler.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "embeddings.word_embeddings.weight": {"dtype": "F32", "shape": [4, 3], "data_offsets": [16, 64]},
    }
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + other.tobytes() + table.tobytes()
    (tmp_path / "model.safetensors").write_bytes(content)
    subprocess.run([sys.executable, SCRIPT, tmp_path, tmp_path / "v.txt"], check=True)
    vectors, share = initial_vectors(tmp_path / "v.txt", load_tokenizer(tmp_path / "tokenizer.json"), 3, 0)
    assert share == 1.0
    centred = table - table.mean(axis=0)
    np.testing.assert_allclose(vectors[1:], (centred * 0.25 / centred.std())[1:], atol=1e-4)
    assert not vectors[0].any()  # padding
