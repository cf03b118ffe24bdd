"""The road of benchmarks/embeddings.py at a small size: folder, bundle, vectors, held to NumPy."""

import numpy as np
import pytest

from kerasllm.export import export_source
from kerasllm.serving import load

from .folders import CONFIGS, random_tensors, write_folder
from .reference import hidden_states

TEXTS = ["a good film", "bad", "a very very long film", "A GOOD bad film"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's saving, under NumPy 2
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_a_bundles_vectors_are_those_of_the_original(tmp_path, kind):
    export_source(write_folder(tmp_path / "folder", kind), tmp_path / "bundle", variants=("fp32",))
    embed = load(tmp_path / "bundle")
    tensors = random_tensors(kind, CONFIGS[kind])
    vectors = []
    for row in embed.rows(TEXTS):
        mean = hidden_states(kind, CONFIGS[kind], tensors, row.ids, np.zeros_like(row.ids)).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    np.testing.assert_allclose(embed(TEXTS), vectors, atol=1e-5)
